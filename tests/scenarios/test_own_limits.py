"""What a request says itself that it may cost: x-purser-max-cost-usd and x-purser-max-tokens. They
bind beside budgets and without any; the fake provider's bill is the judge."""

import concurrent.futures
import json
import random

import pytest

from harness import KEY, NANO, error_of, usd, wait_until
from purses import HELLO, INPUT, OUTPUT, budget, dollars, sent
from test_flights import KEYS, Asker

COST, TOKENS = "x-purser-max-cost-usd", "x-purser-max-tokens"


def at_most(nano=None, tokens=None):
    """The headers."""
    limits = {COST: None if nano is None else dollars(nano),
              TOKENS: None if tokens is None else str(tokens)}
    return {name: value for name, value in limits.items() if value is not None}


def billed(provider, answer):
    """What the provider billed for the call of an answer: (nano-dollars, tokens)."""
    name = answer.headers["x-purser-request-id"]
    call, = [call for call in provider.settled_bill()["calls"]
             if call["purser_request_id"] == name]
    return call["cost_nano_usd"], call["prompt_tokens"] + call["completion_tokens"]


# ---- one request ----

@pytest.mark.parametrize("budgets", [[], [budget(usd=100)], [budget(requests=5)]])
@pytest.mark.parametrize("unit", ["usd", "tokens"])
def test_the_maximum_is_lowered_to_fit(shared_provider, start, unit, budgets):
    purser = start(shared_provider, budgets=budgets)
    size = HELLO
    limit = {"nano": size * INPUT + 100 * OUTPUT + 599} if unit == "usd" else {"tokens": size + 100}
    answer = purser.chat(max_tokens=5000, headers=at_most(**limit), fake="output=9999")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-purser-clamped-max-tokens"] == "100"
    assert sent(shared_provider)["max_tokens"] == 100
    cost, tokens = billed(shared_provider, answer)
    assert answer.json()["usage"]["completion_tokens"] == 100
    assert cost <= limit.get("nano", cost) and tokens <= limit.get("tokens", tokens)
    assert purser.booked(answer)["cost_nano_usd"] == cost
    assert purser.booked(answer)["saved_nano_usd"] == {"early_stop": 4900 * OUTPUT}


def test_a_lowered_maximum_that_is_not_used_up_saves_nothing(shared_provider, start):
    purser = start(shared_provider)
    answer = purser.chat(max_tokens=5000, headers=at_most(tokens=HELLO + 100), fake="output=99")
    assert answer.headers["x-purser-clamped-max-tokens"] == "100"
    assert "saved_nano_usd" not in purser.booked(answer)


def test_both_limits_bind_at_once(shared_provider, start):
    purser = start(shared_provider)
    size = HELLO
    for output, limits in ((80, at_most(size * INPUT + 80 * OUTPUT, size + 90)),
                           (70, at_most(size * INPUT + 80 * OUTPUT, size + 70))):
        answer = purser.chat(max_tokens=5000, headers=limits)
        assert answer.headers["x-purser-clamped-max-tokens"] == str(output)


def test_without_a_maximum_it_gets_one(shared_provider, start):
    purser = start(shared_provider)
    answer = purser.chat(headers=at_most(HELLO * INPUT + 200 * OUTPUT))
    got = sent(shared_provider)
    assert got.get("max_completion_tokens", got.get("max_tokens")) == 200
    assert answer.headers["x-purser-clamped-max-tokens"] == "200"


def test_a_limit_that_suffices_changes_nothing(shared_provider, start):
    purser = start(shared_provider)
    answer = purser.chat(max_tokens=50, headers=at_most(NANO, 5000))
    assert "x-purser-clamped-max-tokens" not in answer.headers
    assert sent(shared_provider)["max_tokens"] == 50
    seen = {name.lower() for name, _ in shared_provider.requests()["requests"][-1]["headers"]}
    assert not {name for name in seen if name.startswith("x-purser")}


def test_a_stream_is_bounded_too(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(usd=1)])
    body = {"stream": True, "max_tokens": 5000}
    limit = HELLO * INPUT + 90 * OUTPUT
    with purser.stream(max_tokens=5000, headers=at_most(limit), fake="output=9999") as answer:
        assert usd(answer.headers["x-purser-hold-usd"]) <= limit
        answer.read()
    assert billed(shared_provider, answer)[0] <= limit
    assert sent(shared_provider)["max_tokens"] <= 90


def test_embeddings_are_refused_when_they_do_not_fit(shared_provider, start):
    purser = start(shared_provider)
    body = {"model": "text-embedding-3-small", "input": "word " * 400}

    def ask(tokens):
        return purser.client.post("/v1/embeddings", headers={TOKENS: str(tokens)}, json=body)

    error = error_of(ask(5), 400, "request_cost_exceeds_limit")
    assert error["param"] == TOKENS and error["affordable_max_tokens"] == 0
    assert ask(100000).status_code == 200


# ---- refusals ----

