"""Two Redis that both take writes after a failover, and an instance that is new."""

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
