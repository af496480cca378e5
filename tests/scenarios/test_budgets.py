"""Budgets: every scope, unit and window; clamping, waiting and the refusals."""

import datetime
import zoneinfo

import pytest

from harness import KEY, NANO, error_of, upstream_of, usd, wait_until
from purses import (BOB, HELLO, INPUT, KEYS, OUTPUT, Calls, amount, bound_of, budget, held, reserved,
                    sent, size_of)


# ---- scopes and units ----

@pytest.mark.parametrize("scope,id_,other", [
    ("global", "all", None),
    ("key", "alice", {"key": BOB}),
    ("user", "ann", {"key": BOB}),
    ("team", "research", {"key": BOB}),
    ("session", "alice/s1", {"headers": {"x-purser-session": "s2"}}),
    ("tag", "batch", {"key": BOB}),
    ("model", "gpt-4o-mini", {"model": "gpt-4o"}),
    ("upstream", "fake", {"model": "gpt-4.1-nano"}),
    ("service", "fake", {"model": "gpt-4.1-nano"}),
])
def test_each_scope_is_counted_apart_and_refuses_when_it_is_used_up(shared_provider, start, scope,
                                                                    id_, other):
    purser = start(shared_provider, keys=KEYS, budgets=[budget(scope=scope, requests=2)],
                   upstreams=[upstream_of(shared_provider, models=["gpt-4o*"]),
                              upstream_of(shared_provider, name="second")])
    session = {"headers": {"x-purser-session": "s1"}}
    assert [purser.chat(**session).status_code for _ in range(2)] == [200, 200]
    refused = purser.chat(**session)
    told = error_of(refused, 429, "budget_exceeded")["budget"]
    assert (told["name"], told["scope"], told["id"], told["unit"]) == ("one", scope, id_,
                                                                       "requests")
    assert (told["limit"], told["spent"], told["reserved"]) == (2, 2, 0)
    if other:
        assert purser.chat(**{**session, **other}).status_code == 200
    row = purser.budgets()[("one", id_, "requests")]
    assert (row["spent"], row["remaining"], row["status"]) == (2, 0, "exhausted")
    line = purser.booked(refused)
    assert (line["kind"], line["error"], line["status"]) == ("refuse", "budget_exceeded", 429)


def test_a_session_budget_cannot_be_escaped_by_leaving_the_session_out(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(scope="session", requests=1)])
    assert purser.chat().status_code == 200
    assert error_of(purser.chat(), 429, "budget_exceeded")["budget"]["id"] == "alice/alice"


def test_the_same_session_of_two_keys_is_two_sessions(shared_provider, start):
    purser = start(shared_provider, keys=KEYS, budgets=[budget(scope="session", requests=1)])
    for key in (KEY, BOB):
        assert purser.chat(key=key, headers={"x-purser-session": "s"}).status_code == 200


@pytest.mark.parametrize("unit,limit,used", [("usd", 0.5, 9 * INPUT + 4 * OUTPUT),
                                             ("tokens", 5000, 13), ("requests", 3, 1)])
def test_each_unit_counts_what_was_used(shared_provider, start, unit, limit, used):
    purser = start(shared_provider, budgets=[budget(**{unit: limit})])
    answer = purser.chat(fake="prompt=9,output=4")
    purser.booked(answer)
    row = wait_until(lambda: (row := purser.budgets()[("one", "all", unit)])["spent"] and row)
    assert (usd(row["spent"]) if unit == "usd" else row["spent"]) == used
    assert row["limit"] == limit and row["reserved"] == 0


def test_a_call_pays_into_every_budget_that_applies_or_into_none(shared_provider, start):
    purser = start(shared_provider, keys=KEYS, budgets=[
        {"name": "all", "scope": "global", "window": "day", "usd": 1, "requests": 9},
        {"name": "team", "scope": "team", "window": "month", "requests": 1},
        {"name": "tag", "scope": "tag", "window": "day", "match": {"tag": "ba*"}, "usd": 1},
        {"name": "bobs", "scope": "key", "window": "total", "match": {"key": "bob"}, "usd": 1}])
    answer = purser.chat(headers={"x-purser-tags": "other"})
    charged = {(charge["budget"], charge["id"], charge["unit"])
               for charge in purser.booked(answer)["accounts"]}
    assert charged == {("all", "all", "usd"), ("all", "all", "requests"),
                       ("team", "research", "requests"), ("tag", "batch", "usd")}
    error_of(purser.chat(), 429, "budget_exceeded")
    assert purser.budgets()[("all", "all", "requests")]["spent"] == 1


