import { useState, type ReactNode } from "react";
import { Link, NavLink } from "react-router-dom";

import { toApiError, type ApiError } from "../auth";
import { auth } from "../session";
import { ConnectionNotice } from "./connection-notice";
import { Arches, Door, Exit, Moon, Sun } from "./icons";
import { Notice } from "./notice";
import { useTheme } from "./theme";
import { sayError } from "./words";

function ThemeButton() {
    const [theme, toggle] = useTheme();
    const other = theme === "dark" ? "light" : "dark";
    return (
        <button type="button" className="icon-button" aria-label={`Use the ${other} theme`} title={`Use the ${other} theme`} onClick={toggle}>
            {theme === "dark" ? <Sun /> : <Moon />}
        </button>
    );
}

function Brand() {
    return (
        <Link to="/" className="brand">
            <Door />
            <span>Doorward</span>
        </Link>
    );
}

const SkipLink = () => <a className="skip" href="#main">Skip to the content</a>;

/** Pages before the log-in: the form, and a view of the door where there is room. */
export function Outside({ children }: { children: ReactNode }) {
    return (
        <div className="outside">
            <SkipLink />
            <aside className="porch" aria-hidden="true">
                <Arches />
                <p className="porch-words">One door,<br />well kept.</p>
            </aside>
            <div className="outside-side">
                <header className="outside-head"><Brand /><ThemeButton /></header>
                <ConnectionNotice />
                <main id="main" className="outside-main">{children}</main>
            </div>
        </div>
    );
}

/** Until it is known whether somebody is logged in. */
export function Waiting() {
    return (
        <div className="waiting">
            <ConnectionNotice />
            <main id="main" aria-busy="true">
                <h1 className="unseen">Doorward</h1>
                <Door />
                <p className="unseen">Loading</p>
            </main>
        </div>
    );
}

const PAGES = [
    ["/profile", "Profile"],
    ["/sessions", "Sessions"],
    ["/password", "Password"],
] as const;

/** Pages of one who is logged in. */
export function Inside({ children }: { children: ReactNode }) {
    const [failure, setFailure] = useState<ApiError | null>(null);
    const leave = async (): Promise<void> => {
        setFailure(null);
        try {
            await auth.logout();
        } catch (error) {
            setFailure(toApiError(error));
        }
    };
    return (
        <div className="inside">
            <SkipLink />
            <header className="inside-head">
                <div className="inside-bar">
                    <Brand />
                    <nav aria-label="Account">
                        {PAGES.map(([path, name]) => <NavLink key={path} to={path}>{name}</NavLink>)}
                    </nav>
                    <div className="inside-tools">
                        <ThemeButton />
                        <button type="button" className="button quiet leave" onClick={() => void leave()}>
                            <Exit /><span>Log out</span>
                        </button>
                    </div>
                </div>
            </header>
            <ConnectionNotice />
            <main id="main" className="inside-main">
                <div role="alert">
                    {failure && <Notice kind="error">You are still logged in. {sayError(failure)}</Notice>}
                </div>
                {children}
            </main>
        </div>
    );
}
