/* What errors, waits and instants are called on the pages. */
import type { ApiError, FieldError, TroubleKind } from "../auth";
import { apiURL } from "../session";

export const serviceName = apiURL === "" ? location.host : new URL(apiURL, location.href).host;

const ERRORS: Partial<Record<string, string>> = {
    invalid_credentials: "That name and password do not belong together.",
    wrong_password: "This is not your password.",
    user_exists: "There is such an account already.",
    too_many_attempts: "There were too many attempts on this account.",
    overloaded: "Doorward is busy just now.",
    store_unavailable: "Doorward cannot reach its data just now.",
    unavailable: "Doorward is not available just now.",
    internal: "Something went wrong inside Doorward.",
    unreachable: "There was no answer. Try again once the service is back.",
    not_doorward: "The answer did not come from Doorward. Try again once it is back.",
};

export function sayError(error: ApiError): string {
    return ERRORS[error.code] ?? error.message;
}

export function sayField(error: FieldError, label: string): string {
    switch (error.code) {
        case "required":
            return `Enter your ${label.toLowerCase()}.`;
        case "one_of_two":
            return "Enter a username or an e-mail address.";
        case "wrong_password":
            return error.detail;
        case "taken":
            return `This ${label.toLowerCase()} is taken.`;
        default:
            return `${label} ${error.detail}.`;
    }
}

export function sayTrouble(kind: TroubleKind): { title: string; text: string } {
    switch (kind) {
        case "unreachable":
            return {
                title: `No answer from ${serviceName}`,
                text: "It may be down, its address may be wrong, or its certificate may have expired.",
            };
        case "refused":
            return {
                title: `${serviceName} does not accept this page`,
                text: `It answers, but not to pages from ${location.origin}: its setting CORS_ORIGINS has to name them.`,
            };
        case "not_doorward":
            return { title: `This is not Doorward`, text: `Something else answers at ${serviceName}. Is the address right?` };
        case "busy":
            return { title: "Doorward is busy", text: "It asked for a little time. You stay logged in." };
    }
}

export function sayWait(seconds: number): string {
    if (seconds < 60) {
        return `${seconds} s`;
    }
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
}

const dates = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const spans = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
];

export const sayDate = (instant: string): string => dates.format(new Date(instant));

export function sayAgo(instant: string, now = Date.now()): string {
    const past = now - Date.parse(instant);
    const [unit, length] = UNITS.find(([, ms]) => past >= ms) ?? ["second", 0];
    return length === 0 ? "just now" : spans.format(-Math.floor(past / length), unit);
}

/* In this order: most browsers also claim to be the ones behind them. */
const BROWSERS: [RegExp, string][] = [
    [/Edg(e|A|iOS)?\//, "Edge"],
    [/OPR\//, "Opera"],
    [/Firefox\/|FxiOS\//, "Firefox"],
    [/Chrome\/|Chromium\/|CriOS\//, "Chrome"],
    [/Safari\//, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
    [/Android/, "Android"],
    [/iPhone|iPad/, "iOS"],
    [/Windows/, "Windows"],
    [/Mac OS X/, "macOS"],
    [/CrOS/, "ChromeOS"],
    [/Linux/, "Linux"],
];

/** A browser and its system by name; of another client, what it calls itself. */
export function sayAgent(agent: string): string {
    const name = (table: [RegExp, string][]) => table.find(([pattern]) => pattern.test(agent))?.[1];
    const browser = name(BROWSERS);
    const system = name(SYSTEMS);
    if (browser && system) {
        return `${browser} on ${system}`;
    }
    return browser ?? (agent.split(" ")[0] || "Unknown client");
}
