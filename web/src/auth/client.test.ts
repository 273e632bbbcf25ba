/* The client against a server that answers as Doorward does; the browser tests (tests/web) have the real one. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, expect, test } from "vitest";

import { Auth } from "./client";
import { ApiError } from "./problem";
import type { Message, Tabs } from "./tabs";

interface Answer {
    status: number;
    body?: object;
    headers?: Record<string, string>;
}

const DEAD: Answer = { status: 0 }; /* the connection is cut instead of an answer */
const REFUSED: Answer = { status: 401, body: { code: "invalid_refresh_token", detail: "no" } };

let server: Server;
let url: string;
let good: string; /* the access token that the server takes */
let serial = 0;
let count: Record<string, number>;
let scripted: Record<string, Answer[]>; /* by path: given in this order before the usual answers */

function tokenOf(account: string, number: number): string {
    return `h.${Buffer.from(JSON.stringify({ sub: account, number })).toString("base64url")}.s`;
}
function tokens(): Answer {
    good = tokenOf("ann", ++serial);
    return { status: 200, body: { access_token: good, expires_in: 1, refresh_expires_in: 9 } };
}
function usual(request: IncomingMessage): Answer {
    switch (request.url) {
        case "/healthz":
            return { status: 200, body: { status: "ok" } };
        case "/login":
        case "/refresh-token":
            return tokens();
        case "/logout":
            return { status: 204 };
        default:
            return request.headers.authorization === `Bearer ${good}`
                ? { status: 200, body: { user: {} } }
                : { status: 401, body: { code: "token_expired", detail: "It has expired." } };
    }
}

/** Tabs of one browser, in one process. */
function browser(): () => Tabs {
    const listeners: ((message: Message) => void)[][] = [];
    let last: Promise<unknown> = Promise.resolve();
    return () => {
        const own: ((message: Message) => void)[] = [];
        listeners.push(own);
        return {
            alone: (work) => {
                const mine = last.then(work);
                last = mine.catch(() => null);
                return mine;
            },
            tell: (message) => listeners.filter((tab) => tab !== own).flat().forEach((listener) => listener(message)),
            hear: (listener) => own.push(listener),
        };
    };
}

