import { fileURLToPath } from "node:url";

import js from "@eslint/js";
import a11y from "eslint-plugin-jsx-a11y";
import hooks from "eslint-plugin-react-hooks";
import ts from "typescript-eslint";

const root = fileURLToPath(new URL(".", import.meta.url));

export default ts.config(
    { ignores: ["dist", "docs", "node_modules", "eslint.config.js"] },
    js.configs.recommended,
    ts.configs.strictTypeChecked,
    { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } } },
    a11y.flatConfigs.strict,
    hooks.configs.flat.recommended,
    {
        rules: {
            "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
            "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
        },
    },
);
