/* Light or dark: the system's choice until the button is pressed. */
import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark";

const NAME = "doorward.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function chosen(): Theme | null {
    const value = localStorage.getItem(NAME);
    return value === "light" || value === "dark" ? value : null;
}
function current(): Theme {
    return chosen() ?? (system.matches ? "dark" : "light");
}

export function applyTheme(): void {
    const choice = chosen();
    if (choice) {
        document.documentElement.dataset["theme"] = choice;
    }
}

function toggle(): void {
    localStorage.setItem(NAME, current() === "dark" ? "light" : "dark");
    applyTheme();
    listeners.forEach((listener) => listener());
}

function subscribe(listener: () => void): () => void {
    listeners.add(listener);
    system.addEventListener("change", listener);
    return () => {
        listeners.delete(listener);
        system.removeEventListener("change", listener);
    };
}

export function useTheme(): [Theme, () => void] {
    return [useSyncExternalStore(subscribe, current), toggle];
}