beforeEach(async () => {
    count = {};
    scripted = {};
    server = createServer((request, response) => {
        const path = request.url ?? "";
        const answer = scripted[path]?.shift() ?? usual(request);
        count[path] = (count[path] ?? 0) + 1;
        request.resume().on("end", () => {
            if (answer.status === 0) {
                request.socket.destroy();
                return;
            }
            response.writeHead(answer.status, { "Content-Type": "application/json", ...answer.headers });
            response.end(answer.body && JSON.stringify(answer.body));
        });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
    server.closeAllConnections();
    server.close();
});

async function loggedIn(tabs: Tabs = browser()()): Promise<Auth> {
    const auth = new Auth({ baseURL: url, tabs });
    await auth.login("ann", "secret");
    return auth;
}
const failure = async (promise: Promise<unknown>): Promise<ApiError> =>
    promise.then(
        () => expect.fail("it did not fail"),
        (error: unknown) => error as ApiError,
    );

test("ten requests whose token has expired share one refresh, and all succeed", async () => {
    const auth = await loggedIn();
    good = "another";
    const answers = await Promise.all(Array.from({ length: 10 }, () => auth.http.get("/profile")));
    expect(answers.map((answer) => answer.status)).toEqual(Array(10).fill(200));
    expect(count["/refresh-token"]).toBe(1);
});

test("two tabs share one refresh", async () => {
    const open = browser();
    const [one, two] = [await loggedIn(open()), new Auth({ baseURL: url, tabs: open() })];
    await two.restore();
    good = "another";
    count = {};
    await Promise.all([one.http.get("/profile"), two.http.get("/profile")]);
    expect(count["/refresh-token"]).toBe(1);
});

test("a request is repeated once only, then fails without ending the session", async () => {
    const auth = await loggedIn();
    const expired = { status: 401, body: { code: "token_expired", detail: "It has expired." } };
    scripted["/profile"] = [expired, expired];
    expect((await failure(auth.http.get("/profile"))).code).toBe("token_expired");
    expect([count["/profile"], count["/refresh-token"]]).toEqual([2, 1]);
    expect(auth.get().status).toBe("in");
    expect((await auth.http.get("/profile")).status).toBe(200);
});

test.each([401, 422])("%i to a refresh ends the session, in every tab", async (status) => {
    const open = browser();
    const [one, two] = [await loggedIn(open()), new Auth({ baseURL: url, tabs: open() })];
    await two.restore();
    good = "another";
    scripted["/refresh-token"] = [{ ...REFUSED, status }];
    await failure(one.http.get("/profile"));
    expect([one.get(), two.get()]).toEqual(Array(2).fill({ status: "out", why: "ended" }));
});

test.each([503, 429, 500])("%i to a refresh is waited out as long as it asks", async (status) => {
    const auth = await loggedIn();
    good = "another";
    scripted["/refresh-token"] = [
        { status, body: { code: "overloaded", detail: "Later." }, headers: { "Retry-After": "60" } },
    ];
    const kinds: unknown[] = [];
    auth.connection.subscribe(() => kinds.push(auth.connection.get()?.kind));
    const answer = auth.http.get("/profile");
    await expect.poll(() => auth.connection.get()?.kind).toBe("busy");
    auth.connection.tryNow();
    expect((await answer).status).toBe(200);
    expect(count["/refresh-token"]).toBe(2);
    expect(kinds.at(-1)).toBeUndefined();
});

test("a refresh whose answer was lost is repeated", async () => {
    const auth = await loggedIn();
    good = "another";
    scripted["/refresh-token"] = [DEAD];
    expect((await auth.http.get("/profile")).status).toBe(200);
    expect(auth.get().status).toBe("in");
});

test("a request without an answer fails as unreachable, and the service is probed until it is back", async () => {
    const auth = await loggedIn();
    scripted["/profile"] = [DEAD];
    scripted["/healthz"] = [DEAD, DEAD]; /* the probe asks twice: with CORS and without */
    expect((await failure(auth.http.get("/profile"))).code).toBe("unreachable");
    expect(auth.connection.get()?.kind).toBe("unreachable");
    await expect.poll(() => auth.connection.get()).toBeNull();
    expect(count["/healthz"]).toBe(3);
});

test("an address where something else answers is told", async () => {
    const page = { status: 200, headers: { "Content-Type": "text/html" } };
    scripted["/login"] = [page];
    scripted["/healthz"] = [page];
    const auth = new Auth({ baseURL: url, tabs: browser()() });
    expect((await failure(auth.login("ann", "secret"))).code).toBe("not_doorward");
    await expect.poll(() => auth.connection.get()?.kind).toBe("not_doorward");
});

test("a logout ends the session in every tab, and a late refresh does not bring it back", async () => {
    const open = browser();
    const [one, two] = [await loggedIn(open()), new Auth({ baseURL: url, tabs: open() })];
    await two.restore();
    good = "another";
    const late = failure(two.http.get("/profile"));
    await one.logout();
    await late;
    expect(one.get()).toEqual({ status: "out", why: "logged_out" });
    expect(two.get().status).toBe("out");
});

test("a request of one account is not repeated as another", async () => {
    const auth = await loggedIn();
    good = "another";
    scripted["/refresh-token"] = [
        { status: 200, body: { access_token: tokenOf("bob", 1), expires_in: 1, refresh_expires_in: 9 } },
    ];
    expect((await failure(auth.http.get("/profile"))).code).toBe("token_expired");
    expect(count["/profile"]).toBe(1);
});

test("errors come with their fields, and with the wait", async () => {
    const auth = new Auth({ baseURL: url, tabs: browser()() });
    const errors = [{ field: "email", code: "taken", detail: "is taken" }];
    scripted["/register"] = [
        { status: 409, body: { code: "user_exists", detail: "Taken.", errors } },
        { status: 503, body: { code: "overloaded", detail: "Later." }, headers: { "Retry-After": "7" } },
    ];
    expect((await failure(auth.register({ password: "x" }))).fields).toEqual(errors);
    expect((await failure(auth.register({ password: "x" }))).retryAfter).toBe(7);
});
