"""Two Redis that both take writes after a failover, and an instance that is new."""

import pytest
from fleet import Fleet, budget
from harness import Purser, wait_until
from redises import Redis, is_linked


def store(purser):
    return purser.client.get("/budget").json()["store"]


def newcomer(fleet, redis):
    one = fleet.pursers[0]
    options = {name: one.config[name] for name in ("budgets", "cache", "admission")}
    return Purser(fleet.provider, node="node-new", store={"redis": redis.url}, **options)


def test_who_is_new_where_nobody_else_is_any_more_leases_nothing(provider):
    with Redis() as left, Redis(replicaof=("127.0.0.1", str(left.port))) as promoted:
        wait_until(lambda: is_linked(promoted), 20, "the replica")
        with Fleet(provider, left, calls=40) as fleet:
            fleet.until(5)
            promoted.do("REPLICAOF", "NO", "ONE")
            fleet.configure(store={"redis": promoted.url})
            fleet.until(3)
            with newcomer(fleet, left) as new:
                wait_until(lambda: store(new) == "newcomer", 10, "it to wait")
                answer = fleet.ask(new, 1)
                assert answer.status_code == 503
                assert answer.headers["x-purser-error"] == "budget_store_unavailable"
                assert "vouched" in new.client.get("/readyz").text
                assert " new " in budget(new, "list")
                fleet.until(8)
                assert fleet.ask(new, 2).status_code == 503  # whatever is left
                new.end()
                new.configure(store={"redis": promoted.url})
                new.start()
                wait_until(lambda: store(new) == "redis", 10, "others to vouch for it")
                assert fleet.ask(new, 3).status_code == 200
            assert sum(promoted.granted().values()) * 1000 <= fleet.limit


def test_who_is_new_goes_on_when_an_operator_has_let_the_others_go(provider):
    with Redis() as redis, Redis(replicaof=("127.0.0.1", str(redis.port))) as replica:
        wait_until(lambda: is_linked(replica), 20, "the replica")
        with Fleet(provider, redis, calls=40, count=1) as fleet:
            fleet.until(5)
            fleet.pursers[0].process.kill()
            with newcomer(fleet, redis) as new:
                wait_until(lambda: store(new) == "newcomer", 10, "it to wait")
                budget(new, "leave", "node-0", "--force")
                wait_until(lambda: store(new) == "redis", 10, "the operator's word to hold")
                assert fleet.ask(new, 1).status_code == 200


@pytest.mark.parametrize("left_and_back", [False, True])
def test_who_is_first_after_the_first_replica_came(provider, left_and_back):
    budgets = [{"name": "all", "scope": "global", "window": "total", "usd": 1}]
    with Redis() as first, Redis() as other, \
            Purser(provider, budgets=budgets, store={"redis": first.url}, start=False) as new:
        budget(new, "init")
        other.do("REPLICAOF", "127.0.0.1", first.port)
        wait_until(lambda: is_linked(other), 20, "the first replica")
        if left_and_back:  # somebody may have begun at the other one meanwhile, and goes on there
            other.do("REPLICAOF", "NO", "ONE")
            first.do("REPLICAOF", "127.0.0.1", other.port)
            wait_until(lambda: is_linked(first), 20, "the failover")
            first.do("REPLICAOF", "NO", "ONE")
        new.start()
        if left_and_back:
            wait_until(lambda: store(new) == "newcomer", 10, "it to wait")
            assert new.chat().status_code == 503
            budget(new, "leave", "unknown", "--force")
        wait_until(lambda: store(new) == "redis", 10, "it to be let in")
        assert new.chat().status_code == 200