def test_buffer_lowers_what_is_enforced_and_shown(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(usd=10, buffer="10%")])
    row = purser.budgets()[("one", "all", "usd")]
    assert (row["limit"], row["limit_configured"]) == (9, 10)


def test_overrides_give_single_ids_other_limits(shared_provider, start):
    purser = start(shared_provider, keys=KEYS, budgets=[
        budget(scope="team", requests=1, overrides={"sales": {"requests": 3}})])
    assert purser.chat().status_code == 200
    error_of(purser.chat(), 429, "budget_exceeded")
    assert [purser.chat(key=BOB).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_the_remaining_budget_is_told_in_a_header(shared_provider, start):
    purser = start(shared_provider, budgets=[
        budget(usd=1), {"name": "small", "scope": "key", "window": "day", "usd": 0.25}])
    answer = purser.chat(fake="prompt=10,output=10")
    assert usd(answer.headers["x-purser-budget-remaining-usd"]) == \
        NANO // 4 - 10 * INPUT - 10 * OUTPUT


# ---- windows ----

def expected_window(kind, zone):
    now = datetime.datetime.now(zoneinfo.ZoneInfo(zone))
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "hour":
        start = now.replace(minute=0, second=0, microsecond=0)
        return start, start + datetime.timedelta(hours=1)
    if kind == "week":
        day -= datetime.timedelta(days=day.weekday())
        return day, day + datetime.timedelta(days=7)
    if kind == "month":
        start = day.replace(day=1)
        return start, (start + datetime.timedelta(days=32)).replace(day=1)
    return day, day + datetime.timedelta(days=1)


def test_windows_begin_and_end_in_their_time_zone(shared_provider, start):
    zones = ["UTC", "Pacific/Auckland", "America/New_York", "Asia/Kolkata"]
    kinds = ["hour", "day", "week", "month"]
    purser = start(shared_provider, budgets=[
        {"name": f"{kind}-{zone.split('/')[-1]}", "scope": "global", "window": kind,
         "timezone": zone, "usd": 1} for kind in kinds for zone in zones])

    def shown_as_expected():
        rows = purser.budgets()
        for kind in kinds:
            for zone in zones:
                row = rows[(f"{kind}-{zone.split('/')[-1]}", "all", "usd")]
                begin, end = expected_window(kind, zone)
                told = [datetime.datetime.fromisoformat(row["window"][side])
                        for side in ("start", "end")]
                if row["window"]["kind"] != kind or told != [begin, end]:
                    return False
                assert row["resets_at"] == row["window"]["end"]
        return True
    wait_until(shown_as_expected, 3, "windows as the calendar has them")


def test_a_total_never_resets(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(requests=1)])
    row = purser.budgets()[("one", "all", "requests")]
    assert row["window"] == {"kind": "total", "start": None, "end": None}
    assert row["resets_at"] is None
    purser.chat()
    error = error_of(purser.chat(), 429, "budget_exceeded")
    assert error["budget"]["resets_at"] is None and "does not reset" in error["message"]


# ---- clamping ----

@pytest.fixture
def tight(shared_provider, start):
    """purser with a budget for that many nano-dollars in all."""
    def begin(nano, **admission):
        return start(shared_provider, budgets=[budget(usd=amount(nano))], admission=admission)
    return begin


def test_a_maximum_is_clamped_to_what_is_left(tight, shared_provider):
    room = HELLO * INPUT + 100 * OUTPUT + 599
    purser = tight(room)
    answer = purser.chat(max_tokens=5000, fake="output=9999")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-purser-clamped-max-tokens"] == "100"
    assert sent(shared_provider)["max_tokens"] == 100
    assert answer.json()["usage"]["completion_tokens"] == 100
    assert purser.lines_of(answer)[0]["hold_nano_usd"] == room - 599
    assert purser.booked(answer)["cost_nano_usd"] <= room


@pytest.mark.parametrize("fields", [{"max_completion_tokens": 5000},
                                    {"max_tokens": 5000, "max_completion_tokens": 4000},
                                    {"max_tokens": 10, "max_completion_tokens": 4000}])
