import { useSubject, type Trouble } from "../auth";
import { auth } from "../session";
import { Countdown, useSecondsUntil } from "./countdown";
import { Alert } from "./icons";
import { sayTrouble } from "./words";

/** What keeps the service away, and when it is tried again. It goes by itself. */
export function ConnectionNotice() {
    const trouble = useSubject(auth.connection);
    return (
        <div role="status" className="connection">
            {trouble && <Story trouble={trouble} />}
        </div>
    );
}

function Story({ trouble }: { trouble: Trouble }) {
    const seconds = useSecondsUntil(trouble.until);
    const { title, text } = sayTrouble(trouble.kind);
    return (
        <div className="connection-story">
            <Alert />
            <p>
                <strong>{title}.</strong> {text}{" "}
                {seconds > 0 ? <Countdown key={trouble.until} before="Next try in" seconds={seconds} /> : "Trying…"}
            </p>
            <button type="button" className="button quiet" onClick={auth.connection.tryNow}>Try now</button>
        </div>
    );
}
