/* Where the refresh token is between two refreshes. The access token is only ever in memory. */

/** cookie:  HttpOnly, so no script can read it. Needs pages and API on one site, and HTTPS.
 *  storage: local storage. Works across sites, but a script that gets into the page (XSS) can carry the session away. */
export type Keep = "cookie" | "storage";

const NAME = "doorward.refresh_token";

export const kept = {
    get: (): string | null => localStorage.getItem(NAME),
    set: (token: string): void => localStorage.setItem(NAME, token),
    drop: (): void => localStorage.removeItem(NAME),
};
