"""The hard cap: however many clients ask at once, the provider never bills more than the budget.

The judge is the fake provider's own bill. The prompt and the length of the answer are fixed, so
that the budget can be a whole number of calls.
"""

import pytest
from crowd import (Ask, all_at_once, billed_by_id, booked_sum, books_agree_to_the_nano_dollar,
                   count, grow_ceilings, lines_of, no_hold_is_left, size, spent)
from harness import ADMIN, KEY

BOB = "sk-test-bob-0123456789abcdef"
OUTPUT = 100
PROMPT = 4  # "hello" at the fake provider
COST = PROMPT * 150 + OUTPUT * 600
TOKENS = PROMPT + OUTPUT
AFFORDABLE = 37
CLIENTS = size(200, 80)

MIXES = {
    "half_streamed": lambda i: i % 2 == 0,
    "all_streamed": lambda i: True,
    "none_streamed": lambda i: False,
}
FIXED = {"fake": f"output={OUTPUT},delay_ms=150", "body": {"max_tokens": OUTPUT}}


def admission(**more):
    return {"clamp": "never", "wait_ms": 100, **more}


def usd_text(nano):
    return f"{nano / 1e9:.9f}"


def total(name, scope, **limits):
    return {"name": name, "scope": scope, "window": "total", **limits}


def say_ratio(purser):
    holds = {line["hold_nano_usd"] for line in lines_of(purser, "reserve")}
    print(f"bound / actual: {max(holds)} / {COST} = {max(holds) / COST:.3f}")
    assert max(holds) >= COST


def as_many_as_affordable(outcomes):
    codes = count(outcomes)
    print(f"{dict(codes)}, most attempts: {max(outcome.attempts for outcome in outcomes)}")
    assert set(codes) <= {"ok", "budget_exceeded"}, codes
    assert codes["ok"] in (AFFORDABLE - 1, AFFORDABLE), codes
    for outcome in outcomes:
        if outcome.code == "budget_exceeded":
            assert outcome.status == 429 and "retry-after" not in outcome.headers


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_budget_for_37_calls_pays_37_of_200_parallel_ones(provider, start, mix, workers):
    limit = AFFORDABLE * COST
    purser = start(workers=workers, admission=admission(),
                   budgets=[total("cap", "global", usd=usd_text(limit))])
    outcomes = all_at_once(purser, [Ask(MIXES[mix](i), **FIXED) for i in range(CLIENTS)])
    say_ratio(purser)
    as_many_as_affordable(outcomes)
    booked = books_agree_to_the_nano_dollar(purser, provider)
    assert booked == count(outcomes)["ok"] * COST <= limit
    assert spent(purser, "cap")["all"] == (booked, 0, limit)


def test_the_cap_holds_without_waiting(provider, start):
    limit = AFFORDABLE * COST
    purser = start(admission=admission(wait_ms=0),
                   budgets=[total("cap", "global", usd=usd_text(limit))])
    outcomes = all_at_once(purser, [Ask(i % 2 == 0, **FIXED) for i in range(CLIENTS)])
    as_many_as_affordable(outcomes)
    assert books_agree_to_the_nano_dollar(purser, provider) <= limit


@pytest.mark.parametrize("unit, limit, per_call", [
    ("tokens", AFFORDABLE * TOKENS, TOKENS), ("requests", AFFORDABLE, 1)])
def test_token_and_request_budgets_are_as_hard(provider, start, unit, limit, per_call):
    purser = start(admission=admission(), budgets=[total("cap", "global", **{unit: limit})])
    outcomes = all_at_once(purser, [Ask(i % 2 == 0, **FIXED) for i in range(CLIENTS)])
    # A token budget bounds the input by its bytes, so the last calls may not fit any more.
    codes = count(outcomes)
    bound = max(charge["amount"] for line in lines_of(purser, "reserve")
                for charge in line["accounts"])
    print(f"{unit}: {dict(codes)}; bound / actual: {bound / per_call:.3f}")
    assert set(codes) <= {"ok", "budget_exceeded"}, codes
    least = (limit - bound) // per_call + 1
    assert least <= codes["ok"] <= AFFORDABLE
    books_agree_to_the_nano_dollar(purser, provider)
    bill = provider.settled_bill()
    used = {"tokens": bill["prompt_tokens"] + bill["completion_tokens"],
            "requests": bill["requests"]}[unit]
    assert used == codes["ok"] * per_call <= limit
    assert spent(purser, "cap", unit)["all"] == (used, 0, limit)


