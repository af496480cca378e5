"""LiteLLM as a client."""

import json

import litellm

from driver import WEATHER, serve, user, weather


def ask(messages, base_url, api_key, model, **more):
    return litellm.completion(model=f"openai/{model}", api_base=base_url, api_key=api_key,
                              messages=messages, **more)


def outcome_of(answer, **more):
    return {"text": answer.choices[0].message.content, "input": answer.usage.prompt_tokens,
            "output": answer.usage.completion_tokens, **more}


def chat(prompt, **where):
    answer = ask(user(prompt), **where)
    headers = answer._hidden_params["additional_headers"]
    return outcome_of(answer, cost=headers["llm_provider-x-purser-cost-usd"])


def collect(messages, **where):
    """The whole of a streamed answer, and how many of its chunks had text."""
    chunks = list(ask(messages, **where, stream=True, stream_options={"include_usage": True}))
    pieces = sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in chunks)
    return litellm.stream_chunk_builder(chunks, messages=messages), pieces


def stream(prompt, **where):
    answer, pieces = collect(user(prompt), **where)
    return outcome_of(answer, pieces=pieces, cost=answer.usage.cost)


def tool(prompt, **where):
    history = user(prompt)
    asked, _ = collect(history, **where, tools=[WEATHER])
    message = asked.choices[0].message
    call = message.tool_calls[0]
    words = json.loads(call.function.arguments)["words"]
    history += [message.model_dump(),
                {"role": "tool", "tool_call_id": call.id, "content": weather(words)}]
    return outcome_of(collect(history, **where, tools=[WEATHER])[0], called=words)


def embed(prompt, base_url, api_key, model):
    found = litellm.embedding(model=f"openai/{model}", api_base=base_url, api_key=api_key,
                              input=[prompt, "two"])
    return {"vectors": len(found.data), "input": found.usage.prompt_tokens}


serve(chat=chat, stream=stream, tool=tool, embed=embed)
