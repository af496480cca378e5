"""The cache: what is known is not asked again, what is under way is shared, and the books say so."""

import concurrent.futures
import json
import time

import httpx
import pytest

from harness import KEY, Upstream, error_of, events_of, plain_answer, usd, wait_until

COST = 5 * 150 + 7 * 600
FAKE = "prompt=5,output=7"
BUDGETS = [{"name": "daily", "scope": "global", "window": "day", "usd": 1, "requests": 1000}]


def at_once(purser, count, fake, **body):
    """So many equal requests at the same time, each on a connection of its own."""
    body = {"model": "gpt-4o-mini", "temperature": 0,
            "messages": [{"role": "user", "content": "hello"}], **body}

    def ask(_):
        with httpx.Client(verify=False, timeout=60) as client:
            return client.post(purser.url + "/chat/completions", json=body,
                               headers={"Authorization": f"Bearer {KEY}", "x-fake": fake})

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


def test_the_same_question_is_answered_once(provider, start):
    purser = start(budgets=BUDGETS)
    first = purser.chat(fake=FAKE, temperature=0)
    again = purser.chat(fake=FAKE, temperature=0)
    assert first.headers["x-purser-cache"] == "miss"
    assert again.headers["x-purser-cache"] == "hit"
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert usd(first.headers["x-purser-cost-usd"]) == COST
    assert usd(again.headers["x-purser-cost-usd"]) == 0
    assert provider.settled_bill()["requests"] == 1
    line = purser.booked(again)
    assert line["cache"] == "hit" and line["saved_nano_usd"] == {"cache": COST}
    assert line["cost_nano_usd"] == 0 and line["total_tokens"] == 0
    total = purser.costs()["total"]
    assert total["requests"] == 2 and total["cost_nano_usd"] == COST
    assert usd(total["saved_usd"]["cache"]) == COST
    budget = purser.budgets()[("daily", "all", "requests")]
    assert budget["spent"] == 2 and budget["reserved"] == 0


def test_a_stream_is_replayed_byte_for_byte(provider, start):
    purser = start(budgets=BUDGETS)
    answers = []
    for _ in range(2):
        with purser.stream(fake=FAKE, temperature=0) as answer:
            answers.append((answer.headers["x-purser-cache"], answer.read()))
    assert [word for word, _ in answers] == ["miss", "hit"]
    assert answers[0][1] == answers[1][1]
    assert provider.settled_bill()["requests"] == 1


def test_200_equal_requests_at_once_make_one_call(provider, start):
    purser = start(budgets=BUDGETS, workers=2)
    answers = at_once(purser, 200, FAKE + ",delay_ms=400")
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert provider.settled_bill()["requests"] == 1
    assert sum(usd(answer.headers["x-purser-cost-usd"]) for answer in answers) == COST
    total = purser.costs()["total"]
    assert total["cost_nano_usd"] == COST and usd(total["saved_usd"]["cache"]) == 199 * COST


def test_200_equal_streams_at_once_make_one_call(provider, start):
    purser = start(budgets=BUDGETS, workers=2)
    answers = at_once(purser, 200, "prompt=5,output=40,gap_ms=10", stream=True)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].text.endswith("data: [DONE]\n\n")
    assert provider.settled_bill()["requests"] == 1
    assert purser.costs()["total"]["cost_nano_usd"] == provider.bill()["cost_nano_usd"]


def test_an_answer_too_large_for_one_piece_is_shared_as_a_whole(start):
    body = json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "created": 1,
                       "model": "gpt-4o-mini", "usage": {"prompt_tokens": 5,
                                                         "completion_tokens": 7,
                                                         "total_tokens": 12},
                       "choices": [{"index": 0, "finish_reason": "stop", "message": {
                           "role": "assistant", "content": "x" * 3_000_000}}]}).encode()

    def trickle(connection, _head, _body):
        whole = plain_answer(body)
        for at in range(0, len(whole), 300_000):
            connection.sendall(whole[at:at + 300_000])
            time.sleep(0.05)

    with Upstream(trickle) as upstream:
        purser = start(upstream, budgets=BUDGETS, workers=2)
        answers = at_once(purser, 10, FAKE)
        assert [answer.content == body for answer in answers] == [True] * 10
        assert len(upstream.asked) == 1


