"""Several pursers and one Redis: together they spend no more than a limit."""

import pytest
from fleet import COST, Fleet, budget
from redises import Redis

K = 37


@pytest.fixture
def redis():
    with Redis() as server:
        yield server


@pytest.mark.parametrize("count", [2, 4])
def test_a_shared_budget_for_37_calls_pays_37_of_200(provider, redis, count):
    with Fleet(provider, redis, count) as fleet:
        answers = fleet.calls(200)
        assert {status for status, _ in answers} == {200, 429}, answers
        assert {code for _, code in answers} <= {None, "budget_exceeded", "budget_contention"}
        paid = sum(status == 200 for status, _ in answers)
        assert fleet.check(redis) == paid * COST
        assert paid in (K - 1, K)


def test_without_init_nobody_spends(provider, redis):
    with Fleet(provider, redis, init=False) as fleet:
        assert fleet.call(0) == (503, "budget_store_unavailable")
        assert fleet.pursers[0].client.get("/readyz").status_code == 503
        budget(fleet.pursers[0], "init")
        fleet.until(2)
        assert "node-0" in budget(fleet.pursers[0], "list")
        fleet.check(redis)


def test_a_lost_folder_stays_charged_and_is_begun_anew(provider, redis):
    """Without its journal an instance is another one; with the ledger it does not count twice."""
    with Fleet(provider, redis, calls=40, wait_ms=3000) as fleet:
        fleet.until(8)
        fleet.pursers[1].process.kill()
        for path in (fleet.pursers[1].folder / "data").glob("ceilings.db*"):
            path.unlink()
        fleet.pursers[1].start()
        fleet.until(4)
        fleet.check(redis)
        listed = budget(fleet.pursers[0], "list")
        listed = [line.split()[0] for line in listed.splitlines() if " seen " in line]
        assert listed.count("node-1") == 2 and listed.count("node-0") == 1
        told = [line for line in fleet.pursers[1].log().splitlines() if "ceilings.db is new" in line]
        assert len(told) == 1 and "`purser budget leave ID`" in told[0]
        fleet.pursers[1].end()
        fleet.pursers[1].start()
        assert fleet.pursers[1].log().count("ceilings.db is new") == 1  # nor of one that is not
        fleet.until_exhausted()
        assert fleet.check(redis) >= fleet.limit * 0.7


def test_what_was_spent_alone_is_brought_along(provider, redis):
    with Fleet(provider, redis, count=1, calls=20, alone=True) as fleet:
        fleet.until(5)
        fleet.pursers[0].end()
        fleet.pursers[0].configure(store={"redis": redis.url})
        budget(fleet.pursers[0], "init")
        fleet.pursers[0].start()
        fleet.until_exhausted()
        assert fleet.check(redis) == fleet.limit - COST


def test_a_graceful_end_gives_back_what_was_not_used(provider, redis):
    with Fleet(provider, redis) as fleet:
        fleet.until(3)
        fleet.pursers[1].end()
        fleet.pursers[0].end()
        assert list(redis.granted().values()) == [6 * COST // 1000]
