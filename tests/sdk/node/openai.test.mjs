// The openai package for Node through purser: it must not notice, until the money is gone.
// Started by test_node.py, which says in the environment where purser and the provider are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PROVIDER_URL, PURSER_URL, counted, fake, held, json, keys, packageOf, refusal, until }
    from "../through.mjs";

const { OpenAI, toFile } = packageOf("openai");

const MODEL = "gpt-4o-mini";
const messages = [{ role: "user", content: "Say hello" }];

const clientOf = (name = "alice", options = {}) =>
    counted(OpenAI, name, { path: "/v1", ...options });

const { client } = clientOf();

// ---- what works as before ----

test("a chat is answered and its cost is told", async () => {
    const { data, response } = await client.chat.completions
        .create({ model: MODEL, messages }, fake({ prompt: 9, output: 12 })).withResponse();
    assert.equal(data.choices[0].message.content.split(" ").length, 12);
    assert.equal(data.usage.total_tokens, 21);
    assert.equal(response.headers.get("x-purser-cost-usd"), "0.00000855");
});

test("a stream arrives whole and without a chunk nobody asked for", async () => {
    const stream = await client.chat.completions
        .create({ model: MODEL, messages, stream: true }, fake({ output: 12 }));
    let text = "", last;
    for await (const chunk of stream) {
        text += chunk.choices[0].delta.content ?? "";
        last = chunk;
        assert.equal(chunk.usage ?? null, null);
    }
    assert.equal(text.trim().split(/\s+/).length, 12);
    assert.equal(last.choices[0].finish_reason, "stop");
});

test("a stream carries usage when asked", async () => {
    const stream = await client.chat.completions.create(
        { model: MODEL, messages, stream: true, stream_options: { include_usage: true } },
        fake({ prompt: 9, output: 12 }));
    let last;
    for await (const chunk of stream) last = chunk;
    assert.deepEqual(last.choices, []);
    assert.equal(last.usage.total_tokens, 21);
});

test("a stream left in the middle is closed upstream and settled", async () => {
    const stream = await client.chat.completions.create(
        { model: MODEL, messages, stream: true, max_tokens: 2000 },
        fake({ output: 2000, gap_ms: 20 }));
    let count = 0;
    for await (const chunk of stream) if (chunk && ++count === 5) break;
    await until(async () => (await json(`${PROVIDER_URL}/fake/bill?calls=0`)).open === 0,
        "the upstream to be closed");
    await until(async () => !(await held("alice")), "the hold to be settled");
    const call = (await json(`${PROVIDER_URL}/fake/bill`)).calls.at(-1);
    assert.equal(call.state, "client_gone");
    assert.ok(call.completion_tokens < 100);
});

test("an aborted call that is not streamed leaves nothing held", async () => {
    const controller = new AbortController();
    const call = client.chat.completions.create({ model: MODEL, messages },
        { signal: controller.signal, ...fake({ delay_ms: 5000 }) });
    setTimeout(() => controller.abort(), 300);
    await refusal(call, OpenAI.APIUserAbortError);
    await until(async () => !(await held("alice")), "the hold to be settled");
});

test("a request with tools arrives as it was sent", async () => {
    const tools = [{ type: "function", function: { name: "weather",
        parameters: { type: "object", properties: { city: { type: "string" } } } } }];
    await client.chat.completions.create({ model: MODEL, messages, tools, tool_choice: "auto" });
    const { requests } = await json(`${PROVIDER_URL}/fake/requests?last=1`);
    const body = JSON.parse(Buffer.from(requests.at(-1).body, "base64"));
    assert.deepEqual(body.tools, tools);
    assert.deepEqual(body.messages, messages);
});

test("completions, embeddings and models work", async () => {
    const text = await client.completions.create(
        { model: "gpt-3.5-turbo-instruct", prompt: "Once", max_tokens: 5 });
    assert.equal(text.choices[0].text.trim().split(/\s+/).length, 5);
    const found = await client.embeddings.create(
        { model: "text-embedding-3-small", input: ["one", "two"] });
    assert.equal(found.data.length, 2);
    assert.ok(found.data[0].embedding.length > 0);
    const models = await client.models.list();
    assert.ok(models.data.some((model) => model.id === MODEL));
});

