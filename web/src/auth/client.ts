/* The reference client: one session in one browser, whatever the tabs do.
 *
 *            login, or a refresh that works               logout here or in another tab, or 401 to a refresh
 *   unknown ---------------------------------> in ----------------------------------------------------> out
 *      '------- 401 to the first refresh -------------------------------------------------------------->'
 *
 * Only a 401 to a refresh ends a session. A request that is refused again after its refresh fails, and that is all: on a slow
 * link the new token may have come too late. When the service is busy (429, 503) or away, the refresh is repeated after the
 * wait that it asked for, everybody who needs a token waits with it, and `connection` tells the page for how long. */
import axios, { type AxiosInstance, type InternalAxiosRequestConfig } from "axios";

import { Connection, pauseOf } from "./connection";
import { kept, type Keep } from "./keep";
import { ApiError, isAlien, NOT_DOORWARD, toApiError } from "./problem";
import { Subject } from "./subject";
import { openTabs, type Tabs } from "./tabs";
import { subjectOf, type Tokens, type User, type Why } from "./types";

export type State =
    | { status: "unknown" } /* until the first refresh is answered */
    | { status: "in"; account: string }
    | { status: "out"; why: Why };

export interface AuthOptions {
    /** Empty: the page's own origin. */
    baseURL?: string;
    keep?: Keep;
    tabs?: Tabs;
}

export interface Registration {
    username?: string;
    email?: string;
    password: string;
}

declare module "axios" {
    interface InternalAxiosRequestConfig {
        /** The access token that the request went out with. */
        sentToken?: string;
        isRetry?: boolean;
    }
}

const TIMEOUT_MS = 30_000;
const STALE = new Set(["missing_token", "invalid_token", "token_expired", "token_revoked"]);

export class Auth extends Subject<State> {
    /** For requests of the one who is logged in. Fails with ApiError. */
    readonly http: AxiosInstance;
    readonly connection: Connection;
    readonly #plain: AxiosInstance;
    readonly #keep: Keep;
    readonly #tabs: Tabs;
    #token: string | null = null;
    #refreshing: Promise<string> | null = null;

    constructor({ baseURL = "", keep = "cookie", tabs = openTabs("doorward") }: AuthOptions = {}) {
        super({ status: "unknown" });
        this.#keep = keep;
        this.#tabs = tabs;
        this.connection = new Connection(baseURL);
        this.#plain = axios.create({ baseURL, timeout: TIMEOUT_MS, withCredentials: keep === "cookie" });
        this.http = axios.create({ baseURL, timeout: TIMEOUT_MS });
        this.http.interceptors.request.use((config) => this.#authorize(config));
        for (const instance of [this.#plain, this.http]) {
            instance.interceptors.response.use((response) => {
                if (isAlien(response)) {
                    return this.#failed(new ApiError(NOT_DOORWARD, "What answers at this address is not Doorward."));
                }
                this.connection.fine();
                return response;
            }, (error: unknown) => this.#failed(error));
        }
        tabs.hear((message) => {
            if (message.type === "token") {
                this.#enter(message.token);
                this.connection.tryNow();
            } else {
                this.#leave(message.why === "logged_out" ? "elsewhere" : message.why);
            }
        });
    }

    // ---- what pages call

    /** Once, when the page loads: is somebody logged in? Resolves when that is known. */
    async restore(): Promise<void> {
        if (this.#keep === "storage" && kept.get() === null) {
            this.#leave("none");
            return;
        }
        try {
            await this.#refresh(null);
        } catch {
            if (this.get().status === "unknown") {
                this.#leave("none");
            }
        }
    }

    /** `identifier`: a username or an e-mail address. */
    async login(identifier: string, password: string): Promise<void> {
        const cookie = this.#keep === "cookie" ? { cookie: true } : {};
        const answer = await this.#tabs.alone(() =>
            this.#plain.post<Tokens>("/login", { identifier, password, ...cookie }),
        );
        this.#accept(answer.data);
    }

    async register(registration: Registration): Promise<User> {
        return (await this.#plain.post<{ user: User }>("/register", registration)).data.user;
    }

    /** Fails, and changes nothing, when the service cannot be told. */
    async logout(): Promise<void> {
        const token = this.#keep === "storage" ? kept.get() : null;
        /* Not while a refresh is on its way: its new token would come back after the farewell. */
        await this.#tabs.alone(() => this.#plain.post("/logout", token === null ? undefined : { refresh_token: token }));
        this.#end("logged_out");
    }

    async deleteAccount(password: string): Promise<void> {
        await this.http.delete("/profile", { data: { password } });
        this.#end("deleted");
    }

    // ---- requests

    async #authorize(config: InternalAxiosRequestConfig): Promise<InternalAxiosRequestConfig> {
        const token = await (this.#refreshing ?? this.#token ?? this.#refresh(null));
        config.sentToken = token;
        config.headers.set("Authorization", `Bearer ${token}`);
        return config;
    }

    /** Every failure passes here: a stale token is renewed and the request repeated once, the rest becomes an ApiError. */
    async #failed(error: unknown): Promise<never> {
        const problem = toApiError(error);
        if (problem.isAway) {
            void this.connection.back();
        } else {
            this.connection.fine();
        }
        const config = axios.isAxiosError(error) ? error.config : undefined;
        if (problem.status !== 401 || !STALE.has(problem.code) || config?.sentToken === undefined || config.isRetry) {
            throw problem;
        }
        await this.#refresh(config.sentToken);
        const state = this.get();
        if (state.status !== "in" || state.account !== subjectOf(config.sentToken)) {
            throw problem; /* somebody else has logged in meanwhile: it was not his request */
        }
        return this.http.request<never, never>({ ...config, isRetry: true } as InternalAxiosRequestConfig);
    }

    // ---- refreshing

    /** A token other than `stale`: what another request or tab has got meanwhile, or a new one, fetched once for all. */
    #refresh(stale: string | null): Promise<string> {
        if (this.#token !== null && this.#token !== stale) {
            return Promise.resolve(this.#token);
        }
        this.#refreshing ??= this.#renew(stale).finally(() => {
            this.#refreshing = null;
        });
        return this.#refreshing;
    }