@pytest.mark.parametrize("unit,name,limit", [("usd", COST, 7 * INPUT), ("tokens", TOKENS, 7)])
def test_what_can_never_fit_is_refused_and_names_the_header(provider, start, unit, name, limit):
    purser = start(provider, budgets=[budget(usd=1)], hide_amounts=True)
    refused = purser.chat(max_tokens=5000, headers=at_most(
        **{"nano" if unit == "usd" else "tokens": limit}))
    error = error_of(refused, 400, "request_cost_exceeds_limit")
    assert error["param"] == name and name in error["message"]
    assert (error["budget"]["name"], error["budget"]["scope"]) == (name, "request")
    told = error["budget"]["limit"]  # its own: hide_amounts hides it from nobody
    assert (usd(told) if unit == "usd" else told) == limit
    line = purser.booked(refused)
    assert (line["kind"], line["error"]) == ("refuse", "request_cost_exceeds_limit")
    assert provider.bill()["requests"] == 0
    assert purser.budgets()[("one", "all", "usd")]["spent"] == 0


def test_where_nothing_may_be_lowered_it_says_what_would_fit(shared_provider, start):
    purser = start(shared_provider, admission={"clamp": "never"})
    limit = at_most(tokens=HELLO + 100)
    error = error_of(purser.chat(max_tokens=5000, headers=limit), 400,
                     "request_cost_exceeds_limit")
    assert error["affordable_max_tokens"] == 100 and error["param"] == "max_tokens"
    assert purser.chat(max_tokens=100, headers=limit).status_code == 200


def test_the_tightest_of_all_is_the_one_that_refuses(shared_provider, start):
    purser = start(shared_provider, budgets=[{"name": "each", "scope": "request",
                                              "usd": 0.000002}])
    for nano, name in ((NANO, "each"), (1000, COST)):
        error = error_of(purser.chat(headers=at_most(nano)), 400, "request_cost_exceeds_limit")
        assert error["budget"]["name"] == name


def test_what_has_no_price_or_no_bound_is_refused_without_a_budget(provider, start):
    purser = start(provider)
    error = error_of(purser.chat(model="my-own", headers=at_most(NANO)), 400, "model_not_priced")
    assert COST in error["message"]
    for limits in (at_most(NANO), at_most(tokens=10**6)):
        error_of(purser.chat(web_search_options={}, headers=limits), 400, "unbounded_tool")
    assert provider.bill()["requests"] == 0
    assert purser.chat(model="my-own", headers=at_most(tokens=10**6)).status_code == 200
    assert purser.chat(model="my-own", web_search_options={}).status_code == 200


@pytest.mark.parametrize("name,values", [
    (COST, ["", "x", "-1", "-0.01", "0.01 USD", "$1", "1,5", "0x10", "nan", "inf", "1e-10",
            "0.0000000001", "4000000001", "1e400", "0.1 0.2", "0.1,0.2"]),
    (TOKENS, ["", "x", "-1", "+5", "4.0", "1e3", "0x10", "99999999999999999999", "5 6", "5,6"])])
def test_a_limit_that_cannot_be_read_is_refused(provider, start, name, values):
    purser = start(provider)
    for value in values:
        error = error_of(purser.chat(headers={name: value}), 400, "invalid_header")
        assert error["param"] == name, value
    assert provider.bill()["requests"] == 0


@pytest.mark.parametrize("name,values", [(COST, ["1", "1"]), (COST, ["1", "0.5"]),
                                         (TOKENS, ["9999", "9999"])])
def test_a_limit_said_twice_is_refused(provider, start, name, values):
    purser = start(provider)
    answer = purser.client.post(
        "/v1/chat/completions", headers=[("Authorization", f"Bearer {KEY}"), (name, values[0]),
                                         (name.title(), values[1])],
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]})
    assert error_of(answer, 400, "invalid_header")["param"] == name
    assert provider.bill()["requests"] == 0


@pytest.mark.parametrize("value,fits", [("0.01", True), (".01", True), ("1e-2", True), ("7", True),
                                        ("4000000000", True), ("0", False), ("0.0", False)])
def test_decimal_dollars_are_read_as_people_write_them(shared_provider, start, value, fits):
    purser = start(shared_provider)
    answer = purser.chat(max_tokens=100, headers={COST: value})
    assert answer.status_code == (200 if fits else 400), answer.text


def test_the_maximum_to_lower_has_the_name_that_it_has_there(shared_provider, start):
    purser = start(shared_provider)
    for path, body, name, tokens in (
            ("chat/completions", {"messages": [{"role": "user", "content": "hi"}]}, "max_tokens", 50),
            ("responses", {"input": "hi"}, "max_output_tokens", 110)):
        answer = purser.client.post(f"/v1/{path}", headers=at_most(tokens=tokens), json={
            "model": "gpt-4o-mini", name: 1000, **body})
        error = error_of(answer, 400, "request_cost_exceeds_limit")
        assert error["param"] == name and f" {name} at most " in error["message"]