def test_key_session_and_global_caps_hold_together(provider, start):
    """Two keys with 25 calls each, ten sessions with 6 each, 37 for all."""
    purser = start(
        admission=admission(), auth={"mode": "keys", "admin_token": ADMIN},
        keys=[{"id": "alice", "key": KEY}, {"id": "bob", "key": BOB}],
        budgets=[total("all", "global", usd=usd_text(AFFORDABLE * COST)),
                 total("keys", "key", usd=usd_text(25 * COST)),
                 total("sessions", "session", usd=usd_text(6 * COST), requests=6)])
    asks = [Ask(i % 3 == 0, key=(KEY, BOB)[i % 2], session=f"s{i % 10}", **FIXED)
            for i in range(CLIENTS)]
    as_many_as_affordable(all_at_once(purser, asks))
    books_agree_to_the_nano_dollar(purser, provider)
    billed = billed_by_id(provider.settled_bill())
    for name, parts, limit in (("all", (), AFFORDABLE), ("keys", ("key",), 25),
                               ("sessions", ("key", "session"), 6)):
        sums = {}
        for line in lines_of(purser, "settle"):
            row = "/".join(line[part] for part in parts) or "all"
            sums[row] = sums.get(row, 0) + billed[line["request_id"]]
        shown = spent(purser, name)
        for row, amount in sums.items():
            assert amount <= limit * COST, (name, row)
            assert shown[row] == (amount, 0, limit * COST), (name, row)


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("clamp", ["always", "absent"])
def test_open_ended_calls_are_clamped_to_the_cap(provider, start, mix, clamp):
    """Nobody names a maximum, and the model would talk for 16,384 tokens."""
    limit = AFFORDABLE * COST
    purser = start(admission={"clamp": clamp, "wait_ms": 200, "min_output_tokens": 16},
                   budgets=[total("cap", "global", usd=usd_text(limit))])
    grow_ceilings(purser)
    asks = [Ask(MIXES[mix](i), fake="output=16384,chunks=4,delay_ms=5") for i in range(CLIENTS)]
    outcomes = all_at_once(purser, asks)
    codes = count(outcomes)
    bill = provider.settled_bill()
    print(f"{dict(codes)}; bill / budget: {bill['cost_nano_usd'] / limit:.4f}")
    assert set(codes) <= {"ok", "budget_exceeded"}, codes
    booked = books_agree_to_the_nano_dollar(purser, provider)
    assert booked <= limit
    assert codes["ok"] > 0
    # What is left would not have paid the smallest call worth making: input and 16 tokens.
    input_bound = min(line["hold_nano_usd"] for line in lines_of(purser, "reserve")) - 16 * 600
    assert limit - booked < input_bound + 16 * 600 + PROMPT * 150
    for outcome in outcomes:
        if outcome.code == "ok":
            assert outcome.finish == "length"
            assert int(outcome.headers["x-purser-clamped-max-tokens"]) >= 16


def ask_for_more_than_there_is(provider, start, fake, **more):
    """Each client names more than the whole budget pays, and the provider would give it. Returns
    what the provider billed, the budget, and purser."""
    limit = AFFORDABLE * COST
    purser = start(admission={"clamp": "always", "wait_ms": 200, "min_output_tokens": 16, **more},
                   budgets=[total("cap", "global", usd=usd_text(limit))])
    grow_ceilings(purser)
    outcomes = all_at_once(purser, [Ask(i % 2 == 0, fake=fake, body={"max_tokens": 10000})
                                    for i in range(CLIENTS)])
    bill = provider.settled_bill()
    print(f"{dict(count(outcomes))}; bill / budget: {bill['cost_nano_usd'] / limit:.4f}")
    assert count(outcomes)["ok"] > 0
    assert set(count(outcomes)) <= {"ok", "budget_exceeded"}
    return bill, limit, purser


def test_named_maxima_are_clamped_to_what_is_left(provider, start):
    """All holds are in full, so the provider may be faster than any."""
    _, limit, purser = ask_for_more_than_there_is(provider, start, "output=16384,chunks=4",
                                                  slice_tokens=0)
    assert books_agree_to_the_nano_dollar(purser, provider) <= limit


def test_streams_past_named_maxima_are_stopped_at_what_is_left(provider, start):
    """Streams hold a slice each, and may: the provider makes 1,900 tokens a second. Those that are
    stopped are booked with the slack, so no less than the bill."""
    bill, limit, purser = ask_for_more_than_there_is(provider, start,
                                                     "output=16384,chunks=400,gap_ms=5")
    no_hold_is_left(purser)
    settled = purser.settled()
    assert all(cost <= settled[name] for name, cost in billed_by_id(bill).items())
    assert sum(settled.values()) == booked_sum(purser) == spent(purser, "cap")["all"][0] <= limit


def test_short_answers_under_large_holds_do_not_lock_the_budget(provider, start):
    """Holds are ten times what is used: clients wait for one another, and all is paid out."""
    limit = AFFORDABLE * COST
    purser = start(admission={"clamp": "always", "wait_ms": 300, "min_output_tokens": 64},
                   budgets=[total("cap", "global", usd=usd_text(limit))])
    asks = [Ask(i % 2 == 0, fake="output=100,delay_ms=10", body={"max_tokens": 1000})
            for i in range(CLIENTS)]
    outcomes = all_at_once(purser, asks)
    codes = count(outcomes)
    print(f"{dict(codes)}, most attempts: {max(outcome.attempts for outcome in outcomes)}")
    assert set(codes) <= {"ok", "budget_exceeded"}
    assert codes["ok"] >= AFFORDABLE - 1  # the last ones are clamped, and shorter
    no_hold_is_left(purser)
    assert books_agree_to_the_nano_dollar(purser, provider) <= limit
