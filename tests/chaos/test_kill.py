"""kill -9 at random moments under load, again and again on the same books.

After each restart: bill ≤ booked ≤ limit; booked − bill is exactly what the forfeit lines hold
above the bill of their own calls; every settled request agrees with the bill to the nano-dollar;
nothing the provider saw is missing in the ledger.

KILL_ROUNDS and KILL_SEED come from the environment.
"""

import asyncio
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

import pytest
from crowd import (Ask, Broken, attempt, billed_by_id, booked_sum, count, lines_of,
                   no_hold_is_left, restart, size, spent, unquiet)
from harness import wait_until

ROUNDS = int(os.environ.get("KILL_ROUNDS", size(30, 6)))
SEED = int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(1 << 32)))
CLIENTS = size(40, 20)
CALL_COST = 5 * 150 + 100 * 600
VERIFY = pathlib.Path(__file__).parents[1] / "unit/books/verify_chain.py"

BUDGETS = [
    {"name": "all", "scope": "global", "window": "total", "usd": 1000},
    # Small enough to be used up within a round: refusals and waiting are killed, too.
    {"name": "sessions", "scope": "session", "window": "total",
     "usd": f"{12 * CALL_COST / 1e9:.9f}"},
]


def some_ask(dice, session):
    output = dice.choice((1, 20, 100))
    return Ask(stream=dice.random() < 0.5, session=session,
               fake=f"output={output},chunks={min(output, 5)},delay_ms={dice.choice((0, 1, 30))},"
                    f"gap_ms={dice.choice((0, 2, 20))}",
               body={"max_tokens": dice.choice((output, 100, 200))})


def some_stream(dice, session):
    """Word by word, and longer than what is held at a time."""
    return Ask(stream=True, session=session,
               fake=f"output={dice.choice((100, 300))},gap_ms={dice.choice((2, 5))}",
               body={"max_tokens": 400})


class Load(threading.Thread):
    """Clients that call one after the other until purser is gone. Each round has sessions of its
    own."""

    def __init__(self, purser, round_name, seed, ask):
        super().__init__()
        self.purser, self.round_name, self.seed, self.ask = purser, round_name, seed, ask
        self.outcomes = []
        self.start()

    def run(self):
        asyncio.run(self._all())

    async def _all(self):
        await asyncio.gather(*(self._client(number) for number in range(CLIENTS)))

    async def _client(self, number):
        dice = random.Random(f"{self.seed} {number}")
        try:
            while True:
                session = f"{self.round_name}-{dice.randrange(8)}"
                self.outcomes.append(await attempt(self.purser, self.ask(dice, session)))
        except Broken:
            pass


def check_books(purser, bill):
    """What the module's first lines say. Returns booked − bill, and how many calls that are."""
    billed = billed_by_id(bill)
    settles = {line["request_id"]: line for line in lines_of(purser, "settle")}
    forfeits = {line["request_id"]: line for line in lines_of(purser, "forfeit")}
    reserved = {line["request_id"]: line for line in lines_of(purser, "reserve", "extend")}
    assert len(settles) == len(lines_of(purser, "settle")), "a call was settled twice"
    assert not settles.keys() & forfeits.keys()
    assert not billed.keys() - reserved.keys(), "the provider saw what the ledger does not know"
    assert reserved.keys() == settles.keys() | forfeits.keys()
    for name, line in settles.items():
        assert line["cost_nano_usd"] == billed[name], line
    for name, line in forfeits.items():
        assert line["cost_nano_usd"] == reserved[name]["hold_nano_usd"] >= billed[name], line
    no_hold_is_left(purser)
    booked = booked_sum(purser)
    excess = sum(line["cost_nano_usd"] - billed[name] for name, line in forfeits.items())
    assert booked - bill["cost_nano_usd"] == excess >= 0
    assert spent(purser, "all")["all"][0] == booked
    check_sessions(purser, billed)
    return excess, len(forfeits)


def check_sessions(purser, billed):
    shown = spent(purser, "sessions")
    booked, owed = {}, {}
    for line in lines_of(purser, "settle", "forfeit"):
        session = f"{line['key']}/{line['session']}"
        booked[session] = booked.get(session, 0) + line["cost_nano_usd"]
        owed[session] = owed.get(session, 0) + billed[line["request_id"]]
    for session, amount in booked.items():
        spent_there, reserved, limit = shown[session]
        assert owed[session] <= amount == spent_there <= limit, session
        assert reserved == 0