def test_every_maximum_field_is_clamped(tight, shared_provider, fields):
    purser = tight(HELLO * INPUT + 100 * OUTPUT)
    answer = purser.chat(**fields)
    assert answer.headers["x-purser-clamped-max-tokens"] == "100"
    got = sent(shared_provider)
    assert {name: got[name] for name in fields} == \
        {name: min(value, 100) for name, value in fields.items()}


def test_a_maximum_above_the_models_own_holds_and_sends_that(tight, shared_provider):
    purser = tight(NANO)
    answer = purser.chat(max_tokens=1000000, fake="output=99999")
    assert answer.status_code == 200, answer.text
    assert 0 < purser.lines_of(answer)[0]["hold_nano_usd"] - 16384 * OUTPUT < 200 * INPUT
    assert sent(shared_provider)["max_tokens"] == 16384
    assert answer.headers["x-purser-clamped-max-tokens"] == "16384"
    assert answer.json()["usage"]["completion_tokens"] == 16384
    assert "saved_nano_usd" not in purser.booked(answer)


@pytest.mark.parametrize("clamp", ["absent", "never"])
def test_where_it_may_not_be_lowered_it_is_held_as_named(tight, shared_provider, clamp):
    purser = tight(NANO, clamp=clamp)
    answer = purser.chat(max_tokens=1000000)
    assert 0 < purser.lines_of(answer)[0]["hold_nano_usd"] - 1000000 * OUTPUT < 200 * INPUT
    assert sent(shared_provider)["max_tokens"] == 1000000
    assert "x-purser-clamped-max-tokens" not in answer.headers


def test_without_a_budget_a_maximum_goes_as_it_came(shared_provider, start):
    purser = start(shared_provider)
    answer = purser.chat(max_tokens=1000000)
    assert sent(shared_provider)["max_tokens"] == 1000000
    assert "x-purser-clamped-max-tokens" not in answer.headers


def test_a_maximum_that_fits_is_not_touched(tight, shared_provider):
    purser = tight(NANO)
    answer = purser.chat(max_tokens=5000)
    assert "x-purser-clamped-max-tokens" not in answer.headers
    assert sent(shared_provider)["max_tokens"] == 5000


def test_choices_multiply_the_output(tight):
    body = {"max_tokens": 1000, "n": 4}
    purser = tight(HELLO * INPUT + 4 * 70 * OUTPUT)
    answer = purser.chat(**body)
    assert answer.headers.get("x-purser-clamped-max-tokens") == "70", answer.text
    assert answer.json()["usage"]["completion_tokens"] <= 280


def test_an_absent_maximum_gets_a_quarter_of_what_is_left(tight, shared_provider):
    purser = tight(HELLO * INPUT + 4 * 200 * OUTPUT)
    answer = purser.chat()
    assert answer.headers["x-purser-clamped-max-tokens"] == "200"
    got = sent(shared_provider)
    assert got.get("max_completion_tokens", got.get("max_tokens")) == 200


def test_an_absent_maximum_is_at_least_the_smallest_answer(tight, shared_provider):
    purser = tight(HELLO * INPUT + 100 * OUTPUT)
    assert purser.chat().headers["x-purser-clamped-max-tokens"] == "64"


def test_without_pressure_an_absent_maximum_stays_absent(tight, shared_provider):
    purser = tight(100 * NANO)
    answer = purser.chat()
    assert "x-purser-clamped-max-tokens" not in answer.headers
    assert not {"max_tokens", "max_completion_tokens"} & set(sent(shared_provider))


def test_default_max_output_bounds_requests_that_name_none(tight, shared_provider):
    purser = tight(100 * NANO, default_max_output=500)
    answer = purser.chat()
    got = sent(shared_provider)
    assert got.get("max_completion_tokens", got.get("max_tokens")) == 500
    assert purser.lines_of(answer)[0]["hold_nano_usd"] == size_of("hello") * INPUT + 500 * OUTPUT


def test_clamp_absent_refuses_a_named_maximum_that_does_not_fit(tight, shared_provider):
    purser = tight(HELLO * INPUT + 1000 * OUTPUT, clamp="absent")
    error_of(purser.chat(max_tokens=5000), 400, "request_cost_exceeds_limit")
    assert purser.chat().headers["x-purser-clamped-max-tokens"]


