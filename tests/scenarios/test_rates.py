"""Rate limits: what is let through, what those that are not are told, and that whatever ends a
request gives back its place. The provider's bill tells which calls were made."""

import concurrent.futures
import contextlib
import json
import random
import re
import time

import httpx
import openai
import pytest

from harness import ADMIN, KEY, error_of, upstream_of, wait_until
from purses import BOB, HELLO, KEYS, budget, sent
from test_flights import Asker
from test_metrics import metrics

OPENAI = re.compile(r"^(\d+m)?\d+s$")


def per_minute(requests, **more):
    return {"scope": "key", "requests_per_minute": requests, **more}


def level(answer, of="requests"):
    """(limit, remaining) as an answer of OpenAI's dialect tells them."""
    assert OPENAI.match(answer.headers[f"x-ratelimit-reset-{of}"])
    return (int(answer.headers[f"x-ratelimit-limit-{of}"]),
            int(answer.headers[f"x-ratelimit-remaining-{of}"]))


def limited(answer, what, seconds=range(1, 66)):
    """Checks a refusal by a rate limit."""
    error = error_of(answer, 429, "rate_limit_exceeded")
    assert error["type"] == "rate_limit_error"
    assert answer.headers["x-should-retry"] == "true"
    assert what in error["message"], error
    wait = int(re.search(r"Try again in (\d+) s\.", error["message"]).group(1))
    assert wait in seconds, wait
    assert int(answer.headers["retry-after"]) == min(wait, 60)  # clients ignore longer ones
    return wait


def calls(provider):
    return provider.bill(False)["requests"]


# ---- requests ----