def chain_holds(purser):
    verified = subprocess.run([sys.executable, VERIFY, purser.folder / "data/ledger"],
                              capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def one_round(provider, purser, dice, number, ask=some_ask):
    seen = provider.bill(False)["requests"]
    load = Load(purser, f"r{number}", dice.random(), ask)
    wait_until(lambda: provider.bill(False)["requests"] > seen, 30, "the load to begin")
    time.sleep(dice.uniform(0, 0.4))  # the moment; nothing depends on its length
    purser.process.kill()
    load.join()
    return count(load.outcomes)


def test_nothing_is_lost_by_kill_9(provider, start):
    print(f"KILL_SEED={SEED} KILL_ROUNDS={ROUNDS}")
    dice = random.Random(SEED)
    purser = start(budgets=BUDGETS, admission={"clamp": "never", "wait_ms": 50},
                   ledger={"rotate_mb": 1})
    for number in range(ROUNDS):
        codes = one_round(provider, purser, dice, number)
        bill = provider.settled_bill()
        restart(purser)
        with unquiet(f"KILL_SEED={SEED}, round {number}"):
            excess, forfeits = check_books(purser, bill)
            chain_holds(purser)
        print(f"round {number}: {dict(codes)}; billed {bill['cost_nano_usd']}, "
              f"forfeited so far {forfeits} calls, {excess} above the bill")
    torn = list((purser.folder / "data/ledger").glob("*.torn"))
    print(f"torn tails: {len(torn)}")


def check_extended(purser, bill):
    """Of holds that grow: none was relied on before its line was written."""
    billed = billed_by_id(bill)
    held = {line["call"]: line["hold_nano_usd"] for line in lines_of(purser, "reserve", "extend")}
    booked = purser.settled()
    assert not billed.keys() - booked.keys()
    for name, cost in billed.items():
        assert cost <= booked[name], (name, cost, booked[name])
    for line in lines_of(purser, "forfeit"):
        assert line["cost_nano_usd"] == held[line["call"]], line
    no_hold_is_left(purser)
    assert bill["cost_nano_usd"] <= booked_sum(purser) == spent(purser, "all")["all"][0]
    for session, (amount, reserved, limit) in spent(purser, "sessions").items():
        assert amount <= limit and reserved == 0, session


def test_no_extension_is_lost_by_kill_9(provider, start):
    print(f"KILL_SEED={SEED} KILL_ROUNDS={ROUNDS}")
    dice = random.Random(SEED)
    purser = start(budgets=BUDGETS, admission={"slice_tokens": 8, "min_output_tokens": 8,
                                               "wait_ms": 50})
    for number in range(size(10, 3)):
        codes = one_round(provider, purser, dice, number, some_stream)
        bill = provider.settled_bill()
        restart(purser)
        with unquiet(f"KILL_SEED={SEED}, round {number}"):
            check_extended(purser, bill)
            chain_holds(purser)
        print(f"round {number}: {dict(codes)}; billed {bill['cost_nano_usd']}")
    assert lines_of(purser, "extend") and lines_of(purser, "forfeit")


@pytest.mark.parametrize("keep", ["one byte", "half", "all but the line end"])
def test_a_torn_tail_is_cut_and_kept_aside(provider, start, keep):
    """A line that was not written to its end announced nothing: its call was never sent."""
    purser = start(budgets=BUDGETS)
    purser.chat(fake="output=100", max_tokens=100)
    purser.idle()
    purser.process.kill()
    path, = (purser.folder / "data/ledger").glob("*.jsonl")
    whole = path.read_bytes()
    line = next(line for line in whole.splitlines() if b'"reserve"' in line)
    torn = line[:{"one byte": 1, "half": len(line) // 2, "all but the line end": None}[keep]]
    path.write_bytes(whole + torn)
    restart(purser)
    assert (path.parent / (path.name + ".torn")).read_bytes() == torn
    assert path.read_bytes().startswith(whole)
    check_books(purser, provider.settled_bill())
    chain_holds(purser)
    assert purser.chat(fake="output=100", max_tokens=100).status_code == 200
