"""The cache, looked at with suspicion: what must not be kept, and what is nobody else's."""

import contextlib
import json
import socket
import time

import httpx
import pytest

from harness import KEY, Upstream, error_of, plain_answer, upstream_of

BUDGETS = [{"name": "daily", "scope": "global", "window": "day", "usd": 1, "requests": 1000}]
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}


def answer_with(choices=None, usage=USAGE, **more):
    answer = {"id": "c", "object": "chat.completion", "model": "gpt-4o-mini", **more}
    if choices is not None:
        answer["choices"] = choices
    if usage:
        answer["usage"] = usage
    return json.dumps(answer)


def events(*data, done=True):
    texts = [text if isinstance(text, str) else json.dumps(text) for text in data]
    return "".join(f"data: {text}\n\n" for text in texts) + ("data: [DONE]\n\n" if done else "")


def delta(index=0, reason=None, **more):
    return {"id": "c", "object": "chat.completion.chunk", "model": "gpt-4o-mini", "choices": [
        {"index": index, "delta": {"content": "y"}, "finish_reason": reason}], **more}


def sent(body, status="200 OK", content_type="application/json"):
    return plain_answer(body, status, content_type, "Connection: close\r\n")


def twice(start, raw, **body):
    """Asks the same twice of an upstream that always answers so; how often it was asked."""
    def answer(connection, head, asked):
        connection.sendall(raw)

    with Upstream(answer) as upstream:
        purser = start(None, budgets=BUDGETS, upstreams=[upstream_of(upstream)])
        answers = []
        for _ in range(2):
            with contextlib.suppress(httpx.RemoteProtocolError):
                answers.append(purser.chat(temperature=0, **body))
        purser.idle()
        row = purser.budgets()[("daily", "all", "requests")]
        assert row["spent"] == 2 and row["reserved"] == 0
        return len(upstream.asked), answers


SSE = "text/event-stream"


@pytest.mark.parametrize("status,body", [
    ("200 OK", answer_with()),                                             # no choices
    ("200 OK", answer_with([])),
    ("200 OK", answer_with([{**CHOICE, "finish_reason": None}])),
    ("200 OK", answer_with([{**CHOICE, "finish_reason": "error"}])),
    ("200 OK", answer_with([{**CHOICE, "error": {"code": 502}}])),
    ("200 OK", answer_with([CHOICE], error={"message": "overloaded"})),
    ("200 OK", answer_with([CHOICE])[:-20]),                               # truncated
    ("200 OK", "[" + answer_with([CHOICE]) + "]"),
    ("204 No Content", ""),
])
def test_an_answer_that_is_not_whole_is_not_kept(start, status, body):
    assert twice(start, sent(body, status))[0] == 2


@pytest.mark.parametrize("body", [
    events(delta(reason="stop"), done=False),
    events(delta(), done=True),
    events(delta(reason="stop"), {"error": {"message": "late"}}),
    events(delta(reason="stop"), delta(1, "stop")),
    "event: error\ndata: {}\n\n" + events(delta(reason="stop")),
    events(delta(reason="error")),
    events(delta(reason="stop"))[:-4],
])
def test_a_stream_that_is_not_whole_is_not_kept(start, body):
    assert twice(start, sent(body, content_type=SSE), stream=True)[0] == 2


def test_all_that_was_asked_for_has_to_be_there(start):
    assert twice(start, sent(answer_with([CHOICE])), n=2)[0] == 2
    raw = sent(events(delta(reason="stop")), content_type=SSE)
    assert twice(start, raw, n=2, stream=True)[0] == 2
    both = [CHOICE, {**CHOICE, "index": 1}]
    assert twice(start, sent(answer_with(both)), n=2)[0] == 1


def test_a_whole_answer_is_kept_whatever_its_type_is_called(start):
    for content_type in ("application/json", "text/plain", ""):
        raw = sent(answer_with([CHOICE]), content_type=content_type)
        asked, answers = twice(start, raw)
        assert asked == 1 and answers[0].content == answers[1].content
        assert answers[0].headers.get("content-type") == answers[1].headers.get("content-type")


def test_a_long_content_type_does_not_cost_the_answer(start):
    raw = sent(answer_with([CHOICE]), content_type="application/json; x=" + "y" * 12000)
    _, answers = twice(start, raw)
    assert [answer.status_code for answer in answers] == [200, 200]


def test_without_usage_the_hold_is_booked_once(start):
    asked, answers = twice(start, sent(answer_with([CHOICE], usage=None)), max_tokens=50)
    assert asked == 1 and answers[1].json() == answers[0].json()


# ---- whose answer it is ----

def keys(*names, **more):
    return [{"id": name, "key": f"sk-test-{name}-0123456789abcdef", **more} for name in names]


def words(purser, *secrets, **body):
    return [purser.chat(key=secret, fake="prompt=5", temperature=0, **body)
            .headers.get("x-purser-cache") for secret in secrets]


def test_names_spaces_do_not_touch(provider, start):
    both = keys("ann", "bob", team="red") + keys("cat", team="blue") + keys("dan", "eve")
    secrets = [key["key"] for key in both]
    expected = {"key": ["miss"] * 5, "team": ["miss", "hit", "miss", "miss", "miss"],
                "global": ["miss"] + ["hit"] * 4}
    for space, wanted in expected.items():
        purser = start(keys=both, budgets=BUDGETS, cache={"namespace": space})
        assert words(purser, *secrets) == wanted
        assert words(purser, *secrets) == ["hit"] * 5