# ---- the shape asked for ----

def test_a_stream_is_answered_from_a_whole_answer_and_the_other_way_round(provider, start):
    purser = start(budgets=BUDGETS)
    whole = purser.chat("one", fake=FAKE, temperature=0).json()
    with purser.stream("one", fake=FAKE, temperature=0,
                       stream_options={"include_usage": True}) as answer:
        assert answer.headers["x-purser-cache"] == "hit"
        assert answer.headers["content-type"].startswith("text/event-stream")
        chunks = [json.loads(data) for data in events_of(answer.iter_lines()) if data != "[DONE]"]
    text = "".join(chunk["choices"][0]["delta"].get("content") or ""
                   for chunk in chunks if chunk["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert chunks[-1]["usage"]["completion_tokens"] == 7 and chunks[-1]["usage"]["cost"] == 0

    with purser.stream("two", fake=FAKE, temperature=0) as answer:
        streamed = "".join(json.loads(data)["choices"][0]["delta"].get("content") or ""
                           for data in events_of(answer.iter_lines()) if data != "[DONE]")
    again = purser.chat("two", fake=FAKE, temperature=0)
    assert again.headers["x-purser-cache"] == "hit"
    assert again.headers["content-type"].startswith("application/json")
    assert again.json()["choices"][0]["message"]["content"] == streamed
    assert again.json()["usage"]["completion_tokens"] == 7
    assert provider.settled_bill()["requests"] == 2


def test_the_usage_chunk_comes_only_if_asked(provider, start):
    purser = start(budgets=BUDGETS)
    with purser.stream(fake=FAKE, temperature=0) as answer:
        plain = answer.read()
    with purser.stream(fake=FAKE, temperature=0, stream_options={"include_usage": True}) as answer:
        with_usage = answer.read()
        assert answer.headers["x-purser-cache"] == "hit"
    assert b'"usage":{' not in plain and b'"cost":0' in with_usage
    with purser.stream(fake=FAKE, temperature=0) as answer:
        assert answer.read() == plain
    assert provider.settled_bill()["requests"] == 1


# ---- what is not kept ----

@pytest.mark.parametrize("body", [
    {}, {"temperature": 0.1}, {"temperature": 0, "store": True}, {"temperature": None},
    {"temperature": 0, "messages": [{"role": "user", "content": "[fake status=500] x"}]},
    {"temperature": 0, "messages": [{"role": "user", "content": "[fake die_after=3] x"}]},
])
def test_what_is_not_certain_is_asked_again(provider, start, body):
    purser = start(budgets=BUDGETS)
    words = [purser.chat(fake=FAKE if "messages" not in body else None, **body)
             .headers.get("x-purser-cache") for _ in range(2)]
    assert "hit" not in words
    assert provider.settled_bill()["requests"] == 2


def test_what_a_budget_cut_short_is_not_kept(provider, start):
    purser = start(budgets=[{"name": "little", "scope": "global", "window": "day",
                             "usd": "0.0001"}], admission={"min_output_tokens": 1})
    first = purser.chat(fake="prompt=5,output=1000", temperature=0)
    assert "x-purser-clamped-max-tokens" in first.headers
    again = purser.chat(fake="prompt=5,output=1000", temperature=0)
    assert again.headers.get("x-purser-cache") != "hit"


# ---- wishes ----

def test_the_client_may_wish_for_a_fresh_answer_or_none_but_a_known_one(provider, start):
    purser = start(budgets=BUDGETS)

    def ask(wish, name="x-purser-cache"):
        return purser.chat(fake=FAKE, temperature=0, headers={name: wish} if wish else None)

    error_of(ask("only-if-cached"), 504, "cache_miss")
    assert ask("no-store").headers["x-purser-cache"] == "miss"
    error_of(ask("only-if-cached"), 504, "cache_miss")
    assert ask(None).headers["x-purser-cache"] == "miss"
    assert ask("only-if-cached").headers["x-purser-cache"] == "hit"
    assert ask("no-cache").headers["x-purser-cache"] == "miss"
    assert ask("no-cache", "Cache-Control").headers["x-purser-cache"] == "miss"
    assert ask("max-age=nonsense, ,;;, public=\"", "Cache-Control").headers[
        "x-purser-cache"] == "hit"
    error_of(ask("sometimes"), 400, "invalid_header")
    assert ask("NO-CACHE, no-store").headers["x-purser-cache"] == "miss"


# ---- embeddings ----

def embed(purser, inputs, **body):
    return purser.client.post("/v1/embeddings", json={
        "model": "text-embedding-3-small", "input": inputs, **body})


def test_of_a_batch_only_what_is_not_known_is_asked(provider, start):
    purser = start(budgets=BUDGETS)
    known = [f"input {i}" for i in range(90)]
    first = embed(purser, known)
    assert first.headers["x-purser-cache"] == "miss"
    mixed = known[:45] + [f"new {i}" for i in range(10)] + known[45:]
    second = embed(purser, mixed)
    assert second.status_code == 200, second.text
    asked = provider.newest().json()
    assert asked["input"] == [f"new {i}" for i in range(10)]
    direct = embed(purser, mixed, user="u").json()  # all known by now
    assert [row["index"] for row in second.json()["data"]] == list(range(100))
    assert direct["data"] == second.json()["data"]
    assert second.json()["data"][:45] == first.json()["data"][:45]
    bill = provider.settled_bill()
    assert bill["requests"] == 2
    assert purser.costs()["total"]["cost_nano_usd"] == bill["cost_nano_usd"]
    third = embed(purser, list(reversed(mixed)))
    assert third.headers["x-purser-cache"] == "hit"
    assert [row["embedding"] for row in third.json()["data"]] == \
        [row["embedding"] for row in reversed(second.json()["data"])]
    assert provider.settled_bill()["requests"] == 2


# ---- flights ----

def test_when_the_payers_client_leaves_a_follower_takes_over(provider, start):
    keys = [{"id": name, "key": f"sk-test-{name}-0123456789", "team": "research"}
            for name in ("ann", "bob")]
    purser = start(budgets=[{"name": "own", "scope": "key", "window": "day", "usd": 1}],
                   keys=keys, cache={"namespace": "team"}, workers=2)

    body = {"model": "gpt-4o-mini", "temperature": 0, "stream": True,
            "messages": [{"role": "user", "content": "hello"}]}
    url, fake = purser.url + "/chat/completions", "prompt=5,output=60,gap_ms=20"

    def headers(key):
        return {"Authorization": f"Bearer {key['key']}", "x-fake": fake}

    with httpx.Client() as ann, httpx.Client() as bob:
        first = ann.send(ann.build_request("POST", url, json=body, headers=headers(keys[0])),
                         stream=True)
        pieces = first.iter_raw()
        begun = next(pieces)
        second = bob.send(bob.build_request("POST", url, json=body, headers=headers(keys[1])),
                          stream=True)
        assert second.headers["x-purser-cache"] == "hit"
        first.close()
        whole = second.read()
    assert whole.endswith(b"data: [DONE]\n\n") and whole.startswith(begun)
    bill = provider.settled_bill()
    assert bill["requests"] == 1 and bill["completion_tokens"] == 60
    purser.idle()
    budgets = purser.budgets()
    assert usd(budgets[("own", "ann", "usd")]["spent"]) == 0
    assert usd(budgets[("own", "bob", "usd")]["spent"]) == bill["cost_nano_usd"]
    assert sum(purser.settled().values()) == bill["cost_nano_usd"]


def test_when_the_payer_cannot_pay_a_follower_does(provider, start):
    keys = [{"id": name, "key": f"sk-test-{name}-0123456789", "team": "research"}
            for name in ("ann", "bob")]
    purser = start(budgets=[{"name": "own", "scope": "key", "window": "day", "usd": 1,
                             "overrides": {"ann": "0.000001"}}],
                   keys=keys, cache={"namespace": "team"})

    def ask(key):
        return purser.chat(key=key, fake=FAKE + ",delay_ms=200", temperature=0)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, [keys[i % 2]["key"] for i in range(20)]))
    for i, answer in enumerate(answers):
        assert answer.status_code == (200 if i % 2 else 400) or answer.headers[
            "x-purser-cache"] == "hit"
    assert answers[1].status_code == 200
    assert provider.settled_bill()["requests"] == 1
