"""The openai package for Python gets answers from purser's cache, in either shape, and cannot tell."""

import json

import openai
import pytest

from harness import KEY, Purser, Upstream, plain_answer

ASK = {"model": "gpt-4o-mini", "temperature": 0,
       "messages": [{"role": "user", "content": "Say hello"}]}
TOOLS = [{"type": "function", "function": {
    "name": name, "description": "Looks it up", "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                   "required": ["city"], "additionalProperties": False}}}
    for name in ("weather", "time")]
CALLS = [("call_a", "weather", '{"city": "Oslo"}'), ("call_b", "time", '{"city": "Łódź"}')]
USAGE = {"prompt_tokens": 40, "completion_tokens": 20, "total_tokens": 60}


@pytest.fixture
def client_of():
    """client_of(purser): a client that is closed after the test."""
    made = []

    def make(purser):
        made.append(openai.OpenAI(api_key=KEY, base_url=purser.url, timeout=30, max_retries=0))
        return made[-1]

    yield make
    for client in made:
        client.close()


def whole(client, **more):
    """(x-purser-cache, the answer), not streamed."""
    raw = client.chat.completions.with_raw_response.create(**ASK, **more)
    return raw.headers["x-purser-cache"], raw.parse()


def streamed(client, **more):
    """(x-purser-cache, the chunks) of a stream."""
    raw = client.chat.completions.with_raw_response.create(**ASK, stream=True, **more)
    return raw.headers["x-purser-cache"], list(raw.parse())


def accumulated(client, **more):
    """The answer that the SDK's own helper puts together of a stream."""
    with client.chat.completions.stream(**ASK, **more) as stream:
        return stream.get_final_completion()


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_stream_is_made_of_a_whole_answer(client_of, purser, provider):
    client, fake = client_of(purser), {"x-fake": "prompt=9,output=12"}
    before = provider.settled_bill(False)["requests"]
    word, answer = whole(client, seed=1, extra_headers=fake)
    assert word == "miss"
    word, plain = streamed(client, seed=1, extra_headers=fake)
    assert word == "hit"
    assert text_of(plain) == answer.choices[0].message.content
    assert {chunk.id for chunk in plain} == {answer.id}
    assert plain[0].choices[0].delta.role == "assistant"
    assert plain[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in plain)
    word, counted = streamed(client, seed=1, extra_headers=fake,
                             stream_options={"include_usage": True})
    assert word == "hit" and text_of(counted) == text_of(plain)
    assert counted[-1].choices == [] and counted[-1].usage.total_tokens == 21
    assert counted[-1].usage.cost == 0
    helped = accumulated(client, seed=1, extra_headers=fake)
    assert helped.choices[0].message.content == answer.choices[0].message.content
    assert provider.settled_bill(False)["requests"] == before + 1


@pytest.mark.parametrize("asked", [{}, {"stream_options": {"include_usage": True}}])
def test_a_whole_answer_is_made_of_a_stream(client_of, purser, provider, asked):
    client, fake = client_of(purser), {"x-fake": "prompt=9,output=12"}
    before = provider.settled_bill(False)["requests"]
    seed = 2 + len(asked)
    word, chunks = streamed(client, seed=seed, extra_headers=fake, **asked)
    assert word == "miss"
    word, answer = whole(client, seed=seed, extra_headers=fake)
    assert word == "hit"
    assert answer.object == "chat.completion" and answer.id == chunks[0].id
    assert answer.choices[0].message.content == text_of(chunks)
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 21
    assert provider.settled_bill(False)["requests"] == before + 1


def test_embeddings_come_from_memory(client_of, purser, provider):
    client = client_of(purser)

    def ask(inputs):
        answer = client.embeddings.create(model="text-embedding-3-small", input=inputs)
        return [row.embedding for row in answer.data]

    first = ask(["one", "two", "three"])
    before = provider.settled_bill(False)["requests"]
    assert ask(["three", "one"]) == [first[2], first[0]]
    assert ask("two") == [first[1]]
    assert provider.settled_bill(False)["requests"] == before


# ---- tool calls, from an upstream of our own ----

def whole_with_tools():
    return {"id": "chatcmpl-7", "object": "chat.completion", "created": 1700000000,
            "model": "gpt-4o-mini", "usage": USAGE, "choices": [{
                "index": 0, "finish_reason": "tool_calls", "logprobs": None, "message": {
                    "role": "assistant", "content": None, "refusal": None, "tool_calls": [
                        {"id": name, "type": "function",
                         "function": {"name": tool, "arguments": arguments}}
                        for name, tool, arguments in CALLS]}}]}


def events_with_tools():
    def chunk(choices, usage=None):
        data = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1700000000,
                "model": "gpt-4o-mini", "choices": choices, "usage": usage}
        return f"data: {json.dumps(data)}\n\n"

    def delta(delta, finish=None):
        return chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}])

    events = [delta({"role": "assistant", "content": None})]
    for index, (name, tool, arguments) in enumerate(CALLS):
        events.append(delta({"tool_calls": [{"index": index, "id": name, "type": "function",
                                             "function": {"name": tool, "arguments": ""}}]}))
        events += [delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
                   for piece in (arguments[:5], arguments[5:])]
    return "".join([*events, delta({}, "tool_calls"), chunk([], USAGE), "data: [DONE]\n\n"])


@pytest.fixture
def toolsmith():
    """purser in front of an upstream that always calls two tools."""
    def answer(connection, _head, body):
        streams = json.loads(body).get("stream", False)
        connection.sendall(plain_answer(events_with_tools(), content_type="text/event-stream")
                           if streams else plain_answer(json.dumps(whole_with_tools())))

    with Upstream(answer) as upstream, Purser(upstream) as running:
        yield upstream, running


def check_calls(message):
    assert message.content is None
    assert [(call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls] == CALLS
    assert {call.type for call in message.tool_calls} == {"function"}


@pytest.mark.parametrize("first", ["whole", "stream"])
def test_tool_calls_keep_their_shape(client_of, toolsmith, first):
    upstream, purser = toolsmith
    client = client_of(purser)
    if first == "whole":
        assert whole(client, tools=TOOLS)[0] == "miss"
    else:
        assert streamed(client, tools=TOOLS)[0] == "miss"
    word, answer = whole(client, tools=TOOLS)
    assert word == "hit" and answer.choices[0].finish_reason == "tool_calls"
    check_calls(answer.choices[0].message)
    assert answer.usage.total_tokens == 60
    helped = accumulated(client, tools=TOOLS)
    assert helped.choices[0].finish_reason == "tool_calls"
    check_calls(helped.choices[0].message)
    assert [call.function.parsed_arguments["city"]
            for call in helped.choices[0].message.tool_calls] == ["Oslo", "Łódź"]
    word, chunks = streamed(client, tools=TOOLS, stream_options={"include_usage": True})
    assert word == "hit" and chunks[-1].usage.total_tokens == 60
    assert len(upstream.asked) == 1
