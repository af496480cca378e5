// Compares purser's token ids with those of the npm package tiktoken:
//
//     node tests/oracle/tokens.mjs [--quick] [--seed N]
//
// ENCODE is the program made from encode.c, PACKAGES the folder with node_modules in it. Each
// group of texts is compared in both encodings; the first difference is shown, made as short as
// it can be. The last line is "N passed, N failed". --quick takes a part of each group.
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { declaration } from "./languages.mjs";

const { ENCODE, PACKAGES } = process.env;
const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const { get_encoding } = createRequire(`${PACKAGES}/`)("tiktoken");
const { values: asked } = parseArgs({
    options: { quick: { type: "boolean", default: false }, seed: { type: "string", default: "1" } },
});
const BATCH_BYTES = 4 << 20;

// ---- the two tokenisers ----

function framed(texts) {
    return Buffer.concat(texts.flatMap((text) => {
        const size = Buffer.alloc(4);
        size.writeUInt32LE(text.length);
        return [size, text];
    }));
}

// Texts are buffers; each gives a Uint32Array of ids.
function purserEncode(encoding, texts) {
    const run = spawnSync(ENCODE, [encoding], { input: framed(texts), maxBuffer: 1 << 30 });
    if (run.status !== 0) throw new Error(`${ENCODE} ended with ${run.status}: ${run.stderr}`);
    const words = new Uint32Array(run.stdout.buffer, run.stdout.byteOffset, run.stdout.length / 4);
    let at = 0;
    return texts.map(() => {
        const begin = at + 1;
        at = begin + words[at];
        return words.subarray(begin, at);
    });
}

const references = Object.fromEntries(
    ["o200k_base", "cl100k_base"].map((name) => [name, get_encoding(name)]));

// Malformed bytes become U+FFFD in a JavaScript string, as WHATWG says.
const referenceEncode = (encoding, text) =>
    references[encoding].encode_ordinary(text.toString("utf8"));

const same = (a, b) => a.length === b.length && a.every((id, at) => id === b[at]);

const differs = (encoding, text) =>
    !same(purserEncode(encoding, [text])[0], referenceEncode(encoding, text));

// Cuts a text that differs, at both ends, as long as it differs.
function shortest(encoding, text) {
    for (let step = text.length >> 1; step >= 1; step >>= 1) {
        while (text.length > step && differs(encoding, text.subarray(step)))
            text = text.subarray(step);
        while (text.length > step && differs(encoding, text.subarray(0, -step)))
            text = text.subarray(0, -step);
    }
    return text;
}

// ---- the texts: each group yields buffers ----

// xorshift32: the same texts for the same seed.
let state = Number(asked.seed) | 1;
function random(below) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
}
const pick = (list) => list[random(list.length)];

function* codePoints(from, to) {
    for (let code = from; code < to; code++) if (code < 0xd800 || code > 0xdfff) yield code;
}

const CONTEXTS = asked.quick
    ? ["x#Y #y #\n '#"]
    : ["x#Y", " #y", "A#a", "#", "1#2", " #\n", "!#a", "'#s", "##", "\u3042#B", "\u0301#A",
        "s#'s #/"];

// Every code point (quick: every tenth beyond the BMP) in each context, many to a text.
function* everyCodePoint() {
    let parts = [];
    for (const code of codePoints(0, 0x110000)) {
        if (asked.quick && code > 0xffff && code % 10 !== 0) continue;
        const character = String.fromCodePoint(code);
        for (const context of CONTEXTS) parts.push(context.replaceAll("#", () => character));
        if (parts.length < 300) continue;
        yield Buffer.from(parts.join("\t\t"));
        parts = [];
    }
    yield Buffer.from(parts.join("\t\t"));
}

// Characters on both sides of each border that the encodings' patterns draw.
const ATOMS = [
    ..." \t\n\r\v\f\u0085\u00a0\u1680\u180e\u2003\u2028\u200b\u3000\ufeff",
    ..."aAzZsStTdDmMlLrRvVeE", ..."'\u2019\u02bc\u017f\u212a\u0130\u0131",
    ..."09\u0660\u00b2\u2160\u3007", ..."!/_.-,<|>{}\\\"`~$\u20ac\u00ab",
    ..."\u01c5\u1f88\u02b0\u00aa\u65e5\u672c\u3042\u30a2\uac00\u0e01\u0627",
    "\u0301", "\u0903", "\u20dd", "\u0e31", "\u{1f600}", "\u{1f468}\u200d\u{1f469}", "\u{1d400}",
    "\u{10400}", "\u{10428}", "\u{1d7ce}", "\u{e0100}", "\u{10ffff}", "\ufffd",
    "'s", "'S", "'re", "'LL", "'\u017f", "'ve", "'d", "'t", "'m", " '", "\r\n", "  ", "\n\n",
    "<|endoftext|>", "the", " The", " and", "ing", "123", "1234", "://", "\u65e5A", "Ab", "aB",
    "ABc",
];

function fuzzAtoms() {
    const size = 1 + random(pick([3, 8, 20, 60]));
    return Buffer.from(Array.from({ length: size }, () => pick(ATOMS)).join(""));
}

// Code points of all planes, near each other as in a script, or anywhere.
function fuzzPlanes() {
    const near = random(0x110000);
    const codes = Array.from({ length: 1 + random(30) }, () =>
        random(3)
            ? (near + random(64)) % 0x110000
            : pick([random(0x110000), random(0x3000), random(128)]));
    const characters = codes.filter((code) => code < 0xd800 || code > 0xdfff);
    return Buffer.from(characters.map((code) => String.fromCodePoint(code)).join(""));
}