test("images are made and edited", async () => {
    const { data, response } = await client.images
        .generate({ model: "dall-e-3", prompt: "a cat", quality: "hd" }).withResponse();
    assert.equal(data.data.length, 1);
    assert.equal(response.headers.get("x-purser-cost-usd"), "0.08");
    const image = await toFile(Buffer.from("png"), "a.png", { type: "image/png" });
    const edited = await client.images.edit({ model: "gpt-image-1", prompt: "a hat", quality: "low",
        image: [image, image] });
    assert.equal(edited.usage.output_tokens, 272);
    const kinds = [];
    for await (const event of await client.images.generate(
        { model: "gpt-image-1", prompt: "a cat", stream: true, partial_images: 1 }))
        kinds.push(event.type);
    assert.deepEqual(kinds, ["image_generation.partial_image", "image_generation.completed"]);
});

test("speech, transcriptions, translations and moderations work", async () => {
    const spoken = await client.audio.speech.create(
        { model: "tts-1", voice: "alloy", input: "hello" }, fake({ bytes: 777 }));
    assert.equal((await spoken.arrayBuffer()).byteLength, 777);
    const file = await toFile(
      Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x00]), Buffer.from("x".repeat(1000))]), "a.mp3");
    const { data, response } = await client.audio.transcriptions
        .create({ model: "whisper-1", file }, fake({ seconds: 2 })).withResponse();
    assert.equal(data.text.split(" ").length, 16);
    assert.equal(response.headers.get("x-purser-cost-usd"), "0.0002");
    const plain = await client.audio.transcriptions.create(
        { model: "whisper-1", file, response_format: "text" });
    assert.equal(plain.trim().split(" ").length, 16);
    const parts = [];
    for await (const event of await client.audio.transcriptions.create(
        { model: "gpt-4o-transcribe", file, stream: true }, fake({ output: 3 })))
        parts.push(event.type);
    assert.equal(parts.at(-1), "transcript.text.done");
    assert.ok((await client.audio.translations.create({ model: "whisper-1", file })).text);
    const judged = await client.moderations.create({ input: "hello" });
    assert.equal(judged.results[0].flagged, false);
});

test("many calls at a time are all answered", async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) =>
        client.chat.completions.create({ model: MODEL, messages },
            fake({ output: index + 1, delay_ms: 50 }))));
    assert.deepEqual(answers.map((answer) => answer.usage.completion_tokens),
        Array.from({ length: 40 }, (_, index) => index + 1));
});

test("the session may stand in the base URL", async () => {
    const { client: agent } = clientOf("alice", { path: "/s/node-7/v1" });
    const { response } = await agent.chat.completions.create({ model: MODEL, messages })
        .withResponse();
    const id = response.headers.get("x-purser-request-id");
    let lines;
    await until(async () => {
        lines = JSON.stringify(await json(`${PURSER_URL}/costs/${id}`, keys.alice));
        return lines.includes("settle");
    }, "the books to show the call");
    assert.ok(lines.includes("node-7"), lines);
});

// ---- answers from the cache ----

async function answered(body, wishes) {
    const { data, response } = await client.chat.completions
        .create({ model: MODEL, messages, temperature: 0, ...body }, fake(wishes)).withResponse();
    return { data, word: response.headers.get("x-purser-cache") };
}

async function chunksOf(body, wishes) {
    const { data, word } = await answered({ stream: true, ...body }, wishes);
    const chunks = [];
    for await (const chunk of data) chunks.push(chunk);
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    return { chunks, text, word };
}

