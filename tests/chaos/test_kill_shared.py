"""kill -9 of two pursers in turn, which share their budgets through a real Redis and go on serving
for each other: the books of both against the one bill.

KILL_ROUNDS and KILL_SEED come from the environment.
"""

import os
import random
import shutil
import time

from crowd import billed_by_id, size, unquiet
from fleet import budget
from harness import Purser, usd
from herd import (CALL_COST, KEYS, Herd, agree_with_the_bill, kill_and_restart, some_ask,
                  start_and_serve, usd_text, use_up)
from redises import Redis

KILLS = int(os.environ.get("KILL_ROUNDS", size(1000, 20)))
BOOKS = 50  # kills before others are begun
SEED = int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(1 << 32)))
LIMIT = 500_000_000  # nano-dollars
BUDGETS = [
    {"name": "all", "scope": "global", "window": "total", "usd": usd_text(LIMIT)},
    {"name": "sessions", "scope": "session", "match": {"key": "alice"}, "window": "total",
     "usd": usd_text(12 * CALL_COST // 1000 * 1000)},
]


def granted_is_within_limits(redis):
    """Of each account in Redis; the largest is what all share."""
    largest = 0
    for key in redis.do("KEYS", "{purser}:a:*"):
        account = redis.pairs(key)
        assert int(account["G"]) <= int(account["L"]), (key, account)
        largest = max(largest, int(account["G"]) * 1000)
    return largest


def two_of_them(start, redis):
    pursers = [start(keys=KEYS, budgets=BUDGETS, node=f"node-{number}", start=False,
                     store={"redis": redis.url}, admission={"clamp": "never", "wait_ms": 50})
               for number in range(2)]
    budget(pursers[0], "init")
    for purser in pursers:
        start_and_serve(purser)
    return pursers


def nothing_is_lost(provider, redis, pursers, dice, kills):
    with Herd(pursers, some_ask, dice.random(), size(30, 15)) as herd:
        for herd.flock in range(kills):
            time.sleep(dice.uniform(0, 0.2))  # the moment; nothing depends on its length
            kill_and_restart(pursers[herd.flock % 2], dice)
        herd.stop()
    bill, booked = agree_with_the_bill(pursers, provider, LIMIT)
    print(f"{dict(herd.outcomes)}; billed {bill}, booked {booked}")
    assert booked <= granted_is_within_limits(redis) <= LIMIT
    use_up(pursers)
    bill, booked = agree_with_the_bill(pursers, provider, LIMIT)
    assert booked <= granted_is_within_limits(redis) <= LIMIT
    assert booked >= 0.95 * LIMIT
    for (name, row_id, _), row in pursers[0].budgets().items():
        assert usd(row["spent"]) + usd(row["reserved"]) <= usd(row["limit"]), (name, row_id)


def test_nothing_is_lost_by_kill_9_of_those_that_share(provider, start):
    print(f"KILL_SEED={SEED} KILL_ROUNDS={KILLS}")
    dice = random.Random(SEED)
    for done in range(0, KILLS, BOOKS):
        provider.reset()
        with Redis() as redis:
            pursers = two_of_them(start, redis)
            with unquiet(f"KILL_SEED={SEED}, after {done} kills"):
                nothing_is_lost(provider, redis, pursers, dice, min(BOOKS, KILLS - done))
            for purser in pursers:
                purser.end()


def test_an_emptied_folder_stays_charged(provider, start):
    """Its purser is another one from then on; what was in flight is in the old one's grant."""
    dice = random.Random(SEED)
    lost = []
    with Redis() as redis, unquiet(f"KILL_SEED={SEED}"):
        pursers = two_of_them(start, redis)
        with Herd(pursers, some_ask, dice.random(), 15) as herd:
            for herd.flock in range(4):
                time.sleep(dice.uniform(0.1, 0.4))  # nothing depends on its length
                purser = pursers[herd.flock % 2]
                purser.process.kill()
                lost += purser.ledger()
                shutil.rmtree(purser.folder / "data")
                start_and_serve(purser)
            herd.stop()
        use_up(pursers)
        bill = provider.settled_bill()
        known = {line["request_id"] for lines in (lost, *(purser.ledger() for purser in pursers))
                 for line in lines if line["kind"] == "reserve"}
        assert not billed_by_id(bill).keys() - known
        granted = granted_is_within_limits(redis)
        assert bill["cost_nano_usd"] <= granted <= LIMIT
        assert granted >= 0.95 * LIMIT
        listed = budget(pursers[0], "list")
        instances = [line for line in listed.splitlines() if " seen " in line]
        for name in ("node-0", "node-1"):
            assert sum(name in line for line in instances) == 3, listed
