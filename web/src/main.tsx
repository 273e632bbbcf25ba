import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router-dom";

import { App } from "./app";
import { auth } from "./session";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/pages.css";
import { applyTheme } from "./ui/theme";

applyTheme();
void auth.restore();

const root = document.getElementById("root");
if (root) {
    createRoot(root).render(
        <StrictMode>
            <BrowserRouter basename={import.meta.env.BASE_URL}>
                <App />
            </BrowserRouter>
        </StrictMode>,
    );
}
