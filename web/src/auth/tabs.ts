/* The tabs of one browser, which share one session: what one does alone, and what they tell each other. */

import type { Why } from "./types";

export type Message =
    | { type: "token"; token: string } /* here is the newest */
    | { type: "out"; why: Why }; /* the session is over */

export interface Tabs {
    /** Runs `work` while no other tab does; all tabs queue for it. */
    alone<T>(work: () => Promise<T>): Promise<T>;
    tell(message: Message): void;
    hear(listener: (message: Message) => void): void;
}

/** Without Web Locks (old browsers) two tabs may refresh at once, which Doorward's REFRESH_GRACE makes harmless. */
export function openTabs(name: string): Tabs {
    const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(name) : null;
    const locks: LockManager | undefined = (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
    return {
        async alone<T>(work: () => Promise<T>): Promise<T> {
            if (!locks) {
                return work();
            }
            return (await locks.request(name, async () => {
                /* What the tab before us told is delivered first. */
                await new Promise((resolve) => setTimeout(resolve));
                return work();
            })) as T;
        },
        tell: (message) => channel?.postMessage(message),
        hear: (listener) =>
            channel?.addEventListener("message", (event: MessageEvent<Message>) => {
                listener(event.data);
            }),
    };
}
