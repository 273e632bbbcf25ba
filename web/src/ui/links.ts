import type { Location } from "react-router-dom";

function member(location: Location, name: string): string | null {
    const state: unknown = location.state;
    const value: unknown = typeof state === "object" && state !== null ? Reflect.get(state, name) : null;
    return typeof value === "string" ? value : null;
}

/** The page that a stranger wanted to see. */
export const cameFrom = (location: Location): string | null => member(location, "from");

/** The name of the account that has just been made. */
export const newAccount = (location: Location): string | null => member(location, "account");
