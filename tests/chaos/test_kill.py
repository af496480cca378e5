"""kill -9 at random moments under load, again and again on the same books, also while it starts.

Whenever they are looked at: bill ≤ booked ≤ limit; booked − bill is exactly what the forfeit lines hold
above the bill of their own calls; every settled request agrees with the bill to the nano-dollar;
nothing the provider saw is missing in the ledger.

KILL_ROUNDS and KILL_SEED come from the environment.
"""

import os
import pathlib
import random
import subprocess
import sys
import time

import pytest
from crowd import (Ask, billed_by_id, booked_sum, lines_of, no_hold_is_left, restart, size, spent,
                   unquiet)
from herd import CALL_COST, KEYS, Herd, kill_and_restart, some_ask, usd_text, use_up

KILLS = int(os.environ.get("KILL_ROUNDS", size(1000, 20)))
STAGE, BOOKS = 10, 50  # kills before the books are looked at; before others are begun
SEED = int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(1 << 32)))
VERIFY = pathlib.Path(__file__).parents[1] / "unit/books/verify_chain.py"

BUDGETS = [
    {"name": "all", "scope": "global", "window": "total", "usd": 0.5},
    # Small enough to be used up within a stage: refusals and waiting are killed, too.
    {"name": "sessions", "scope": "session", "match": {"key": "alice"}, "window": "total",
     "usd": usd_text(12 * CALL_COST)},
]


def some_stream(dice, session):
    """Word by word, and longer than what is held at a time."""
    return Ask(stream=True, session=session,
               fake=f"output={dice.choice((100, 300))},gap_ms={dice.choice((2, 5))}",
               body={"max_tokens": 400})


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
        if session.startswith("bob/"):  # has no limit of that kind
            continue
        spent_there, reserved, limit = shown[session]
        assert owed[session] <= amount == spent_there <= limit, session
        assert reserved == 0


def chain_holds(purser):
    verified = subprocess.run([sys.executable, VERIFY, purser.folder / "data/ledger"],
                              capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def kill_under_load(purser, dice, ask, kills):
    with Herd([purser], ask, dice.random(), size(30, 15)) as herd:
        for herd.flock in kills:
            time.sleep(dice.uniform(0, 0.2))  # the moment; nothing depends on its length
            kill_and_restart(purser, dice)
        herd.stop()
    return dict(herd.outcomes)


def nothing_is_lost(provider, purser, dice, kills):
    """So many kills on the same books; at the end all of a budget can be used."""
    for done in range(0, kills, STAGE):
        codes = kill_under_load(purser, dice, some_ask, range(done, min(done + STAGE, kills)))
        excess, forfeits = check_books(purser, provider.settled_bill())
        chain_holds(purser)
        print(f"{done}: {codes}; forfeited {forfeits} calls, {excess} above the bill")
    use_up([purser])
    check_books(purser, provider.settled_bill())
    used, _, limit = spent(purser, "all")["all"]
    assert used >= 0.95 * limit


def test_nothing_is_lost_by_kill_9(provider, start):
    print(f"KILL_SEED={SEED} KILL_ROUNDS={KILLS}")
    dice = random.Random(SEED)
    for done in range(0, KILLS, BOOKS):
        provider.reset()
        purser = start(keys=KEYS, budgets=BUDGETS, ledger={"rotate_mb": 1},
                       admission={"clamp": "never", "wait_ms": 50})
        with unquiet(f"KILL_SEED={SEED}, after {done} kills"):
            nothing_is_lost(provider, purser, dice, min(BOOKS, KILLS - done))
        purser.end()


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
    print(f"KILL_SEED={SEED}")
    dice = random.Random(SEED)
    purser = start(budgets=BUDGETS, admission={"slice_tokens": 8, "min_output_tokens": 8,
                                               "wait_ms": 50})
    for done in (0, 5):
        codes = kill_under_load(purser, dice, some_stream, range(done, done + 5))
        bill = provider.settled_bill()
        with unquiet(f"KILL_SEED={SEED}, after {done + 5} kills"):
            check_extended(purser, bill)
            chain_holds(purser)
        print(f"{codes}; billed {bill['cost_nano_usd']}")
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
