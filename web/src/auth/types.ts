/* The answers that the client reads; clients ignore members that they do not know. openapi.yaml tells them all. */

/** Why nobody is logged in. */
export type Why =
    | "none" /* nobody was logged in */
    | "logged_out"
    | "elsewhere" /* logged out in another tab */
    | "ended" /* the service ended the session, or it was too old */
    | "deleted"; /* the account is gone */

export interface Tokens {
    access_token: string;
    expires_in: number;
    /** Absent when it goes by cookie. */
    refresh_token?: string;
    refresh_expires_in: number;
}

export interface User {
    id: string;
    username: string | null;
    email: string | null;
    roles: string[];
    created_at: string;
    updated_at: string;
}

export interface Session {
    id: string;
    created_at: string;
    last_used_at: string;
    expires_at: string;
    ip: string;
    user_agent: string;
    current: boolean;
}

/** Whose token it is; empty when it does not say. Only to tell accounts apart: a client cannot verify, and need not. */
export function subjectOf(token: string): string {
    const payload = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    try {
        const claims: unknown = JSON.parse(atob(payload));
        return typeof claims === "object" && claims !== null && "sub" in claims ? String(claims.sub) : "";
    } catch {
        return "";
    }
}
