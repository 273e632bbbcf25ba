import { Link } from "react-router-dom";

import { Page } from "../ui/page";

export function NotFound() {
    return (
        <Page title="Nothing here" lead="This address leads to no page.">
            <p><Link className="button" to="/">To the start</Link></p>
        </Page>
    );
}