def test_clamp_never_refuses_and_tells_what_would_fit(tight, shared_provider):
    purser = tight(HELLO * INPUT + 1000 * OUTPUT, clamp="never")
    error = error_of(purser.chat(max_tokens=5000), 400, "request_cost_exceeds_limit")
    assert error["affordable_max_tokens"] == 1000 and error["param"] == "max_tokens"
    assert error["budget"]["name"] == "one"
    answer = purser.chat(max_tokens=error["affordable_max_tokens"])
    assert answer.status_code == 200
    assert "x-purser-clamped-max-tokens" not in answer.headers


def test_too_little_for_the_smallest_answer_is_exhausted(tight, shared_provider):
    purser = tight(HELLO * INPUT + 64 * OUTPUT + 50 * OUTPUT)
    assert purser.chat(fake="prompt=900,output=60", max_tokens=60).status_code == 200
    error_of(purser.chat(), 429, "budget_exceeded")
    assert purser.chat("x", max_tokens=1).status_code in (200, 429)


def test_an_input_that_alone_is_too_large_says_so(tight):
    purser = tight(1000 * INPUT)
    error = error_of(purser.chat("word " * 5000), 400, "request_cost_exceeds_limit")
    assert error["affordable_max_tokens"] == 0 and "shorten the prompt" in error["message"]


def test_a_token_budget_clamps_too(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(tokens=HELLO + 150)])
    answer = purser.chat(max_tokens=900)
    assert answer.headers["x-purser-clamped-max-tokens"] == "150"


def test_a_request_limit_is_whole_for_every_request(shared_provider, start):
    purser = start(shared_provider, budgets=[{
        "name": "one-call", "scope": "request",
        "usd": amount(HELLO * INPUT + 80 * OUTPUT), "tokens": 4000}])
    for _ in range(3):
        answer = purser.chat(max_tokens=900)
        assert answer.headers["x-purser-clamped-max-tokens"] == "80"
    error = error_of(purser.chat("word " * 5000), 400, "request_cost_exceeds_limit")
    assert error["budget"]["scope"] == "request"


# ---- what has no bound or no price ----

def test_an_unpriced_model_is_refused_under_a_usd_budget_only(shared_provider, start):
    capped = start(shared_provider, budgets=[budget(usd=1)])
    error = error_of(capped.chat(model="my-own"), 400, "model_not_priced")
    assert error["param"] == "model" and "models" in error["message"]
    free = start(shared_provider, budgets=[budget(requests=5)])
    answer = free.chat(model="my-own", fake="output=5")
    assert answer.status_code == 200
    line = free.booked(answer)
    assert line["cost_nano_usd"] == 0 and line["completion_tokens"] == 5


def test_a_model_of_the_configuration_has_its_own_price(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(usd=1)], models=[
        {"name": "my-own", "input": 3, "cached_input": 1, "output": 7, "context": 9000,
         "max_output": 500}])
    answer = purser.chat(model="my-own", fake="prompt=10,cached=4,output=5")
    assert purser.booked(answer)["cost_nano_usd"] == 6 * 3000 + 4 * 1000 + 5 * 7000


@pytest.mark.parametrize("more", [{"web_search_options": {}}, {"plugins": []},
                                  {"tools": [{"type": "mcp", "server_url": "x"}]},
                                  {"service_tier": "scale"}])
def test_what_costs_without_a_bound_is_refused_under_a_usd_budget(shared_provider, start, more):
    purser = start(shared_provider, budgets=[budget(usd=1)])
    error = error_of(purser.chat(**more), 400, "unbounded_tool")
    assert error["param"] == next(iter(more))


