"""on_store_away: {open: usd}: what an instance goes on with while its Redis is away, and what
becomes of it: bill ≤ booked ≤ limit + overdrafts, and the store is told."""

import pytest
from fleet import COST, Fleet
from harness import NANO, wait_until
from redises import Redis
from test_honest import readiness, told
from test_metrics import metrics

OPEN = 7 * COST  # for each instance


@pytest.fixture
def redis():
    with Redis(appendonly="yes") as server:
        yield server


def fleet_of(provider, redis, count=1, calls=200):
    fleet = Fleet(provider, redis, count, calls)
    for purser in fleet.pursers:
        budgets = [{"name": "all", "scope": "global", "window": "total",
                    "usd": f"{fleet.limit / NANO:.9f}",
                    "on_store_away": {"open": f"{OPEN / NANO:.9f}"}}]
        purser.end()
        purser.configure(budgets=budgets)
        purser.start()
    return fleet


def overdraft(purser):
    return round(told(purser)[1]["overdraft"] * NANO)


def spend_without_store(fleet, number=0):
    """Calls until one is refused; how many were paid."""
    paid = 0
    while fleet.call(number)[0] == 200:
        paid += 1
        assert paid < 100
    return paid


def settled(fleet):
    return [sum(purser.settled().values()) for purser in fleet.pursers]


def test_it_goes_on_for_so_much_also_over_a_restart_and_the_store_is_told(provider, redis):
    with fleet_of(provider, redis) as fleet:
        purser = fleet.pursers[0]
        fleet.until(4)
        before = sum(redis.granted().values()) * 1000
        redis.kill()
        wait_until(lambda: told(purser)[0] == "away", 10, "the store to be missed")
        for _ in range(3):
            assert fleet.call(0)[0] == 200
        purser.process.kill()
        purser.start()
        wait_until(lambda: told(purser)[0] == "away", 10, "the store to be missed")
        assert readiness(purser)[0] == 200  # it can admit what it was told to go on with
        spend_without_store(fleet)
        assert fleet.call(0) == (503, "budget_store_unavailable")
        assert readiness(purser)[0] == 503 and "cannot grow" in readiness(purser)[1]
        assert OPEN - 2000 <= overdraft(purser) <= OPEN
        assert settled(fleet)[0] <= before + OPEN
        # A call is held for somewhat more than it costs: the last ones may not fit any more.
        assert settled(fleet)[0] >= 4 * COST + OPEN - 3 * COST
        assert metrics(purser)['purser_budget_overdraft{budget="all",scope="global",unit="usd"}'] \
            * NANO == pytest.approx(overdraft(purser))
        assert 1 <= purser.log().count("on_store_away lets budgets go on") <= 2  # once by each process
        # What was let through without the store stands in the ledger, with those who were.
        drawn = [line["accounts"][0].get("overdraft", 0) for line in purser.ledger()
                 if line["kind"] == "settle"]
        assert drawn[:4] == [0] * 4
        assert settled(fleet)[0] - before <= sum(drawn) <= overdraft(purser) + 2000
        redis.start()
        wait_until(lambda: told(purser)[0] == "redis", 20, "the store to be open")
        fleet.until(3)
        purser.idle()
        wait_until(lambda: sum(redis.granted().values()) * 1000 >= settled(fleet)[0], 10,
                   "the store to know of it")
        assert OPEN - 2000 <= overdraft(purser) <= OPEN
        fleet.check(redis)


def test_overdrafts_are_above_the_limit_by_no_more_than_they_may(provider, redis):
    """Two instances have all of the limit between them when the store goes."""
    with fleet_of(provider, redis, count=2, calls=12) as fleet:
        fleet.until(3)
        redis.kill()
        for purser in fleet.pursers:
            wait_until(lambda: told(purser)[0] == "away", 10, "the store to be missed")
        for number in range(2):
            spend_without_store(fleet, number)
        bill = provider.settled_bill(False)["cost_nano_usd"]
        overdrafts = [overdraft(purser) for purser in fleet.pursers]
        assert all(0 < amount <= OPEN for amount in overdrafts)
        assert bill <= sum(settled(fleet)) <= fleet.limit + sum(overdrafts)
        redis.start()
        for purser in fleet.pursers:
            wait_until(lambda: told(purser)[0] == "redis", 20, "the store to be open")
        fleet.until_exhausted()
        bill = provider.settled_bill(False)["cost_nano_usd"]
        assert bill <= sum(settled(fleet)) <= fleet.limit + sum(overdrafts)
        assert sum(redis.granted().values()) * 1000 <= fleet.limit + sum(overdrafts)