const TRICKY_BYTES = [0x41, 0x20, 0x80, 0xbf, 0xc0, 0xc2, 0xc5, 0xe0, 0xe1, 0xed, 0xa0, 0x9f, 0xef,
    0xf0, 0x90, 0x8f, 0xf4, 0xf5, 0xff, 0xfe];

function fuzzBytes() {
    const tricky = random(2);
    return Buffer.from(Array.from({ length: 1 + random(40) }, () =>
        tricky ? pick(TRICKY_BYTES) : random(256)));
}

function fuzzSpliced(corpus) {
    const text = pick(corpus);
    const cut = () => {
        const begin = random(text.length);
        return text.subarray(begin, begin + random(80));
    };
    return Buffer.concat([cut(), fuzzAtoms(), cut()]);
}

function* many(count, make) {
    for (let i = 0; i < count; i++) yield make();
}

// Around the border between short and long pieces, and beyond; the reference is quadratic here.
function* longRuns() {
    const sizes = asked.quick
        ? [127, 128, 129, 130, 500]
        : [100, 126, 127, 128, 129, 130, 131, 200, 257, 1000, 3000];
    const units = ["a", "ab", "A", "aB", " ", "\t", "\n", " \n", "\r\n", "=", "-", "!?", "/", "0",
        "\u65e5", "\u4e2d\u6587", "\u00e9", "\u0430", "\u{1f600}", "\u0301", "\uac00",
        "\u0e01\u0e31", "_a", "aaab", "xyzxyzx"];
    const alphabets = ["ab", "etaoin", "abcdefghijklmnopqrstuvwxyz",
        "\u7684\u4e00\u662f\u4e0d\u4e86\u5728", "=-_#*"];
    for (const size of sizes)
        for (const unit of units) {
            const run = Buffer.from(unit.repeat(Math.ceil(size / Buffer.byteLength(unit))));
            yield run;
            yield run.subarray(0, size);
            yield Buffer.concat([Buffer.from("x "), run, Buffer.from("y")]);
        }
    for (const size of sizes)
        for (let i = 0; i < (asked.quick ? 20 : 60); i++) {
            const letters = pick(alphabets);
            yield Buffer.from(Array.from({ length: size }, () => pick([...letters])).join(""));
        }
}

const LANGUAGES = ["eng", "deu_1996", "fra", "spa", "por_BR", "ita", "pol", "rus", "ell_monotonic",
    "tur", "arb", "heb", "hin", "tha", "kor", "jpn", "cmn_hans", "cmn_hant", "vie", "tam"];

const languages = LANGUAGES.map((language) => Buffer.from(declaration(PACKAGES, language)));

// The repository's own sources and data, and the packages': C, JavaScript, Python, JSON, Markdown.
function* codeAndData() {
    const files = ["config/prices.json", "config/purser.yaml", "README.md", "Makefile",
        "tests/tidy/tidy", "config/generate/prices.mjs", "tests/bench/bench.py",
    ].map((name) => join(ROOT, name));
    for (const folder of ["src/books", "src/wire", "src/base", "tests/scenarios"])
        files.push(...readdirSync(join(ROOT, folder)).map((name) => join(ROOT, folder, name)));
    files.push(...["tiktoken_bg.cjs", "README.md", "tiktoken.d.ts", "package.json"]
        .map((name) => join(PACKAGES, "node_modules/tiktoken", name)));
    for (const file of files) if (/\.\w+$|file$|tidy$/.test(file)) yield readFileSync(file);
}

const part = (count) => (asked.quick ? count / 5 : count);
const GROUPS = {
    "every code point in context": everyCodePoint,
    "fuzz: borders between classes": () => many(part(100000), fuzzAtoms),
    "fuzz: all planes": () => many(part(50000), fuzzPlanes),
    "fuzz: malformed UTF-8": () => many(part(50000), fuzzBytes),
    "fuzz: spliced texts": () => many(part(50000), () => fuzzSpliced(languages)),
    "long runs": longRuns,
    "texts in 20 languages": () => languages,
    "code, JSON, YAML, Markdown": codeAndData,
};

// ---- comparing ----

function* batches(texts) {
    let batch = [];
    let bytes = 0;
    for (const text of texts) {
        batch.push(text);
        bytes += text.length;
        if (bytes < BATCH_BYTES) continue;
        yield batch;
        batch = [];
        bytes = 0;
    }
    if (batch.length > 0) yield batch;
}

// { texts, bytes, different: how many, first: the first of them }
function compare(encoding, texts) {
    const result = { texts: 0, bytes: 0, different: 0, first: undefined };
    for (const batch of batches(texts)) {
        purserEncode(encoding, batch).forEach((ids, at) => {
            result.texts++;
            result.bytes += batch[at].length;
            if (same(ids, referenceEncode(encoding, batch[at]))) return;
            result.different++;
            result.first ??= batch[at];
        });
    }
    return result;
}

function show(encoding, text) {
    const least = shortest(encoding, text);
    const bytes = least.toString("hex").slice(0, 200);
    console.log(`    ${JSON.stringify(least.toString("utf8"))} (${bytes})`);
    console.log(`    purser:   ${[...purserEncode(encoding, [least])[0]].slice(0, 20)}`);
    console.log(`    tiktoken: ${[...referenceEncode(encoding, least)].slice(0, 20)}`);
}

let passed = 0;
let failed = 0;
for (const [name, texts] of Object.entries(GROUPS)) {
    for (const encoding of Object.keys(references)) {
        const begun = Date.now();
        const { texts: count, bytes, different, first } = compare(encoding, texts());
        const seconds = ((Date.now() - begun) / 1000).toFixed(1);
        console.log(`  ${encoding}, ${name}: ${different} of ${count} texts differ ` +
            `(${bytes} bytes, ${seconds} s)`);
        if (different > 0) show(encoding, first);
        if (different > 0 || count === 0) failed++;
        else passed++;
    }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
