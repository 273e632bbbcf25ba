/* A value that can be watched; made for React's useSyncExternalStore. */
export class Subject<T> {
    #value: T;
    readonly #listeners = new Set<() => void>();

    constructor(value: T) {
        this.#value = value;
    }

    readonly get = (): T => this.#value;

    readonly subscribe = (listener: () => void): (() => void) => {
        this.#listeners.add(listener);
        return () => {
            this.#listeners.delete(listener);
        };
    };

    protected set(value: T): void {
        this.#value = value;
        for (const listener of this.#listeners) {
            listener();
        }
    }
}
