// What the tests of SDKs in Node share: where purser and the provider are, as nodes.py says in the
// environment, and clients whose attempts are counted.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

export const { PURSER_URL, PROVIDER_URL } = process.env;
export const keys = JSON.parse(process.env.KEYS);
export const packageOf = createRequire(process.env.PACKAGES);

// A client of that class: with a key's name or the key itself, and what its constructor takes.
export function counted(Client, name, { path, ...options }) {
    const attempts = { count: 0 };
    const counting = (...request) => {
        attempts.count++;
        return fetch(...request);
    };
    const client = new Client({ apiKey: keys[name] ?? name, baseURL: PURSER_URL + path,
        fetch: counting, timeout: 30000, ...options });
    return { client, attempts };
}

export const fake = (wishes) => ({
    headers: { "x-fake": Object.entries(wishes).map((wish) => wish.join("=")).join(",") },
});

export async function json(url, key) {
    return (await fetch(url, { headers: key ? { authorization: `Bearer ${key}` } : {} })).json();
}

export async function until(condition, what) {
    for (const end = Date.now() + 10000; Date.now() < end; await sleep(20))
        if (await condition()) return;
    assert.fail(`waited for ${what}`);
}

export async function held(name) {
    const { data } = await json(`${PURSER_URL}/budget`, keys[name]);
    return data.some((row) => row.reserved > 0);
}

export async function refusal(promise, kind) {
    const error = await promise.then(() => assert.fail("it was not refused"), (reason) => reason);
    assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
    return error;
}