    async #renew(stale: string | null): Promise<string> {
        for (let tries = 0; ; tries++) {
            try {
                /* The lock is given back before a pause: another tab may have better luck. */
                return await this.#tabs.alone(() => this.#exchange(stale));
            } catch (error) {
                await this.#recover(toApiError(error), tries);
            }
        }
    }

    async #exchange(stale: string | null): Promise<string> {
        if (this.get().status === "out") {
            throw new ApiError("missing_token", "You are logged out.", 401);
        }
        if (this.#token !== null && this.#token !== stale) {
            return this.#token;
        }
        const body = this.#keep === "storage" ? { refresh_token: kept.get() ?? "" } : undefined;
        const answer = await this.#plain.post<Tokens>("/refresh-token", body);
        return this.#accept(answer.data);
    }

    /** Waits until another try makes sense; throws when none does. */
    async #recover(problem: ApiError, tries: number): Promise<void> {
        if (problem.isAway) {
            await this.connection.back();
            if (tries > 0) {
                await this.connection.pause("unreachable", pauseOf(tries));
            }
        } else if (problem.retryAfter !== null) {
            await this.connection.pause("busy", problem.retryAfter);
        } else {
            /* 422: the browser had no cookie to send. */
            if (problem.status === 401 || problem.status === 422) {
                this.#end(this.get().status === "unknown" ? "none" : "ended");
            }
            throw problem;
        }
    }

    // ---- coming and going

    #accept(tokens: Tokens): string {
        if (tokens.refresh_token !== undefined) {
            kept.set(tokens.refresh_token);
        }
        this.#tabs.tell({ type: "token", token: tokens.access_token });
        this.#enter(tokens.access_token);
        return tokens.access_token;
    }

    #enter(token: string): void {
        this.#token = token;
        const state = this.get();
        const account = subjectOf(token);
        if (state.status !== "in" || state.account !== account) {
            this.set({ status: "in", account });
        }
    }

    #leave(why: Why): void {
        this.#token = null;
        if (this.get().status !== "out") {
            this.set({ status: "out", why });
        }
        this.connection.tryNow();
    }

    #end(why: Why): void {
        if (this.#keep === "storage") {
            kept.drop();
        }
        if (this.get().status === "in") {
            this.#tabs.tell({ type: "out", why });
        }
        this.#leave(why);
    }
}