def test_who_can_lower_no_maximum_is_told_what_else_to_do(shared_provider, start):
    purser = start(shared_provider)
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": "gpt-4o-mini", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}}
    made = purser.client.post("/v1/files", data={"purpose": "batch"}, files={
        "file": ("a.jsonl", json.dumps(line) + "\n")})
    for path, body, words in (
            ("images/generations", {"model": "dall-e-3", "prompt": "x"}, "plainer pieces"),
            ("batches", {"input_file_id": made.json()["id"], "endpoint": "/v1/chat/completions",
                         "completion_window": "24h"}, "lines of its file"),
            ("embeddings", {"model": "text-embedding-3-small", "input": "x"}, "shorten the prompt")):
        answer = purser.client.post(f"/v1/{path}", headers=at_most(nano=0), json=body)
        error = error_of(answer, 400, "request_cost_exceeds_limit")
        assert error["param"] == COST and words in error["message"], error


# ---- beside the cache ----

def test_a_cached_answer_fits_always(provider, start):
    purser = start(provider, budgets=[budget(usd=1)])
    ask = {"temperature": 0, "max_tokens": 100}
    error_of(purser.chat(**ask, headers=at_most(0)), 400, "request_cost_exceeds_limit")
    assert purser.chat(**ask).headers["x-purser-cache"] == "miss"
    hit = purser.chat(**ask, headers=at_most(0, 0))
    assert hit.status_code == 200 and hit.headers["x-purser-cache"] == "hit"
    assert provider.settled_bill()["requests"] == 1


def test_an_answer_that_was_made_shorter_is_not_kept(provider, start):
    purser = start(provider)
    ask = {"temperature": 0, "max_tokens": 900, "fake": "output=500"}
    short = purser.chat(**ask, headers=at_most(tokens=HELLO + 70))
    assert short.headers["x-purser-clamped-max-tokens"] == "70"
    assert short.json()["usage"]["completion_tokens"] == 70
    whole = purser.chat(**ask)
    assert whole.headers["x-purser-cache"] == "miss"
    assert whole.json()["usage"]["completion_tokens"] == 500


def team(start, **more):
    return start(budgets=[budget(usd=100)], keys=KEYS, cache={"namespace": "team"}, **more)


def test_who_follows_a_call_pays_nothing_and_needs_no_room(provider, start):
    purser = team(start)
    askers = []
    for key, limits in zip(KEYS, ({}, at_most(0), at_most(tokens=0))):
        askers.append(Asker(purser, "output=30,gap_ms=10,delay_ms=300", key=key["key"],
                            headers=limits, stream=True))
        askers[0].read_until(b"data: ")
    for asker in askers:
        asker.read()
        assert asker.status == 200 and b"[DONE]" in asker.got
    assert provider.settled_bill()["requests"] == 1
    purser.idle()
    assert sum(purser.settled().values()) == provider.bill()["cost_nano_usd"]


def test_who_takes_over_a_call_needs_room_for_it(provider, start):
    purser = team(start)
    askers = []
    for key, limits in zip(KEYS, ({}, at_most(1000), at_most(NANO))):
        askers.append(Asker(purser, "output=100,gap_ms=15", key=key["key"], headers=limits,
                            stream=True))
        askers[-1].read_until(b"data: ")
    askers[0].leave()
    wait_until(lambda: [line for line in purser.ledger()
                        if line["kind"] == "reserve" and line["key"] == "cat"])
    for asker in askers[1:]:
        asker.read()
        assert b"[DONE]" in asker.got
    bill = provider.settled_bill()
    purser.idle()
    booked = {}
    for line in purser.ledger():
        if line["kind"] == "settle" and line.get("call"):
            booked[line["key"]] = booked.get(line["key"], 0) + line["cost_nano_usd"]
    assert booked == {"ann": 0, "cat": bill["cost_nano_usd"]}


# ---- all of it at once ----

def test_no_call_costs_more_than_it_says_whatever_is_asked(provider, start):
    purser = start(provider, budgets=[budget(usd=100, tokens=10**9)],
                   admission={"wait_ms": 20000})
    dice = random.Random(20261122)
    asks = [{"content": "word " * dice.randrange(1, 200),
             "max_tokens": dice.choice([1, 50, 400, 3000]),
             "n": dice.choice([1, 1, 3]),
             "fake": f"output={dice.randrange(1, 4000)}",
             "limits": (dice.choice([None, dice.randrange(10**6)]),
                        dice.choice([None, dice.randrange(4000)]))} for _ in range(300)]

    def run(ask):
        ask = dict(ask)
        limits = ask.pop("limits")
        answer = purser.chat(**ask, headers=at_most(*limits))
        if answer.status_code != 200:
            error_of(answer, 400, "request_cost_exceeds_limit")
        return answer.headers["x-purser-request-id"], limits, answer.status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(run, asks))
    calls = {call["purser_request_id"]: call for call in provider.settled_bill()["calls"]}
    statuses = [status for _, _, status in results]
    assert statuses.count(200) == len(calls) > 50 and statuses.count(400) > 5
    for name, (nano, tokens), status in results:
        assert (name in calls) == (status == 200)
        if status == 200:
            call = calls[name]
            assert nano is None or call["cost_nano_usd"] <= nano
            assert tokens is None or call["prompt_tokens"] + call["completion_tokens"] <= tokens
    purser.idle()
    assert sum(purser.settled().values()) == provider.bill()["cost_nano_usd"]
