import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/* `npm run dev` serves the pages beside a Doorward that runs, as if both were one origin. */
const service = process.env["DOORWARD_URL"] ?? "https://127.0.0.1:8443";
const routes = ["/register", "/login", "/refresh-token", "/logout", "/profile", "/password", "/sessions", "/healthz"];

export default defineConfig({
    base: "/app/",
    plugins: [react()],
    build: {
        outDir: process.env["WEB_OUT"] ?? "dist",
        emptyOutDir: true,
        target: "es2022",
        /* The policy allows no data: URLs, and the bundle needs no polyfill. */
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
    },
    server: { proxy: Object.fromEntries(routes.map((route) => [`^${route}`, { target: service, secure: false }])) },
    /* Nothing takes so long where the machine is not busy. */
    test: { include: ["src/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 60_000 } } },
});
