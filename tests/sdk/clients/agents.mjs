// OpenAI's agents SDK, in the mode that it is started with: as it comes it speaks Responses.
import { Agent, OpenAIProvider, Runner, tool as toolOf } from "@openai/agents";
import { z } from "zod";
import { serve, weather } from "./driver.mjs";

const useResponses = process.argv[2] === "responses";

function runnerOf({ base_url: baseURL, api_key: apiKey, model }) {
    const modelProvider = new OpenAIProvider({ baseURL, apiKey, useResponses });
    return new Runner({ modelProvider, model, tracingDisabled: true });
}

const outcomeOf = ({ finalOutput, rawResponses }) => ({ text: finalOutput,
    input: rawResponses.at(-1).usage.inputTokens, output: rawResponses.at(-1).usage.outputTokens });

async function chat({ prompt, ...where }) {
    return outcomeOf(await runnerOf(where).run(new Agent({ name: "agent" }), prompt));
}

async function collect(where, agent, prompt) {
    const result = await runnerOf(where).run(agent, prompt, { stream: true });
    let pieces = 0;
    for await (const text of result.toTextStream()) if (text) pieces++;
    await result.completed;
    return { ...outcomeOf(result), pieces };
}

async function stream({ prompt, ...where }) {
    return collect(where, new Agent({ name: "agent" }), prompt);
}

async function tool({ prompt, ...where }) {
    let called;
    const execute = (call) => weather({ words: called = call.words });
    const agent = new Agent({ name: "agent", tools: [toolOf({ name: "weather",
        description: "The weather somewhere", parameters: z.object({ words: z.string() }),
        execute })] });
    return { ...await collect(where, agent, prompt), called };
}

await serve({ chat, stream, tool });
