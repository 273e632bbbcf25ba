/* What a page shows comes from the service, which may ask to wait or be away: it is then loaded again by itself. */
import { useCallback, useEffect, useState, type ReactNode } from "react";

import { toApiError, useSubject, type ApiError } from "../auth";
import { auth } from "../session";
import { Countdown, useSecondsUntil } from "./countdown";
import { Notice } from "./notice";
import { sayError } from "./words";

/* Once the service is back; not at once, since it may be only this request that never gets an answer. */
const AWAY_S = 1;

export interface Loaded<T> {
    data: T | null;
    failure: { error: ApiError; until: number } | null;
    reload: () => void;
}

export function useLoad<T>(path: string): Loaded<T> {
    const [data, setData] = useState<T | null>(null);
    const [failure, setFailure] = useState<Loaded<T>["failure"]>(null);
    const [round, setRound] = useState(0);
    const away = useSubject(auth.connection) !== null;
    const reload = useCallback(() => setRound((n) => n + 1), []);

    useEffect(() => {
        let gone = false;
        const load = async (): Promise<void> => {
            try {
                const answer = await auth.http.get<T>(path);
                if (!gone) {
                    setData(answer.data);
                    setFailure(null);
                }
            } catch (thrown) {
                const error = toApiError(thrown);
                if (!gone) {
                    const wait = error.retryAfter ?? (error.isAway ? AWAY_S : null);
                    setFailure({ error, until: wait === null ? 0 : Date.now() + wait * 1000 });
                }
            }
        };
        void load();
        return () => {
            gone = true;
        };
    }, [path, round]);

    useEffect(() => {
        if (!failure || away) {
            return undefined;
        }
        if (failure.until === 0) {
            return undefined;
        }
        const timer = setTimeout(reload, Math.max(0, failure.until - Date.now()));
        return () => clearTimeout(timer);
    }, [failure, away, reload]);

    return { data, failure, reload };
}

/** The loaded thing, or why it is not there yet. */
export function Show<T>({ loaded, children }: { loaded: Loaded<T>; children: (data: T) => ReactNode }) {
    const { data, failure } = loaded;
    return (
        <>
            <div role="alert">{failure && failure.error.status !== 401 && <Failure failure={failure} />}</div>
            {data !== null && children(data)}
            {data === null && !failure && <div className="skeleton" aria-busy="true"><span className="unseen">Loading</span></div>}
        </>
    );
}

function Failure({ failure }: { failure: { error: ApiError; until: number } }) {
    const seconds = useSecondsUntil(failure.until);
    return (
        <Notice kind={failure.until > 0 ? "wait" : "error"}>
            {failure.error.isAway ? "This page fills itself once the service is back." : sayError(failure.error)}{" "}
            {seconds > 0 && !failure.error.isAway && <Countdown key={failure.until} before="Next try in" seconds={seconds} />}
        </Notice>
    );
}
