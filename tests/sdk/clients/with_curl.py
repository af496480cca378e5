"""curl, as one would call it in a shell."""

import json
import pathlib
import subprocess
import tempfile

from driver import WEATHER, serve, user, weather


class Refused(Exception):
    """curl ended with 22: the status was not 2xx."""


def curl(url, api_key, body):
    """The body of the answer and its headers, {name in lower case: value}."""
    with tempfile.NamedTemporaryFile() as headers:
        done = subprocess.run(
            ["curl", "-sSN", "--fail-with-body", "-D", headers.name, url,
             "-H", f"Authorization: Bearer {api_key}", "-H", "Content-Type: application/json",
             "-d", json.dumps(body)], capture_output=True, text=True, timeout=30)
        lines = pathlib.Path(headers.name).read_text().splitlines()
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    pairs = (line.partition(": ") for line in lines if ": " in line)
    return done.stdout, {name.lower(): value for name, _, value in pairs}


def outcome_of(text, usage, **more):
    return {"text": text, "input": usage["prompt_tokens"], "output": usage["completion_tokens"],
            **more}


def chat(prompt, base_url, api_key, model):
    text, headers = curl(f"{base_url}/chat/completions", api_key,
                         {"model": model, "messages": user(prompt)})
    answer = json.loads(text)
    return outcome_of(answer["choices"][0]["message"]["content"], answer["usage"],
                      cost=headers["x-purser-cost-usd"])


def events(messages, base_url, api_key, model, **more):
    """The deltas of a streamed answer, and the usage of its last event."""
    text, _ = curl(f"{base_url}/chat/completions", api_key,
                   {"model": model, "messages": messages, "stream": True,
                    "stream_options": {"include_usage": True}, **more})
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    assert lines.pop() == "[DONE]"
    chunks = [json.loads(line) for line in lines]
    return [chunk["choices"][0]["delta"] for chunk in chunks[:-1]], chunks[-1]["usage"]


def said(deltas):
    return [delta["content"] for delta in deltas if delta.get("content")]


def stream(prompt, **where):
    deltas, usage = events(user(prompt), **where)
    return outcome_of("".join(said(deltas)), usage, pieces=len(said(deltas)), cost=usage["cost"])


def tool(prompt, **where):
    deltas, _ = events(user(prompt), **where, tools=[WEATHER])
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    call = calls[0]
    call["function"]["arguments"] = "".join(part["function"]["arguments"] for part in calls)
    words = json.loads(call["function"]["arguments"])["words"]
    history = [*user(prompt), {"role": "assistant", "tool_calls": [call]},
               {"role": "tool", "tool_call_id": call["id"], "content": weather(words)}]
    deltas, usage = events(history, **where, tools=[WEATHER])
    return outcome_of("".join(said(deltas)), usage, called=words)


def embed(prompt, base_url, api_key, model):
    text, headers = curl(f"{base_url}/embeddings", api_key,
                         {"model": model, "input": [prompt, "two"]})
    return {"vectors": len(json.loads(text)["data"]), "cost": headers["x-purser-cost-usd"]}


serve(chat=chat, stream=stream, tool=tool, embed=embed)
