import { Link, useLocation } from "react-router-dom";

import { useSubject, type Why } from "../auth";
import { auth } from "../session";
import { Field, Form } from "../ui/form";
import { newAccount } from "../ui/links";
import { Notice } from "../ui/notice";
import { Page } from "../ui/page";

const GOODBYES: Record<Why, string | null> = {
    none: null,
    logged_out: "You are logged out.",
    elsewhere: "You logged out in another tab.",
    ended: "Your session has ended. Log in to go on.",
    deleted: "Your account and its sessions are gone.",
};

export function Login() {
    const location = useLocation();
    const state = useSubject(auth);
    const account = newAccount(location);
    const goodbye = state.status === "out" ? GOODBYES[state.why] : null;
    const news = account === null ? goodbye : "Your account is ready. Log in to begin.";
    return (
        <Page title="Log in">
            <div role="status">{news && <Notice kind="good">{news}</Notice>}</div>
            <Form
                label="Log in" submit="Log in"
                action={({ identifier = "", password = "" }) => auth.login(identifier, password)}
            >
                <Field name="identifier" label="Username or e-mail" autoComplete="username" required defaultValue={account ?? ""} />
                <Field name="password" label="Password" type="password" autoComplete="current-password" required />
            </Form>
            <p className="aside">No account yet? <Link to="/register">Register</Link></p>
        </Page>
    );
}