test("a stream made of a whole answer is a stream", async () => {
    const wishes = { prompt: 9, output: 12 };
    const whole = await answered({ seed: 1 }, wishes);
    assert.equal(whole.word, "miss");
    const plain = await chunksOf({ seed: 1 }, wishes);
    assert.equal(plain.word, "hit");
    assert.equal(plain.text, whole.data.choices[0].message.content);
    assert.equal(plain.chunks.at(-1).choices[0].finish_reason, "stop");
    assert.ok(plain.chunks.every((chunk) => chunk.id === whole.data.id && chunk.usage == null));
    const counted = await chunksOf(
        { seed: 1, stream_options: { include_usage: true } }, wishes);
    assert.equal(counted.word, "hit");
    assert.deepEqual(counted.chunks.at(-1).choices, []);
    assert.equal(counted.chunks.at(-1).usage.total_tokens, 21);
    const helped = await client.chat.completions.stream(
        { model: MODEL, messages, temperature: 0, seed: 1 }, fake(wishes)).finalChatCompletion();
    assert.equal(helped.choices[0].message.content, plain.text);
});

test("a whole answer made of a stream is whole", async () => {
    const wishes = { prompt: 9, output: 12 };
    const streamed = await chunksOf({ seed: 2 }, wishes);
    assert.equal(streamed.word, "miss");
    const { data, word } = await answered({ seed: 2 }, wishes);
    assert.equal(word, "hit");
    assert.equal(data.choices[0].message.content, streamed.text);
    assert.equal(data.choices[0].finish_reason, "stop");
    assert.equal(data.usage.total_tokens, 21);
});

async function toolCallsKeepTheirShape(first, seed) {
    const wishes = { tool: "weather", output: 12 };
    const body = { seed, tools: [{ type: "function", function: { name: "weather",
        parameters: { type: "object", properties: { words: { type: "string" } } } } }] };
    assert.equal((await first(body, wishes)).word, "miss");
    const { data, word } = await answered(body, wishes);
    assert.equal(word, "hit");
    const [call] = data.choices[0].message.tool_calls;
    assert.equal(call.function.name, "weather");
    assert.equal(JSON.parse(call.function.arguments).words.trim().split(/\s+/).length, 12);
    const helped = await client.chat.completions.stream(
        { model: MODEL, messages, temperature: 0, ...body }, fake(wishes)).finalChatCompletion();
    assert.equal(helped.choices[0].finish_reason, "tool_calls");
    const [{ id, type, function: { name, arguments: given } }] =
        helped.choices[0].message.tool_calls;
    assert.deepEqual({ id, type, name, given },
        { id: call.id, type: "function", name: "weather", given: call.function.arguments });
}

test("tool calls of a whole answer are streamed", () => toolCallsKeepTheirShape(answered, 3));

test("streamed tool calls become a whole answer", () => toolCallsKeepTheirShape(chunksOf, 4));

// ---- refusals ----

test("a spent budget is a rate limit error and is not tried again", async () => {
    for (const stream of [false, true]) {
        const { client: spent, attempts } = clientOf("spent", { maxRetries: 3 });
        const error = await refusal(spent.chat.completions.create(
            { model: MODEL, messages, max_tokens: 100, stream }), OpenAI.RateLimitError);
        assert.match(error.message, /^429 Budget has been exceeded!/);
        assert.equal(error.code, "budget_exceeded");
        assert.equal(error.type, "insufficient_quota");
        assert.equal(attempts.count, 1);
    }
});

test("other requests' holds are waited for by trying again", async () => {
    const { client: narrow, attempts } = clientOf("narrow", { maxRetries: 5 });
    const first = clientOf("narrow").client.chat.completions.create(
        { model: MODEL, messages, max_tokens: 10000 }, fake({ output: 1, delay_ms: 700 }));
    await until(() => held("narrow"), "the first call's hold");
    const second = await narrow.chat.completions.create(
        { model: MODEL, messages, max_tokens: 10000 });
    assert.ok(second.choices[0].message.content);
    assert.ok(attempts.count >= 2);
    await first;
});

test("a call that can never fit is a bad request", async () => {
    const { client: narrow, attempts } = clientOf("narrow");
    const error = await refusal(narrow.chat.completions.create(
        { model: MODEL, messages, max_tokens: 16000, n: 4 }), OpenAI.BadRequestError);
    assert.equal(error.code, "request_cost_exceeds_limit");
    assert.equal(attempts.count, 1);
});

