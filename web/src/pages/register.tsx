import { Link, useNavigate } from "react-router-dom";

import { ApiError } from "../auth";
import { auth } from "../session";
import { Field, Form } from "../ui/form";
import { Page } from "../ui/page";

export function Register() {
    const navigate = useNavigate();
    const register = async ({ username = "", email = "", password = "" }): Promise<void> => {
        const name = username || email;
        if (name === "") {
            const detail = "is required";
            throw new ApiError("invalid_input", "", 422, [{ field: "username", code: "one_of_two", detail }]);
        }
        await auth.register({ ...(username && { username }), ...(email && { email }), password });
        try {
            await auth.login(name, password);
        } catch {
            /* The account is there all the same. */
            navigate("/login", { state: { account: name } });
        }
    };
    return (
        <Page title="Register" lead="A username, an e-mail address, or both.">
            <Form label="Register" submit="Make an account" action={register}>
                <Field name="username" label="Username" autoComplete="username" hint="Letters, digits, and . _ -" />
                <Field name="email" label="E-mail" type="email" autoComplete="email" />
                <Field
                    name="password" label="Password" type="password" autoComplete="new-password" required
                    hint="The longer the better; a few words do well."
                />
            </Form>
            <p className="aside">Have an account? <Link to="/login">Log in</Link></p>
        </Page>
    );
}
