import { Link } from "react-router-dom";

import type { User } from "../auth";
import { Show, useLoad } from "../ui/load";
import { Page } from "../ui/page";
import { sayDate } from "../ui/words";

export function Profile() {
    const loaded = useLoad<{ user: User }>("/profile");
    return (
        <Page title="Profile" lead="What Doorward knows about you.">
            <Show loaded={loaded}>{({ user }) => <Account user={user} />}</Show>
        </Page>
    );
}

function Account({ user }: { user: User }) {
    const name = user.username ?? user.email ?? "";
    return (
        <>
            <section className="card person" aria-label="Account">
                <div className="person-head">
                    <span className="monogram" aria-hidden="true">{name.slice(0, 1).toUpperCase()}</span>
                    <div>
                        <h2>{name}</h2>
                        <p>Since <time dateTime={user.created_at}>{sayDate(user.created_at)}</time></p>
                    </div>
                </div>
                <dl className="facts">
                    <Fact name="Username">{user.username ?? <span className="none">none</span>}</Fact>
                    <Fact name="E-mail">{user.email ?? <span className="none">none</span>}</Fact>
                    <Fact name="Roles">
                        {user.roles.length === 0 ? <span className="none">none</span> : user.roles.map((role) => <span key={role} className="tag">{role}</span>)}
                    </Fact>
                    <Fact name="Last change"><time dateTime={user.updated_at}>{sayDate(user.updated_at)}</time></Fact>
                    <Fact name="Id"><code>{user.id}</code></Fact>
                </dl>
            </section>
            <section className="card row" aria-labelledby="leaving">
                <div>
                    <h2 id="leaving">Delete account</h2>
                    <p>Your account and all its sessions, for good.</p>
                </div>
                <Link className="button quiet danger" to="/delete">Delete account…</Link>
            </section>
        </>
    );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
    return <div><dt>{name}</dt><dd>{children}</dd></div>;
}
