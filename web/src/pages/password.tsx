import { useState } from "react";

import type { User } from "../auth";
import { auth } from "../session";
import { AccountName, Field, Form } from "../ui/form";
import { useLoad } from "../ui/load";
import { Notice } from "../ui/notice";
import { Page } from "../ui/page";

export function Password() {
    const { data } = useLoad<{ user: User }>("/profile");
    const [changes, setChanges] = useState(0);
    const change = async ({ current_password = "", new_password = "" }): Promise<void> => {
        await auth.http.post("/password", { current_password, new_password });
        setChanges((n) => n + 1);
    };
    return (
        <Page title="Password" lead="A new password ends your other sessions.">
            <div role="status">
                {changes > 0 && <Notice kind="good">Your password is changed. All other sessions have ended.</Notice>}
            </div>
            <section className="card" aria-label="Change the password">
                {/* A form anew after each change, with nothing in it. */}
                <Form
                    key={changes} label="Change the password" submit="Change password" action={change}
                    at={{ wrong_password: "current_password" }}
                >
                    <AccountName name={data?.user.username ?? data?.user.email ?? ""} />
                    <Field name="current_password" label="Current password" type="password" autoComplete="current-password" required />
                    <Field
                        name="new_password" label="New password" type="password" autoComplete="new-password" required
                        hint="The longer the better; a few words do well."
                    />
                </Form>
            </section>
        </Page>
    );
}
