import type { ReactNode } from "react";

import { Alert, Check } from "./icons";

type Kind = "error" | "wait" | "good";

export function Notice({ kind, children }: { kind: Kind; children: ReactNode }) {
    return (
        <div className={`notice ${kind}`}>
            {kind === "good" ? <Check /> : <Alert />}
            <div>{children}</div>
        </div>
    );
}