def test_one_more_than_the_limit_is_refused(provider, start):
    purser = start(provider, rate_limits=[per_minute(3)])
    for left in (2, 1, 0):
        answer = purser.chat()
        assert answer.status_code == 200, answer.text
        assert level(answer) == (3, left)
    refused = purser.chat()
    limited(refused, "Rate limit reached for key 'alice': 3 requests per minute (3 used, "
                     "requested 1)", range(30, 66))
    assert level(refused) == (3, 0)
    assert calls(provider) == 3
    line, = purser.lines_of(refused)
    assert line["kind"] == "refuse" and line["error"] == "rate_limit_exceeded"
    assert line["status"] == 429 and line["cost_usd"] == 0 and line["key"] == "alice"
    metrics = purser.client.get("/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text
    assert 'purser_refusals_total{code="rate_limit_exceeded"} 1\n' in metrics
    assert 'purser_rate_limited_total{limit="requests_per_minute"} 1\n' in metrics
    assert 'purser_rate_limited_total{limit="parallel"} 0\n' in metrics
    assert "purser_rate_accounts 1\n" in metrics
    assert "refused: rate_limit_exceeded by requests_per_minute of key 'alice'" in purser.log()


def test_each_id_has_its_own_and_a_call_must_fit_into_all(provider, start):
    purser = start(provider, keys=KEYS, rate_limits=[
        per_minute(1, overrides={"bob": 2}), {"scope": "global", "requests_per_minute": 4}])
    assert purser.chat().status_code == 200
    limited(purser.chat(), "key 'alice': 1 requests")
    assert level(purser.chat(key=BOB)) == (2, 1)
    assert level(purser.chat(key=BOB)) == (2, 0)
    limited(purser.chat(key=BOB), "key 'bob': 2 requests")
    assert calls(provider) == 3


def test_all_callers_together(provider, start):
    purser = start(provider, keys=KEYS, rate_limits=[{"scope": "global", "requests_per_minute": 2}])
    assert purser.chat().status_code == purser.chat(key=BOB).status_code == 200
    limited(purser.chat(), "all callers together: 2 requests")


def test_sessions_tags_and_matches(provider, start):
    purser = start(provider, rate_limits=[
        {"scope": "session", "requests_per_minute": 1},
        {"scope": "tag", "requests_per_minute": 2, "match": {"tag": "t*"}},
        {"scope": "key", "requests_per_minute": 1, "match": {"model": "gpt-4o"}}])
    say = {"x-purser-session": "a", "x-purser-tags": "t1,other"}
    assert purser.chat(headers=say).status_code == 200
    limited(purser.chat(headers=say), "session 'alice/a'")
    assert purser.chat(headers={**say, "x-purser-session": "b"}).status_code == 200
    limited(purser.chat(headers={**say, "x-purser-session": "c"}), "tag 't1'")
    assert purser.chat(headers={"x-purser-session": "d"}).status_code == 200
    assert purser.chat(model="gpt-4o", headers={"x-purser-session": "e"}).status_code == 200
    limited(purser.chat(model="gpt-4o", headers={"x-purser-session": "f"}), "key 'alice'")
    # What its model's limit refused, it was not in its session's eyes.
    assert purser.chat(headers={"x-purser-session": "f"}).status_code == 200


@pytest.mark.parametrize("scope, id", [("model", "gpt-4o-mini"), ("upstream", "fake")])
def test_limits_of_a_model_and_an_upstream(provider, start, scope, id):
    purser = start(provider, keys=KEYS, rate_limits=[{"scope": scope, "requests_per_minute": 1}])
    answer = purser.chat()
    assert answer.status_code == 200 and level(answer) == (1, 0)
    limited(purser.chat(key=BOB), f"{scope} '{id}': 1 requests")
    assert purser.chat(model="gpt-4o", key=BOB).status_code == (200 if scope == "model" else 429)


def test_what_was_wrong_with_a_request_counts_only_after_its_caller_is_known(provider, start):
    purser = start(provider, budgets=[budget(usd=0.0000001)], rate_limits=[per_minute(2)])
    assert purser.chat(key="sk-wrong-0123456789").status_code == 401
    assert purser.chat(max_tokens="many").status_code == 400
    assert purser.chat(max_tokens=10).headers["x-purser-error"] != "rate_limit_exceeded"
    refused = purser.chat(model="unknown\u0000" * 100)
    assert refused.status_code in (400, 404)
    limited(purser.chat(), "2 requests per minute")
    assert calls(provider) == 0


def test_never_more_than_the_limit_whoever_comes_at_once(provider, start):
    purser = start(provider, rate_limits=[per_minute(40)])

    def ask(_):
        with httpx.Client(base_url=purser.base, timeout=60) as client:
            return [client.post("/v1/chat/completions", headers={"Authorization": f"Bearer {KEY}"},
                                json={"model": "gpt-4o-mini", "max_tokens": 1,
                                      "messages": [{"role": "user", "content": "x"}]}).status_code
                    for _ in range(20)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = [status for some in pool.map(ask, range(8)) for status in some]
    assert statuses.count(200) == 40 and statuses.count(429) == 120
    assert calls(provider) == 40


# ---- tokens ----

def tokens(limit, **more):
    return {"scope": "key", "tokens_per_minute": limit, **more}


def test_tokens_are_taken_by_the_bound_and_given_back_by_the_use(provider, start):
    purser = start(provider, rate_limits=[tokens(1000)])
    running = Asker(purser, "output=30,gap_ms=100,chunks=30", stream=True, max_tokens=800)
    running.read_until(b"data: ")
    limited(purser.chat(max_tokens=300), "key 'alice': 1000 tokens per minute (", range(30, 66))
    assert purser.chat(max_tokens=100).status_code == 200
    running.read()
    line = purser.booked(re.search(rb"x-purser-request-id: (\w+)", running.got, re.I)
                         .group(1).decode())
    answer = purser.chat(max_tokens=700)
    assert answer.status_code == 200, answer.text
    assert line["total_tokens"] < 100
    assert level(answer, "tokens")[0] == 1000
    assert "x-ratelimit-limit-requests" not in answer.headers


def test_an_input_is_counted_where_its_bytes_do_not_fit(shared_provider, start):
    purser = start(shared_provider, rate_limits=[tokens(1000)])
    prompt = "word " * 500
    assert purser.chat(prompt, max_tokens=300).status_code == 200


def test_a_maximum_above_the_limit_is_lowered(shared_provider, start):
    purser = start(shared_provider, rate_limits=[tokens(1000)])
    answer = purser.chat(max_tokens=5000, fake="output=9999")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-purser-clamped-max-tokens"] == str(1000 - HELLO)
    assert sent(shared_provider)["max_tokens"] == 1000 - HELLO
    assert answer.json()["usage"]["completion_tokens"] == 1000 - HELLO
    limited(purser.chat(max_tokens=5000), "1000 tokens per minute")


def test_who_names_no_maximum_gets_a_quarter(shared_provider, start):
    purser = start(shared_provider, rate_limits=[tokens(1000)])
    answer = purser.chat()
    got = sent(shared_provider)
    quarter = (1000 - HELLO) // 4
    assert got.get("max_completion_tokens", got.get("max_tokens")) == quarter
    assert answer.headers["x-purser-clamped-max-tokens"] == str(quarter)


def test_a_large_limit_changes_no_maximum(shared_provider, start):
    purser = start(shared_provider, rate_limits=[tokens(200000)])
    answer = purser.chat()
    got = sent(shared_provider)
    assert "max_completion_tokens" not in got and "max_tokens" not in got
    assert "x-purser-clamped-max-tokens" not in answer.headers


def test_where_maxima_may_not_be_lowered_the_whole_minute_is_taken(shared_provider, start):
    purser = start(shared_provider, rate_limits=[tokens(1000)], admission={"clamp": "never"})
    answer = purser.chat(max_tokens=5000)
    assert answer.status_code == 200 and sent(shared_provider)["max_tokens"] == 5000
    limited(purser.chat(max_tokens=5000), "1000 tokens per minute")
    assert purser.chat(max_tokens=900).status_code == 200


def test_an_input_above_the_limit_can_never_fit(shared_provider, start):
    purser = start(shared_provider, rate_limits=[tokens(300)])
    error = error_of(purser.chat("word " * 400, max_tokens=5), 400, "request_cost_exceeds_limit")
    assert "300 tokens per minute" in error["message"]
    assert purser.chat(max_tokens=5).status_code == 200


def test_an_input_that_nobody_can_count_passes_in_an_empty_minute(shared_provider, start):
    purser = start(shared_provider, rate_limits=[tokens(1000)],
                   models=[{"name": "own", "input": 1, "output": 1}])
    long = "word " * 400
    assert purser.chat(long, model="own", max_tokens=5, fake="prompt=900").status_code == 200
    limited(purser.chat(long, model="own", max_tokens=5), "1000 tokens per minute")
    assert purser.chat(model="own", max_tokens=5).status_code == 200


def test_embeddings_count_their_input(shared_provider, start):
    purser = start(shared_provider, rate_limits=[tokens(100)])

    def embed(words):
        return purser.client.post("/v1/embeddings", json={
            "model": "text-embedding-3-small", "input": "word " * words})
    assert embed(60).status_code == 200
    limited(embed(61), "100 tokens per minute")
    error_of(embed(200), 400, "request_cost_exceeds_limit")


def test_no_minute_s_bill_is_above_the_limit(provider, start):
    """Whatever runs at once, is streamed or given up; all of it within a minute."""
    limit = 20000
    purser = start(provider, rate_limits=[tokens(limit)])
    began = time.monotonic()

    def work(seed):
        dice = random.Random(seed)
        for _ in range(12):
            output, stream = dice.randrange(1, 900), dice.random() < 0.5
            asker = Asker(purser, f"output={output},chunks=20,gap_ms={dice.randrange(3)}",
                          stream=stream, max_tokens=dice.randrange(50, 1500), temperature=1)
            if dice.random() < 0.2:
                asker.socket.close()
            else:
                asker.read()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    purser.idle()
    bill = provider.settled_bill(False)
    assert time.monotonic() - began < 55
    used = bill["prompt_tokens"] + bill["completion_tokens"]
    booked = sum(line.get("total_tokens", 0) for line in purser.ledger())
    assert used <= booked <= limit
    assert any(line["kind"] == "refuse" for line in purser.ledger())
    refused = purser.chat("word " * (limit + 1))
    error_of(refused, 400, "request_cost_exceeds_limit")
    assert level(refused, "tokens") == (limit, limit - booked)


def test_refusals_by_a_budget_give_back_their_tokens(shared_provider, start):
    purser = start(shared_provider, rate_limits=[tokens(1000)], admission={"clamp": "never"},
                   budgets=[budget(usd=0.0001)])
    for _ in range(3):
        assert purser.chat(max_tokens=900).headers["x-purser-error"] == \
            "request_cost_exceeds_limit"
    assert purser.chat(max_tokens=5).status_code == 200


# ---- the cache ----

def test_cached_answers_are_requests_without_tokens(provider, start):
    purser = start(provider, rate_limits=[per_minute(3, tokens_per_minute=1000)])
    ask = {"temperature": 0, "max_tokens": 10, "fake": "prompt=8,output=10"}
    answers = [purser.chat(**ask) for _ in range(3)]
    assert [answer.headers["x-purser-cache"] for answer in answers] == ["miss", "hit", "hit"]
    assert [level(answer)[1] for answer in answers] == [2, 1, 0]
    assert level(answers[2], "tokens")[1] == level(answers[1], "tokens")[1] == 1000 - 18
    limited(purser.chat(**ask), "3 requests per minute")
    assert calls(provider) == 1


# ---- what clients are told ----

def test_headers_are_purser_s_own_where_a_limit_applies(provider, start):
    fake = ("header=x-ratelimit-remaining-requests:7,header=x-ratelimit-limit-tokens:8,"
            "header=anthropic-ratelimit-requests-limit:9")
    purser = start(provider, keys=KEYS, rate_limits=[per_minute(5, match={"key": "alice"})])
    answer = purser.chat(fake=fake)
    assert answer.headers.get_list("x-ratelimit-remaining-requests") == ["4"]
    assert "x-ratelimit-limit-tokens" not in answer.headers
    assert "anthropic-ratelimit-requests-limit" not in answer.headers
    with purser.stream(fake=fake, max_tokens=5) as stream:
        stream.read()
        assert stream.headers.get_list("x-ratelimit-remaining-requests") == ["3"]
        assert OPENAI.match(stream.headers["x-ratelimit-reset-requests"])
    failed = purser.chat(fake="status=500")
    assert failed.status_code == 500 and level(failed) == (5, 2)
    others = purser.chat(key=BOB, fake=fake)
    assert others.headers["x-ratelimit-remaining-requests"] == "7"
    assert others.headers["x-ratelimit-limit-tokens"] == "8"
    assert others.headers["anthropic-ratelimit-requests-limit"] == "9"


def test_messages_speak_anthropic_s_dialect(provider, start):
    purser = start(provider, upstreams=[upstream_of(provider, dialect="both")],
                   rate_limits=[per_minute(1, tokens_per_minute=5000)])

    def ask(**headers):
        return purser.client.post(
            "/v1/messages", headers={"anthropic-version": "2023-06-01", **headers},
            json={"model": "claude-3-5-haiku-20241022", "max_tokens": 10,
                  "messages": [{"role": "user", "content": "hello"}]})
    answer = ask()
    assert answer.status_code == 200, answer.text
    assert answer.headers["anthropic-ratelimit-requests-limit"] == "1"
    assert answer.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert answer.headers["anthropic-ratelimit-tokens-limit"] == "5000"
    assert re.match(r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
                    answer.headers["anthropic-ratelimit-requests-reset"])
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
    refused = ask()
    assert refused.status_code == 429
    assert refused.json()["type"] == "error"
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert refused.headers["x-purser-error"] == "rate_limit_exceeded"
    assert int(refused.headers["retry-after"]) > 30
    assert refused.headers["x-should-retry"] == "true"


# ---- requests at once ----

@contextlib.contextmanager
def one_runs(purser, fake="output=500,gap_ms=50,chunks=500"):
    """A stream that runs as long as the block, unless it is read or closed in it."""
    running = Asker(purser, fake, stream=True, max_tokens=600)
    running.read_until(b"data: ")
    try:
        yield running
    finally:
        running.socket.close()


def is_free(purser):
    return purser.chat(max_tokens=1).status_code == 200


def test_so_many_run_at_once_and_no_more(provider, start):
    purser = start(provider, rate_limits=[{"scope": "key", "parallel": 2}])
    with one_runs(purser), one_runs(purser):
        wait = limited(purser.chat(), "key 'alice': 2 parallel requests (2 running, requested 1)")
        assert wait == 1
        with purser.stream() as stream:
            assert stream.status_code == 429
    wait_until(lambda: is_free(purser), what="a place after both have left")


@pytest.mark.parametrize("fake", [
    "output=5", "status=500", "status=429", "no_answer=1", "die_after=1", "half_chunk=1", "html=1",
    "usage=missing", "fail_after=2", "output=40,gap_ms=20,chunks=40"])
@pytest.mark.parametrize("stream", [False, True])
def test_every_end_of_a_call_gives_its_place_back(shared_provider, start, fake, stream):
    purser = start(shared_provider, rate_limits=[{"scope": "key", "parallel": 1}])
    asker = Asker(purser, fake, stream=stream, max_tokens=50)
    asker.read()
    assert asker.status != 429 or "status=429" in fake
    wait_until(lambda: is_free(purser), what="its place")


@pytest.mark.parametrize("body", [
    {"model": "no such model"}, {"max_tokens": 10**9}, {"service_tier": "unknown"}])
def test_every_refusal_gives_its_place_back(shared_provider, start, body):
    purser = start(shared_provider, rate_limits=[{"scope": "key", "parallel": 1}],
                   budgets=[budget(usd=0.001)], admission={"clamp": "never"},
                   upstreams=[upstream_of(shared_provider, models=["gpt-*"])])
    for _ in range(3):
        answer = purser.chat(**{"model": "gpt-4o-mini", **body})
        assert answer.status_code in (400, 404, 429), answer.text
        assert answer.headers["x-purser-error"] != "rate_limit_exceeded"
    assert is_free(purser)


@pytest.mark.parametrize("stream, fake", [
    (False, "delay_ms=20000"), (True, "delay_ms=20000"),
    (True, "output=500,gap_ms=50,chunks=500")])
def test_hanging_up_gives_the_place_back(shared_provider, start, stream, fake):
    purser = start(shared_provider, rate_limits=[{"scope": "key", "parallel": 1}])
    asker = Asker(purser, fake, stream=stream, max_tokens=600)
    wait_until(lambda: metrics(purser)["purser_calls_in_flight"] == 1, what="the call to run")
    assert not is_free(purser)
    asker.socket.close()
    wait_until(lambda: is_free(purser), what="its place")


def test_who_waits_for_a_budget_runs_and_may_leave(provider, start):
    purser = start(provider, rate_limits=[{"scope": "key", "parallel": 2}],
                   budgets=[budget(usd=0.0005)], admission={"slice_tokens": 0, "wait_ms": 60000})
    with one_runs(purser):
        waiting = Asker(purser, stream=True, max_tokens=600)
        wait_until(lambda: purser.chat(max_tokens=1).status_code == 429, what="both to run")
        limited(purser.chat(max_tokens=1), "2 parallel requests")
        waiting.socket.close()
        wait_until(lambda: purser.chat(max_tokens=1).headers.get("x-purser-error") !=
                   "rate_limit_exceeded", what="the place of who waited")


def test_who_shares_a_call_runs_too(provider, start):
    purser = start(provider, rate_limits=[{"scope": "key", "parallel": 2}])
    first = Asker(purser, "output=80,gap_ms=40,chunks=80", stream=True, max_tokens=200)
    first.read_until(b"data: ")
    second = Asker(purser, "output=80,gap_ms=40,chunks=80", stream=True, max_tokens=200)
    second.read_until(b"data: ")
    limited(purser.chat(), "2 parallel requests")
    first.socket.close()  # the call goes on for the second, and counts as long as it runs
    second.read()
    wait_until(lambda: purser.chat(max_tokens=1).status_code == 200, what="a place")
    assert second.status == 200 and b"[DONE]" in second.got


def test_a_background_response_runs_as_long_as_its_answer_takes(provider, start):
    purser = start(provider, rate_limits=[{"scope": "key", "parallel": 1}])
    answer = purser.client.post(
        "/v1/responses", headers={"x-fake": "delay_ms=500"},
        json={"model": "gpt-4o-mini", "input": "hello", "background": True,
              "max_output_tokens": 50})
    assert answer.status_code == 200, answer.text
    assert is_free(purser)


# ---- reloads, bounds, clients ----

def test_a_reload_changes_limits_and_keeps_what_was_counted(provider, start):
    purser = start(provider)
    assert "x-ratelimit-limit-requests" not in purser.chat().headers
    purser.configure(rate_limits=[per_minute(2)])
    assert purser.reload().json()["changed"] == ["rate_limits"]
    assert level(purser.chat()) == (2, 1)
    assert level(purser.chat()) == (2, 0)
    limited(purser.chat(), "2 requests per minute")
    purser.configure(rate_limits=[per_minute(4, parallel=1)])
    purser.reload()
    with one_runs(purser) as running:
        assert level(purser.chat()) == (4, 1)
        running.socket.close()
    purser.configure(rate_limits=[per_minute(0)])
    refused = purser.reload()
    assert refused.status_code == 400
    assert "rate_limits[0].requests_per_minute: must be a whole number from 1" in \
        refused.json()["error"]["message"]
    purser.configure(rate_limits=[])
    purser.reload()
    assert all("x-ratelimit-limit-requests" not in purser.chat().headers for _ in range(5))


def test_new_ids_are_refused_at_the_bound(provider, start):
    purser = start(provider, limits={"accounts": 100},
                   rate_limits=[{"scope": "session", "requests_per_minute": 5}])
    answers = [purser.chat(headers={"x-purser-session": str(number)}, max_tokens=1)
               for number in range(101)]
    assert all(answer.status_code == 200 for answer in answers[:100])
    error_of(answers[100], 503, "budget_accounts_full")
    assert purser.chat(headers={"x-purser-session": "7"}, max_tokens=1).status_code == 200
    assert calls(provider) == 101


def test_openai_s_client_comes_again_when_it_was_told_to(provider, start):
    purser = start(provider, rate_limits=[{"scope": "key", "parallel": 1}])
    client = openai.OpenAI(base_url=purser.url, api_key=KEY, max_retries=9)
    running = Asker(purser, "output=25,gap_ms=100,chunks=25", stream=True, max_tokens=600)
    running.read_until(b"data: ")
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "again"}], max_tokens=5)
    assert answer.choices[0].message.content
    refused = [line for line in purser.ledger() if line["kind"] == "refuse"]
    assert {line["error"] for line in refused} == {"rate_limit_exceeded"}
    assert len(refused) <= 5  # it waited for a second each time
    running.read()
    with one_runs(purser), pytest.raises(openai.RateLimitError) as caught:
        client.with_options(max_retries=0).chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "once"}], max_tokens=5)
    assert caught.value.code == "rate_limit_exceeded"
    assert json.loads(caught.value.response.text)["error"]["type"] == "rate_limit_error"