def test_a_team_and_a_key_of_one_name_are_two(provider, start):
    both = keys("ann", team="bob") + keys("bob")
    purser = start(keys=both, budgets=BUDGETS, cache={"namespace": "team"})
    assert words(purser, *[key["key"] for key in both]) == ["miss", "miss"]


def test_a_hit_is_refused_to_a_key_that_may_not_use_the_model(provider, start):
    both = keys("ann") + keys("bob", models=["gpt-5*"])
    purser = start(keys=both, budgets=BUDGETS, cache={"namespace": "global"})
    assert words(purser, both[0]["key"]) == ["miss"]
    answer = purser.chat(key=both[1]["key"], fake="prompt=5", temperature=0)
    error_of(answer, 403, "model_not_allowed")
    wish = {"x-purser-cache": "only-if-cached"}
    answer = purser.chat(key=both[1]["key"], fake="prompt=5", temperature=0, headers=wish)
    error_of(answer, 403, "model_not_allowed")


def test_a_stranger_in_passthrough_gets_nothing_from_the_cache(provider, start):
    purser = start(auth={"mode": "passthrough"}, keys=[], budgets=BUDGETS,
                   cache={"namespace": "global"})
    one, two = "sk-one-0123456789", "sk-two-0123456789"
    assert words(purser, one, one, one) == ["bypass", "miss", "hit"]
    assert words(purser, two, two, two) == ["bypass", "miss", "hit"]


def test_another_output_limit_by_default_is_another_answer(provider, start):
    purser = start(budgets=BUDGETS, admission={"default_max_output": 5})
    short = purser.chat(fake="prompt=5,output=9", temperature=0).json()
    assert short["usage"]["completion_tokens"] == 5
    purser.configure(admission={"default_max_output": 50})
    assert purser.reload().status_code == 200
    again = purser.chat(fake="prompt=5,output=9", temperature=0)
    assert again.headers["x-purser-cache"] == "miss"
    assert again.json()["usage"]["completion_tokens"] == 9


# ---- wishes ----

def test_a_wish_may_stand_in_several_lines(provider, start):
    purser = start(budgets=BUDGETS)
    body = json.dumps({"model": "gpt-4o-mini", "temperature": 0, "messages": [
        {"role": "user", "content": "hello"}]})
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n")
    for _ in range(2):
        got = purser.request(f"{head}x-purser-cache: no-cache\r\nx-purser-cache: no-store\r\n"
                             f"\r\n{body}".encode())
        assert got.startswith(b"HTTP/1.1 200") and b"x-purser-cache: miss" in got
    assert purser.chat(temperature=0).headers["x-purser-cache"] == "miss"
    assert purser.chat(temperature=0).headers["x-purser-cache"] == "hit"


# ---- clients ----

def test_old_clients_get_answers_from_the_cache(provider, start):
    purser = start(budgets=BUDGETS)
    for stream in (False, True):
        body = json.dumps({"model": "gpt-4o-mini", "temperature": 0, "stream": stream,
                           "messages": [{"role": "user", "content": "hello"}]})
        head = (f"POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer {KEY}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n")
        answers = [purser.request(f"{head}\r\n{body}".encode()) for _ in range(2)]
        assert b"x-purser-cache: hit" in answers[1]
        assert all(b"chunked" not in answer for answer in answers)
        assert answers[0].partition(b"\r\n\r\n")[2] == answers[1].partition(b"\r\n\r\n")[2]


def test_a_connection_goes_on_after_a_replay(provider, start):
    purser = start(budgets=BUDGETS)
    for turn in range(20):
        stream = turn % 2 == 0
        answer = purser.chat(f"q{turn // 8}", fake="prompt=5", temperature=0, stream=stream)
        assert answer.status_code == 200 and answer.text
    assert purser.chat("q0", temperature=1).status_code == 200
    bill = provider.settled_bill()
    purser.idle()
    assert sum(purser.settled().values()) == bill["cost_nano_usd"]


def test_a_batch_in_part_that_grows_too_large_is_refused_not_passed_on_as_the_whole(start):
    """What comes for the unknown inputs alone is no answer to all of them."""
    def embed(connection, _, body):
        inputs = json.loads(body)["input"]
        inputs = [inputs] if isinstance(inputs, str) else inputs
        rows = [{"object": "embedding", "index": at, "embedding": [0.5]}
                for at in range(len(inputs))]
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        answer = {"object": "list", "data": rows, "model": "text-embedding-3-small", "usage": usage}
        answer["filler"] = "x" * (34_000_000 if "large" in inputs else 0)
        connection.sendall(sent(json.dumps(answer)))

    def ask(purser, *inputs, **headers):
        return purser.client.post("/v1/embeddings", headers=headers, json={
            "model": "text-embedding-3-small", "input": inputs})

    with Upstream(embed) as own, \
            start(upstreams=[upstream_of(own)], budgets=BUDGETS) as purser:
        assert ask(purser, "known").status_code == 200
        message = error_of(ask(purser, "known", "large"), 502, "upstream_bad_answer")["message"]
        assert "no-cache" in message
        purser.idle()
        whole = ask(purser, "known", "large", **{"x-purser-cache": "no-cache"})
        assert whole.status_code == 200 and len(whole.json()["data"]) == 2