test("a wrong key, a model for others and an unknown path have their own errors", async () => {
    const wrong = await refusal(clientOf("sk-wrong").client.chat.completions.create(
        { model: MODEL, messages }), OpenAI.AuthenticationError);
    assert.equal(wrong.code, "invalid_api_key");
    const denied = await refusal(client.chat.completions.create({ model: "o3", messages }),
        OpenAI.PermissionDeniedError);
    assert.equal(denied.code, "model_not_allowed");
    const lost = await refusal(client.post("/no/such/path", { body: {} }), OpenAI.NotFoundError);
    assert.equal(lost.code, "unknown_path");
});

test("an upstream that dies in mid-stream is an error, not a short answer", async () => {
    const stream = await client.chat.completions.create(
        { model: MODEL, messages, stream: true }, fake({ output: 50, die_after: 5 }));
    await assert.rejects(async () => {
        for await (const chunk of stream) assert.ok(chunk);
    });
    await until(async () => !(await held("alice")), "the hold to be settled");
});

// ---- what lives at the provider ----

test("a file becomes a batch, and its results are read", async () => {
    const job = (id) => JSON.stringify({ custom_id: id, method: "POST",
        url: "/v1/chat/completions", body: { model: MODEL, max_tokens: 10, messages } });
    const file = await client.files.create({ purpose: "batch",
        file: new File([[job("a"), job("b")].join("\n")], "jobs.jsonl") });
    const batch = await client.batches.create({ input_file_id: file.id,
        endpoint: "/v1/chat/completions", completion_window: "24h" });
    let done;
    await until(async () => {
        done = await client.batches.retrieve(batch.id);
        return done.status === "completed";
    }, "the batch");
    const results = await (await client.files.content(done.output_file_id)).text();
    assert.deepEqual(results.trim().split("\n").map((row) => JSON.parse(row).custom_id), ["a", "b"]);
    const { client: other } = clientOf("narrow");
    await refusal(other.batches.retrieve(batch.id), OpenAI.NotFoundError);
    assert.equal((await client.files.delete(file.id)).deleted, true);
    await refusal(client.files.retrieve(file.id), OpenAI.NotFoundError);
});

// ---- responses ----

test("a response is answered and its cost is told", async () => {
    const { data, response } = await client.responses
        .create({ model: MODEL, input: "Say hello" }, fake({ prompt: 9, output: 12 }))
        .withResponse();
    assert.equal(data.output_text.split(" ").length, 12);
    assert.equal(data.usage.total_tokens, 21);
    assert.equal(response.headers.get("x-purser-cost-usd"), "0.00000855");
});

test("a stream of a response arrives whole with its cost", async () => {
    const types = [];
    const stream = client.responses.stream({ model: MODEL, input: "Say hello" },
        fake({ prompt: 9, output: 12 }));
    for await (const event of stream) types.push(event.type);
    const final = await stream.finalResponse();
    assert.equal(types.at(-1), "response.completed");
    assert.equal(types.filter((type) => type === "response.output_text.delta").length, 12);
    assert.equal(final.output_text.split(" ").length, 12);
    assert.equal(final.usage.cost, 0.00000855);
});

test("a response goes on from an earlier one of the same key alone", async () => {
    const first = await client.responses.create({ model: MODEL, input: "Say hello" });
    const next = { model: MODEL, input: "And?", previous_response_id: first.id };
    assert.equal((await client.responses.create(next)).status, "completed");
    await refusal(clientOf("narrow").client.responses.create(next), OpenAI.NotFoundError);
});

test("a spent budget refuses responses once", async () => {
    const { client: spent, attempts } = clientOf("spent");
    for (const stream of [false, true]) {
        const error = await refusal(spent.responses.create(
            { model: MODEL, input: "Hi", max_output_tokens: 16, stream }), OpenAI.RateLimitError);
        assert.match(error.message, /Budget has been exceeded!/);
    }
    assert.equal(attempts.count, 2);
});
