/* Whether the service can be reached, and when it is tried again.
 *
 *   fine -> in trouble (tell why, and until when nothing is tried) -> probe /healthz -> fine, or in trouble again */
import { NOT_DOORWARD } from "./problem";
import { Subject } from "./subject";

export type TroubleKind =
    | "unreachable" /* down, a wrong address, a certificate that the browser refuses */
    | "refused" /* it is there, but does not allow pages of this origin (CORS) */
    | typeof NOT_DOORWARD /* something else is there */
    | "busy"; /* it asked for time */

export interface Trouble {
    kind: TroubleKind;
    /** When the next try begins, in Date.now()'s milliseconds. */
    until: number;
}

/* The first tries fall within REFRESH_GRACE (10 s): a refresh whose answer was lost is repeated in time. */
const PAUSES_S = [1, 2, 4, 8, 15];
const PROBE_TIMEOUT_MS = 5000;

export function pauseOf(tries: number): number {
    return PAUSES_S[Math.min(tries, PAUSES_S.length - 1)] ?? 1;
}

async function answers(url: string, mode: RequestMode): Promise<Response | null> {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), PROBE_TIMEOUT_MS);
    try {
        return await fetch(url, { mode, cache: "no-store", credentials: "omit", signal: stop.signal });
    } catch {
        return null;
    } finally {
        clearTimeout(timer);
    }
}

/** What is wrong with the service at this address; null: nothing. */
export async function probe(baseURL: string): Promise<TroubleKind | null> {
    const url = `${baseURL}/healthz`;
    const answer = await answers(url, "cors");
    if (answer === null) {
        return baseURL !== "" && (await answers(url, "no-cors")) ? "refused" : "unreachable";
    }
    if (answer.status >= 500) {
        return "unreachable";
    }
    const body: unknown = await answer.json().catch(() => null);
    const isDoorward = typeof body === "object" && body !== null && "status" in body && body.status === "ok";
    return isDoorward ? null : NOT_DOORWARD;
}

export class Connection extends Subject<Trouble | null> {
    readonly #baseURL: string;
    #recovery: Promise<void> | null = null;
    readonly #sleepers = new Set<() => void>();

    constructor(baseURL: string) {
        super(null);
        this.#baseURL = baseURL;
    }

    /** A request got no answer: probes until there is one. All who ask wait for the same. */
    back(): Promise<void> {
        this.#recovery ??= this.#recover().finally(() => {
            this.#recovery = null;
        });
        return this.#recovery;
    }

    /** Nothing is tried for so long, and everybody may see why. */
    async pause(kind: TroubleKind, seconds: number): Promise<void> {
        this.set({ kind, until: Date.now() + seconds * 1000 });
        await new Promise<void>((resolve) => {
            const wake = (): void => {
                clearTimeout(timer);
                this.#sleepers.delete(wake);
                resolve();
            };
            const timer = setTimeout(wake, seconds * 1000);
            this.#sleepers.add(wake);
        });
    }

    /** Ends every pause. */
    readonly tryNow = (): void => {
        for (const wake of [...this.#sleepers]) {
            wake();
        }
    };

    /** The service has answered. While somebody still waits as it had asked, the trouble stays told. */
    readonly fine = (): void => {
        if (this.#recovery === null && this.#sleepers.size === 0 && this.get() !== null) {
            this.set(null);
        }
    };

    async #recover(): Promise<void> {
        if (this.get() === null) {
            this.set({ kind: "unreachable", until: Date.now() });
        }
        for (let tries = 0; ; tries++) {
            const kind = await probe(this.#baseURL);
            if (kind === null) {
                this.set(null);
                return;
            }
            await this.pause(kind, pauseOf(tries));
        }
    }
}
