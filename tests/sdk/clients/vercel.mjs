// The Vercel AI SDK with its provider for OpenAI, in the mode that it is started with: as it comes
// it speaks Responses.
import { createOpenAI } from "@ai-sdk/openai";
import { embedMany, generateText, stepCountIs, streamText, tool as toolOf } from "ai";
import { z } from "zod";
import { serve, weather } from "./driver.mjs";

const providerOf = ({ base_url: baseURL, api_key: apiKey }) => createOpenAI({ baseURL, apiKey });
const responses = process.argv[2] === "responses";
const modelOf = ({ model, ...where }) =>
    responses ? providerOf(where)(model) : providerOf(where).chat(model);

async function chat({ prompt, ...where }) {
    const { text, usage, response } = await generateText({ model: modelOf(where), prompt });
    return { text, input: usage.inputTokens, output: usage.outputTokens,
        cost: response.headers["x-purser-cost-usd"] };
}

// Errors do not reject while a stream is read: they are told to onError.
async function collect(options) {
    let failure, pieces = 0;
    const result = streamText({ ...options, onError: ({ error }) => { failure = error; } });
    for await (const text of result.textStream) if (text) pieces++;
    if (failure) throw failure;
    const usage = await result.totalUsage;
    return { text: await result.text, pieces, input: usage.inputTokens,
        output: usage.outputTokens };
}

async function stream({ prompt, ...where }) {
    return collect({ model: modelOf(where), prompt });
}

async function tool({ prompt, ...where }) {
    let called;
    const execute = (call) => weather({ words: called = call.words });
    const outcome = await collect({ model: modelOf(where), prompt, stopWhen: stepCountIs(5),
        tools: { weather: toolOf({ description: "The weather somewhere",
            inputSchema: z.object({ words: z.string() }), execute }) } });
    return { ...outcome, called };
}

async function embed({ prompt, model, ...where }) {
    const { embeddings, usage } = await embedMany(
        { model: providerOf(where).embedding(model), values: [prompt, "two"] });
    return { vectors: embeddings.length, input: usage.tokens };
}

await serve({ chat, stream, tool, embed });
