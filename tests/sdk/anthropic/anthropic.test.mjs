// The @anthropic-ai/sdk package through purser: it must not notice, until the money is gone.
// Started by test_anthropic.py, which says in the environment where purser and the provider are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PROVIDER_URL, PURSER_URL, counted, fake, held, json, keys, packageOf, refusal, until }
    from "../through.mjs";

const { Anthropic } = packageOf("@anthropic-ai/sdk");

const MODEL = "claude-sonnet-4-5";
const ask = { model: MODEL, max_tokens: 100, messages: [{ role: "user", content: "Say hello" }] };

const clientOf = (name = "alice", options = {}) =>
    counted(Anthropic, name, { path: "", ...options });

const { client } = clientOf();

// ---- what works as before ----

test("a message is answered and its cost is told", async () => {
    const { data, response } = await client.messages
        .create(ask, fake({ prompt: 90, cached: 30, cache_write: 40, output: 12 })).withResponse();
    assert.equal(data.content[0].text.split(" ").length, 12);
    assert.equal(data.usage.cache_read_input_tokens, 30);
    assert.equal(Number(response.headers.get("x-purser-cost-usd")),
        (20 * 3000 + 30 * 300 + 40 * 3750 + 12 * 15000) / 1e9);
});

test("a stream arrives whole with its cost in the last usage", async () => {
    const stream = await client.messages.create({ ...ask, stream: true },
        fake({ prompt: 20, output: 12 }));
    let text = "", last;
    for await (const event of stream) {
        if (event.type === "content_block_delta") text += event.delta.text;
        if (event.type === "message_delta") last = event;
    }
    assert.equal(text.trim().split(/\s+/).length, 12);
    assert.equal(last.delta.stop_reason, "end_turn");
    assert.equal(last.usage.cost, (20 * 3000 + 12 * 15000) / 1e9);
});

test("the helper for streams gives the whole message", async () => {
    const stream = client.messages.stream(ask, fake({ prompt: 20, cached: 5, output: 12 }));
    const pieces = [];
    stream.on("text", (text) => pieces.push(text));
    const message = await stream.finalMessage();
    assert.equal(pieces.join(""), message.content[0].text);
    assert.deepEqual([message.usage.input_tokens, message.usage.cache_read_input_tokens,
        message.usage.output_tokens], [15, 5, 12]);
});

test("a streamed tool call is what the provider made", async () => {
    const tools = [{ name: "weather", input_schema: { type: "object",
        properties: { words: { type: "string" } } } }];
    const message = await client.messages.stream({ ...ask, tools, tool_choice: { type: "auto" } },
        fake({ output: 20, tool: "weather" })).finalMessage();
    assert.equal(message.stop_reason, "tool_use");
    const call = message.content.find((block) => block.type === "tool_use");
    assert.equal(call.name, "weather");
    assert.ok(call.input.words.length > 0);
    const { requests } = await json(`${PROVIDER_URL}/fake/requests?last=1`);
    const body = JSON.parse(Buffer.from(requests.at(-1).body, "base64"));
    assert.deepEqual(body.tools, tools);
    const next = await client.messages.create({ ...ask, tools, messages: [...ask.messages,
        { role: "assistant", content: message.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: call.id,
            content: "sunny" }] }] });
    assert.equal(next.stop_reason, "end_turn");
});

test("thinking passes", async () => {
    const thinking = { type: "enabled", budget_tokens: 1024 };
    const message = await client.messages.stream({ ...ask, max_tokens: 2000, thinking },
        fake({ output: 30, reasoning: 20 })).finalMessage();
    assert.equal(message.content[0].type, "thinking");
    assert.equal(message.content.at(-1).type, "text");
    assert.equal(message.usage.output_tokens, 30);
});

test("tokens are counted", async () => {
    const { max_tokens, ...rest } = ask;
    assert.ok(max_tokens > 0);
    assert.deepEqual(await client.messages.countTokens(rest, fake({ prompt: 33 })),
        { input_tokens: 33 });
});

test("betas and their endpoint pass", async () => {
    const message = await client.beta.messages.create({ ...ask, betas: ["some-beta-1"] });
    assert.equal(message.type, "message");
    const { requests } = await json(`${PROVIDER_URL}/fake/requests?last=1`);
    const headers = Object.fromEntries(requests.at(-1).headers.map(([name, value]) =>
        [name.toLowerCase(), value]));
    assert.equal(headers["anthropic-beta"], "some-beta-1");
    assert.equal(headers["x-api-key"], "sk-upstream");
});

