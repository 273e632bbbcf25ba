import { Link } from "react-router-dom";

import type { User } from "../auth";
import { auth } from "../session";
import { AccountName, Field, Form } from "../ui/form";
import { useLoad } from "../ui/load";
import { Page } from "../ui/page";

export function DeleteAccount() {
    const { data } = useLoad<{ user: User }>("/profile");
    const name = data?.user.username ?? data?.user.email ?? "";
    return (
        <Page title="Delete account" lead={<>This deletes {name === "" ? "your account" : <strong>{name}</strong>} and ends all its sessions at once. It cannot be undone.</>}>
            <section className="card" aria-label="Delete account">
                <Form
                    label="Delete account" submit="Delete my account" danger
                    action={({ password = "" }) => auth.deleteAccount(password)} at={{ wrong_password: "password" }}
                >
                    <AccountName name={name} />
                    <Field name="password" label="Password" type="password" autoComplete="current-password" required />
                </Form>
                <p className="aside"><Link to="/profile">Keep it</Link></p>
            </section>
        </Page>
    );
}
