/* The one client of these pages; index.html says where the API is and where the refresh token is kept. */
import { Auth } from "./auth";

function setting(name: string): string {
    return document.querySelector<HTMLMetaElement>(`meta[name="doorward-${name}"]`)?.content.trim() ?? "";
}

export const apiURL = setting("api").replace(/\/+$/, "");

export const auth = new Auth({ baseURL: apiURL, keep: setting("keep") === "storage" ? "storage" : "cookie" });