test("a token in place of a key and a session in the URL work", async () => {
    const { client: other } = clientOf("alice",
        { apiKey: null, authToken: keys.alice, path: "/s/from-node" });
    const { request_id } = await other.messages.create(ask).withResponse();
    assert.ok(request_id);
    await until(async () => {
        const { data } = await json(`${PURSER_URL}/requests?session=from-node`, keys.alice);
        return data.length === 1 && data[0].endpoint === "messages";
    }, "the call in the books");
});

test("a stream left in the middle is closed upstream and settled", async () => {
    const stream = await client.messages.create({ ...ask, stream: true, max_tokens: 2000 },
        fake({ output: 2000, gap_ms: 20 }));
    let count = 0;
    for await (const event of stream)
        if (event.type === "content_block_delta" && ++count === 5) break;
    await until(async () => (await json(`${PROVIDER_URL}/fake/bill?calls=0`)).open === 0,
        "the upstream to be closed");
    await until(async () => !(await held("alice")), "the hold to be settled");
    const call = (await json(`${PROVIDER_URL}/fake/bill`)).calls.at(-1);
    assert.equal(call.state, "client_gone");
    assert.ok(call.completion_tokens < 200);
});

test("an aborted call that is not streamed leaves nothing held", async () => {
    const controller = new AbortController();
    const call = client.messages.create(ask,
        { signal: controller.signal, ...fake({ delay_ms: 5000 }) });
    setTimeout(() => controller.abort(), 300);
    await refusal(call, Anthropic.APIUserAbortError);
    await until(async () => !(await held("alice")), "the hold to be settled");
});

test("streams whose budget is used up end as at their maximum", async () => {
    const { client: other } = clientOf("narrow", { maxRetries: 0 });
    const run = () => other.messages.stream({ ...ask, model: "claude-haiku-4-5", max_tokens: 3000 },
        fake({ output: 3000, gap_ms: 3 })).finalMessage();
    const messages = await Promise.all([run(), run()]);
    const ended = messages.filter((message) => message.stop_reason === "max_tokens");
    assert.ok(ended.length > 0);
    for (const { content, usage } of ended) {
        assert.ok(content[0].text.length > 0);
        assert.ok(usage.output_tokens > 0 && usage.output_tokens < 3000);
        assert.ok(usage.input_tokens > 0);
    }
});

// ---- refusals, by the class of the error ----

test("a spent budget is a rate limit error that is asked once", async () => {
    for (const streamed of [false, true]) {
        const { client: other, attempts } = clientOf("spent");
        const error = await refusal(other.messages.create({ ...ask, stream: streamed }),
            Anthropic.RateLimitError);
        assert.equal(attempts.count, 1);
        assert.equal(error.status, 429);
        assert.match(error.message, /Budget has been exceeded!/);
        assert.equal(error.error.error.code, "budget_exceeded");
        assert.equal(error.error.error.budget.name, "spent");
        assert.ok(error.requestID);
    }
});

test("other refusals have the classes of their own", async () => {
    const cases = [
        ["nobody", ask, Anthropic.AuthenticationError, "invalid_api_key"],
        ["alice", { ...ask, model: "claude-77" }, Anthropic.BadRequestError, "model_not_priced"],
        ["alice", { ...ask, model: "llama-3" }, Anthropic.PermissionDeniedError,
            "model_not_allowed"],
        ["alice", { ...ask, model: "gpt-4o" }, Anthropic.NotFoundError, "wrong_dialect"],
        ["alice", { ...ask, max_tokens: "many" }, Anthropic.BadRequestError, "invalid_type"],
        ["alice", { ...ask, tools: [{ type: "web_search_20250305", name: "web_search" }] },
            Anthropic.BadRequestError, "unbounded_tool"],
        ["tiny", ask, Anthropic.BadRequestError, "request_cost_exceeds_limit"],
    ];
    for (const [name, body, kind, code] of cases) {
        const { client: other, attempts } = clientOf(name);
        const error = await refusal(other.messages.create(body), kind);
        assert.equal(error.error.error.code, code);
        assert.equal(attempts.count, 1, code);
    }
});

test("an overloaded provider is asked again, and its error is its own", async () => {
    const { client: other, attempts } = clientOf();
    const error = await refusal(other.messages.create(ask, fake({ status: 529 })),
        Anthropic.InternalServerError);
    assert.equal(attempts.count, 3);
    assert.equal(error.error.type, "error");
});

test("an error in a stream is thrown", async () => {
    const stream = await client.messages.create({ ...ask, stream: true },
        fake({ output: 9, fail_after: 3 }));
    await refusal((async () => { for await (const event of stream) assert.ok(event); })(),
        Anthropic.APIError);
});
