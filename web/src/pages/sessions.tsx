import { useState } from "react";

import { toApiError, type ApiError, type Session } from "../auth";
import { auth } from "../session";
import { Phone, Screen, Terminal } from "../ui/icons";
import { Show, useLoad } from "../ui/load";
import { Notice } from "../ui/notice";
import { Page } from "../ui/page";
import { sayAgent, sayAgo, sayDate, sayError, sayWait } from "../ui/words";

type Result = { good: string } | { failure: ApiError } | null;

export function Sessions() {
    const loaded = useLoad<{ sessions: Session[] }>("/sessions");
    const [result, setResult] = useState<Result>(null);

    const end = async (request: () => Promise<unknown>, good: string): Promise<void> => {
        try {
            await request();
            setResult({ good });
        } catch (thrown) {
            const failure = toApiError(thrown);
            /* 404: it has ended meanwhile, which is as well. */
            setResult(failure.status === 404 ? { good } : { failure });
        }
        loaded.reload();
    };

    return (
        <Page title="Sessions" lead="Where you are logged in. End any that you do not know.">
            <ResultNotice result={result} />
            <Show loaded={loaded}>
                {({ sessions }) => (
                    <SessionList
                        sessions={sessions}
                        onEnd={(session) => end(() => auth.http.delete(`/sessions/${session.id}`), `Ended: ${sayAgent(session.user_agent)}.`)}
                        onEndOthers={() => end(() => auth.http.post("/logout?scope=others"), "All other sessions have ended.")}
                    />
                )}
            </Show>
        </Page>
    );
}

function ResultNotice({ result }: { result: Result }) {
    return (
        <>
            <div role="status">{result && "good" in result && <Notice kind="good">{result.good}</Notice>}</div>
            <div role="alert">
                {result && "failure" in result && (
                    <Notice kind="error">
                        {sayError(result.failure)}
                        {result.failure.retryAfter !== null && ` Try again in ${sayWait(result.failure.retryAfter)}.`}
                    </Notice>
                )}
            </div>
        </>
    );
}

interface ListProps {
    sessions: Session[];
    onEnd: (session: Session) => Promise<void>;
    onEndOthers: () => Promise<void>;
}

function SessionList({ sessions, onEnd, onEndOthers }: ListProps) {
    const current = sessions.filter((session) => session.current);
    const others = sessions
        .filter((session) => !session.current)
        .sort((a, b) => b.last_used_at.localeCompare(a.last_used_at));
    return (
        <>
            <section aria-labelledby="here">
                <h2 id="here">This session</h2>
                <ul className="card list">{current.map((session) => <Entry key={session.id} session={session} />)}</ul>
            </section>
            <section aria-labelledby="others">
                <div className="section-head">
                    <h2 id="others">Other sessions <span className="count">{others.length}</span></h2>
                    {others.length > 0 && <EndButton label="End all" about="others" onEnd={onEndOthers} />}
                </div>
                {others.length === 0 && <p className="card nothing">You are logged in nowhere else.</p>}
                {others.length > 0 && (
                    <ul className="card list">
                        {others.map((session) => <Entry key={session.id} session={session} onEnd={() => onEnd(session)} />)}
                    </ul>
                )}
            </section>
        </>
    );
}

function AgentIcon({ agent }: { agent: string }) {
    if (!agent.startsWith("Mozilla/")) {
        return <Terminal />;
    }
    return /Mobile|Android|iPhone/.test(agent) ? <Phone /> : <Screen />;
}

function Entry({ session, onEnd }: { session: Session; onEnd?: () => Promise<void> }) {
    const agent = sayAgent(session.user_agent);
    const seen = sayAgo(session.last_used_at);
    return (
        <li className={session.current ? "session current" : "session"}>
            <span className="session-icon"><AgentIcon agent={session.user_agent} /></span>
            <div>
                <p className="session-name" title={session.user_agent}>{agent}</p>
                <p className="session-facts">
                    <span>{session.ip}</span>
                    <time dateTime={session.last_used_at} title={sayDate(session.last_used_at)}>used {seen}</time>
                    <time className="session-began" dateTime={session.created_at}>began {sayDate(session.created_at)}</time>
                </p>
            </div>
            {onEnd && <EndButton label="End" about={`${agent}, ${session.ip}, used ${seen}`} onEnd={onEnd} />}
        </li>
    );
}

function EndButton({ label, about, onEnd }: { label: string; about?: string; onEnd: () => Promise<void> }) {
    const [busy, setBusy] = useState(false);
    const click = async (): Promise<void> => {
        if (!busy) {
            setBusy(true);
            await onEnd();
            setBusy(false);
        }
    };
    return (
        <button type="button" className="button quiet" aria-disabled={busy} aria-label={about ? `${label} ${about}` : label} onClick={() => void click()}>
            {label}
        </button>
    );
}
