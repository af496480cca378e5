"""Everything at once: clients of all kinds, upstreams that fail in every way, hanging up at random
moments, several budgets, all too small. Whatever happens: bill ≤ booked ≤ limit, for every call and
every budget, and nothing is left behind.

STORM_SEED comes from the environment.
"""

import asyncio
import collections
import contextlib
import dataclasses
import os
import random
import signal
import threading

import httpx
import pytest
from crowd import (Ask, Broken, attempt, billed_by_id, booked_sum, lines_of, no_hold_is_left,
                   restart, size, spent, unquiet)
from harness import upstream_of, wait_until

SEED = int(os.environ.get("STORM_SEED", random.SystemRandom().randrange(1 << 32)))
CLIENTS = size(150, 60)
CALLS_EACH = size(12, 6)
SESSIONS = 6
CALL_COST = 5 * 150 + 100 * 600

# How an upstream may fail; what it bills all the same is its own bill's business.
MISHAPS = ["", "", "", "", "status=500", "status=429", "status=503,html=1", "no_answer=1",
           "die_after=2", "half_chunk=1", "half_chunk=2", "usage=missing", "html=1", "gzip=1",
           "usage=with_choices", "usage=every", "events_crlf=1", "big_mb=1",
           "slow_head_ms=20", "cached=3", "reasoning=5"]

# What they say: words, or now and then signs that are a token each.
TEXTS = ["", "", "dense=1"]

