import { useEffect, useState } from "react";

import { sayWait } from "./words";

const TICK_MS = 250;

/** Whole seconds until then; 0 when it is over. */
export function useSecondsUntil(until: number): number {
    const [now, setNow] = useState(() => Date.now());
    const over = now >= until;
    useEffect(() => {
        if (over) {
            return undefined;
        }
        const timer = setInterval(() => setNow(Date.now()), TICK_MS);
        return () => clearInterval(timer);
    }, [over, until]);
    return Math.max(0, Math.ceil((until - now) / 1000));
}

/** Seen every second, but read out only once. */
export function Countdown({ before, seconds }: { before: string; seconds: number }) {
    const [first] = useState(seconds);
    return (
        <span className="countdown">
            <span aria-hidden="true">{before} {sayWait(seconds)}</span>
            <span className="unseen">{before} {sayWait(first)}</span>
        </span>
    );
}