def test_functions_pass(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(usd=1)])
    function = {"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {"a": {"type": "string"}}}}}
    assert purser.chat(tools=[function]).status_code == 200


# ---- waiting ----

def test_calls_wait_for_what_others_hold(tight, shared_provider):
    bound = bound_of(max_tokens=100)
    purser = tight(bound + 50 * OUTPUT, wait_ms=20000, clamp="never")
    calls = Calls(purser)
    calls.add("first", fake="delay_ms=300,output=1,prompt=1")
    wait_until(lambda: reserved(purser))
    for number in range(4):
        calls.add(f"waiter-{number}", fake="output=1,prompt=1")
    assert {answer.status_code for answer in calls.all().values()} == {200}
    order = [line["label"] for line in purser.ledger() if line["kind"] == "reserve"]
    assert order[0] == "first" and len(order) == 5
    assert purser.open_holds() == set()


def test_who_waits_too_long_is_told_to_try_again(tight, shared_provider):
    bound = bound_of(max_tokens=100)
    purser = tight(bound + 50 * OUTPUT, wait_ms=200, clamp="never")
    with held(purser, max_tokens=100):
        refused = purser.chat(max_tokens=100)
    error = error_of(refused, 429, "budget_contention")
    assert error["type"] == "rate_limit_error"
    assert refused.headers["retry-after"] == "1" and refused.headers["x-should-retry"] == "true"
    assert usd(error["budget"]["reserved"]) == bound
    assert purser.booked(refused)["error"] == "budget_contention"


def test_who_waits_too_long_is_clamped_to_what_is_free(tight, shared_provider):
    bound = bound_of(max_tokens=100)
    purser = tight(bound + HELLO * INPUT + 70 * OUTPUT, wait_ms=200)
    refused = purser.chat(max_tokens=172, fake="status=400")  # and its ceiling is the whole limit
    assert refused.status_code == 400 and purser.booked(refused)["cost_nano_usd"] == 0
    with held(purser, max_tokens=100):
        answer = purser.chat(max_tokens=100)
    assert answer.headers.get("x-purser-clamped-max-tokens") == "70", answer.text


def test_at_most_max_waiting_wait(tight, shared_provider):
    purser = tight(bound_of(max_tokens=100) + 50 * OUTPUT, wait_ms=10000, clamp="never",
                   max_waiting=0)
    with held(purser, max_tokens=100):
        error_of(purser.chat(max_tokens=100), 429, "budget_contention")


def test_parallel_calls_never_spend_more_than_the_budget(provider, start):
    limit = 7 * (HELLO * INPUT + 100 * OUTPUT)
    purser = start(provider, budgets=[budget(usd=amount(limit))],
                   admission={"clamp": "never", "wait_ms": 20000})
    calls = Calls(purser)
    content = {"fake": f"prompt={HELLO},output=100,delay_ms=20"}
    for number in range(30):
        calls.add(str(number), **content)
    statuses = [answer.status_code for answer in calls.all().values()]
    assert sorted(set(statuses)) == [200, 429] and statuses.count(200) == 7
    assert provider.settled_bill(False)["cost_nano_usd"] == limit
    assert sum(purser.settled().values()) == limit
    assert purser.costs()["total"]["cost_nano_usd"] == limit


# ---- the refusal ----

def test_an_exhausted_budget_says_what_when_and_what_to_do(shared_provider, start):
    purser = start(shared_provider, budgets=[
        {"name": "org-daily", "scope": "global", "window": "day", "requests": 1}])
    purser.chat()
    answer = purser.chat()
    error = error_of(answer, 429, "budget_exceeded")
    assert error["type"] == "insufficient_quota"
    assert error["message"].startswith("Budget has been exceeded!")
    for words in ("org-daily", "limit 1", "spent 1", "reserved 0", "resets at"):
        assert words in error["message"]
    assert "retry-after" not in answer.headers
    assert answer.headers["x-should-retry"] == "false"
    _, end = expected_window("day", "UTC")
    assert datetime.datetime.fromisoformat(error["budget"]["resets_at"]) == end


@pytest.mark.parametrize("status", [402, 403, 400])
def test_the_status_of_an_exhausted_budget_can_be_chosen(shared_provider, start, status):
    purser = start(shared_provider, budget_status=status, budgets=[budget(requests=1)])
    purser.chat()
    answer = purser.chat()
    assert error_of(answer, status, "budget_exceeded")["type"] == "insufficient_quota"


def test_hidden_amounts_are_nowhere(shared_provider, start):
    purser = start(shared_provider, hide_amounts=True, budgets=[
        {"name": "org", "scope": "global", "window": "total", "usd": 0.000777, "requests": 77}])
    answer = purser.chat(max_tokens=10)
    assert "x-purser-budget-remaining-usd" not in answer.headers
    for more in ({"content": "word " * 9000}, {"max_tokens": 100_000, "content": "word " * 5000}):
        answer = purser.chat(**more)
        assert answer.status_code in (400, 429), answer.text
        assert "777" not in answer.text
        assert not {"limit", "spent", "reserved"} & set(answer.json()["error"]["budget"])