LIMITS = {
    "all": {"scope": "global", "usd": 6 * CLIENTS * CALL_COST},
    "sessions": {"scope": "session", "usd": CLIENTS * CALL_COST},
    "few": {"scope": "key", "requests": CLIENTS * CALLS_EACH // 2},
}


def budgets():
    rows = []
    for name, limit in LIMITS.items():
        limit = dict(limit)
        if "usd" in limit:
            limit["usd"] = f"{limit['usd'] / 1e9:.9f}"
        rows.append({"name": name, "window": "total", **limit})
    return rows


# What generates word by word and stops when it is left: such streams may hold slice by slice. (One
# that generates everything and then closes without a word does neither.)
WORDS = ["", "", "", "status=500", "status=429", "die_after=2", "half_chunk=1",
         "half_chunk=2", "usage=missing", "gzip=1", "usage=with_choices", "usage=every",
         "events_crlf=1", "slow_head_ms=20", "cached=3"]


def word_ask(dice):
    output = dice.choice((1, 10, 100, 400))
    words = [f"output={output}", f"delay_ms={dice.choice((0, 5, 50))}",
             f"gap_ms={dice.choice((2, 5, 10))}", dice.choice(WORDS), dice.choice(TEXTS)]
    body = {"max_tokens": dice.choice((output, 100, 2000))}
    if dice.random() < 0.2:
        body["n"] = 2
    if dice.random() < 0.3:
        body["stream_options"] = {"include_usage": True}
    return Ask(dice.random() < 0.9 or "stream_options" in body,
               ",".join(word for word in words if word),
               session=f"s{dice.randrange(SESSIONS)}", body=body)


def deaf_ask(dice):
    """Of a provider that also goes on when it is left."""
    ask = some_ask(dice)
    return dataclasses.replace(ask, fake=ask.fake + ",cancel=ignore") if dice.random() < 0.1 else ask


def some_ask(dice):
    output = dice.choice((1, 10, 100, 1000))
    words = [f"output={output}", f"chunks={min(output, 6)}",
             f"delay_ms={dice.choice((0, 0, 5, 50))}", f"gap_ms={dice.choice((0, 1, 10))}",
             dice.choice(MISHAPS), dice.choice(TEXTS)]
    maximum = dice.choice((None, None, output, 100, 2000))
    body = {} if maximum is None else {"max_tokens": maximum}
    if dice.random() < 0.2:
        body["n"] = 2
    if dice.random() < 0.3:
        body["stream_options"] = {"include_usage": True}
    stream = dice.random() < 0.5 or "stream_options" in body
    return Ask(stream, ",".join(word for word in words if word),
               session=f"s{dice.randrange(SESSIONS)}", body=body)


async def client(purser, number, tally, ask):
    dice = random.Random(f"{SEED} {number}")
    for _ in range(CALLS_EACH):
        patience = dice.choice((None, None, dice.uniform(0, 0.1)))
        try:
            outcome = await asyncio.wait_for(attempt(purser, ask(dice)), patience)
            tally[outcome.code] += 1
        except TimeoutError:
            tally["hung up"] += 1
        except Broken:
            tally["broken"] += 1
        except ValueError:  # a page, or nothing like JSON
            tally["no answer of ours"] += 1


def ask_about_the_books(purser, over):
    """An operator who looks at everything all the time, until purser is gone or all is over."""
    with contextlib.suppress(httpx.TransportError):
        while not over.is_set():
            purser.budgets()
            purser.costs(group_by="day,model,key")
            for line in lines_of_now(purser)[-3:]:
                purser.client.get(f"/costs/{line['request_id']}")
            purser.client.get("/v1/models")
            assert purser.client.get("/readyz").status_code in (200, 503)


def lines_of_now(purser):
    """Of a ledger that is being written: its last line may not be whole."""
    with contextlib.suppress(ValueError):
        return lines_of(purser, "settle")
    return []


def storm(purser, after=None, ask=some_ask):
    """All clients; `after(tally)` runs beside them."""
    tally = collections.Counter()
    over = threading.Event()

    async def run():
        clients = [client(purser, number, tally, ask) for number in range(CLIENTS)]
        beside = [asyncio.to_thread(after, tally)] if after is not None else []
        asker = asyncio.create_task(asyncio.to_thread(ask_about_the_books, purser, over))
        await asyncio.gather(*clients, *beside)
        over.set()
        await asker

    asyncio.run(run())
    print(f"STORM_SEED={SEED}: {dict(tally)}")
    return tally


def check(purser, provider):
    bill = provider.settled_bill()
    billed = billed_by_id(bill)
    no_hold_is_left(purser)
    booked = purser.settled()
    assert not billed.keys() - booked.keys()
    for name, cost in billed.items():
        assert cost <= booked[name], (
            cost, [line for line in purser.ledger() if line["request_id"] == name],
            [call for call in bill["calls"] if call["purser_request_id"] == name])
    total = booked_sum(purser)
    print(f"bill {bill['cost_nano_usd']} ≤ booked {total} ≤ limit {LIMITS['all']['usd']}")
    assert bill["cost_nano_usd"] <= total
    for name, limit in LIMITS.items():
        unit = "usd" if "usd" in limit else "requests"
        for row, (amount, reserved, shown) in spent(purser, name, unit).items():
            assert reserved == 0
            assert amount <= shown == limit[unit], (name, row)
    assert spent(purser, "all")["all"][0] == total
    sums = collections.Counter()
    for line in lines_of(purser, "settle", "forfeit"):
        sums[f"{line['key']}/{line['session']}"] += line["cost_nano_usd"]
    shown = spent(purser, "sessions")
    assert {row: amount for row, amount in sums.items()} == {row: shown[row][0] for row in sums}


@pytest.mark.parametrize("cancel_saves", ["yes", "no"])
@pytest.mark.parametrize("clamp", ["always", "absent", "never"])
def test_bill_is_at_most_booked_is_at_most_the_limit(provider, start, clamp, cancel_saves):
    purser = start(budgets=budgets(), upstreams=[upstream_of(provider, cancel_saves=cancel_saves)],
                   admission={"clamp": clamp, "wait_ms": 30, "min_output_tokens": 16,
                              "slice_tokens": 0})
    with unquiet(f"STORM_SEED={SEED}"):
        storm(purser, ask=some_ask if cancel_saves == "yes" else deaf_ask)
        wait_until(lambda: provider.stats()["streams_open"] == 0, 30, "streams at the provider")
        check(purser, provider)


@pytest.mark.parametrize("slice_tokens", [8, 200])
def test_also_of_streams_that_hold_slice_by_slice(provider, start, slice_tokens):
    purser = start(budgets=budgets(), admission={"wait_ms": 30, "min_output_tokens": 16,
                                                 "slice_tokens": slice_tokens})
    with unquiet(f"STORM_SEED={SEED}"):
        storm(purser, ask=word_ask)
        wait_until(lambda: provider.stats()["streams_open"] == 0, 30, "streams at the provider")
        assert lines_of(purser, "extend")
        check(purser, provider)


@pytest.mark.parametrize("ask", [some_ask, word_ask])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_also_when_it_is_stopped_in_the_middle(provider, start, how, ask):
    purser = start(budgets=budgets(), limits={"drain_seconds": 1},
                   admission={"wait_ms": 30, "min_output_tokens": 16,
                              "slice_tokens": 20 if ask is word_ask else 0})

    def stop(tally):
        wait_until(lambda: sum(tally.values()) > CLIENTS, 60, "the storm to rage")
        purser.process.signal(how)

    with unquiet(f"STORM_SEED={SEED}"):
        storm(purser, after=stop, ask=ask)
        status = purser.process.child.wait(30)
        assert status == (0 if how == signal.SIGTERM else -how), purser.log()[-2000:]
        restart(purser)
        check(purser, provider)
