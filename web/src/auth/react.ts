/* For React: components that follow the client. */
import { useSyncExternalStore } from "react";

import type { Subject } from "./subject";

export function useSubject<T>(subject: Subject<T>): T {
    return useSyncExternalStore(subject.subscribe, subject.get);
}
