// LangChain for JavaScript.
import { HumanMessage } from "@langchain/core/messages";
import { tool as toolOf } from "@langchain/core/tools";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { z } from "zod";
import { serve, weather } from "./driver.mjs";

const modelOf = ({ base_url: baseURL, api_key: apiKey, model, ...options }) =>
    new ChatOpenAI({ model, apiKey, configuration: { baseURL }, ...options });

const outcomeOf = (answer) => ({ text: answer.text, input: answer.usage_metadata.input_tokens,
    output: answer.usage_metadata.output_tokens });

async function chat({ prompt, ...where }) {
    return outcomeOf(await modelOf(where).invoke(prompt));
}

// All chunks of a stream added up, and how many had text.
async function collect(chunks) {
    let whole, pieces = 0;
    for await (const chunk of await chunks) {
        whole = whole ? whole.concat(chunk) : chunk;
        if (chunk.text) pieces++;
    }
    return { whole, pieces };
}

async function stream({ prompt, ...where }) {
    const { whole, pieces } = await collect(modelOf(where).stream(prompt));
    return { ...outcomeOf(whole), pieces, cost: whole.response_metadata.usage.cost };
}

async function tool({ prompt, ...where }) {
    const weatherTool = toolOf(weather, { name: "weather", description: "The weather somewhere",
        schema: z.object({ words: z.string() }) });
    const model = modelOf(where).bindTools([weatherTool]);
    const history = [new HumanMessage(prompt)];
    const { whole: asked } = await collect(model.stream(history));
    const [call] = asked.tool_calls;
    history.push(asked, await weatherTool.invoke(call));
    const { whole } = await collect(model.stream(history));
    return { ...outcomeOf(whole), called: call.args.words };
}

async function embed({ base_url: baseURL, api_key: apiKey, model, prompt }) {
    const embeddings = new OpenAIEmbeddings({ model, apiKey, configuration: { baseURL } });
    return { vectors: (await embeddings.embedDocuments([prompt, "two"])).length };
}

await serve({ chat, stream, tool, embed });
