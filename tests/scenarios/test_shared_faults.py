"""Two pursers that share a budget, and what Redis may do while they spend."""

import time

import pytest
from fleet import COST, Fleet, budget
from harness import wait_until
from redises import Redis


def restarts_with_what_it_had(redis, fleet):
    redis.kill()
    redis.start()


def restarts_empty(redis, fleet):
    redis.kill()
    redis.empty()
    redis.start()
    wait_until(lambda: fleet.call(0)[0] == 503, 30, "a refusal")
    budget(fleet.pursers[0], "init", "--instances", str(len(fleet.pursers)))


def loses_everything(redis, fleet):
    redis.do("FLUSHALL")
    wait_until(lambda: fleet.call(0)[0] == 503, 30, "a refusal")
    budget(fleet.pursers[0], "init", "--instances", str(len(fleet.pursers)))


def is_wiped_and_set_up_at_once(redis, fleet):
    redis.do("FLUSHALL")
    budget(fleet.pursers[0], "init", "--instances", str(len(fleet.pursers)))


def stalls(redis, fleet):
    redis.stall()
    time.sleep(3)
    redis.resume()


def is_promoted(redis, fleet):
    """Another replication id, as after a failover and back; the data stay."""
    redis.do("REPLICAOF", "127.0.0.1", "1")
    redis.do("REPLICAOF", "NO", "ONE")


def purser_is_killed(redis, fleet):
    fleet.pursers[1].process.kill()
    fleet.pursers[1].start()


@pytest.mark.parametrize("fault", [
    restarts_with_what_it_had, restarts_empty, loses_everything, is_wiped_and_set_up_at_once,
    stalls, is_promoted, purser_is_killed])
def test_nothing_is_overspent_while_redis(provider, fault):
    calls = 120
    with Redis(appendonly="yes") as redis, Fleet(provider, redis, calls=calls) as fleet:
        fleet.until(10)
        with fleet.storm():
            fault(redis, fleet)
        fleet.check()
        fleet.until_exhausted()
        bill = fleet.check(redis)
        lost = COST * 20 if fault is purser_is_killed else 0
        assert bill >= 0.95 * fleet.limit - lost


def test_of_too_many_instances_the_log_and_the_list_say_what_that_means(provider):
    with Redis() as redis, Fleet(provider, redis, count=1) as fleet:
        purser, = fleet.pursers
        fleet.until(1)
        assert "none is told" not in budget(purser, "list")
        others = [f"{number:032}" for number in range(256)]
        redis.do("HSET", "{purser}:meta", *(word for other in others for word in
                                            (f"q:{other}", "1.1", f"p:{other}", "1")))
        for field in ("registered", "enrolled"):
            redis.do("HINCRBY", "{purser}:meta", field, len(others))
        assert "these are 257: let go those that are gone" in budget(purser, "list")
        wait_until(lambda: "257 instances share the store" in purser.log(), 30, "the log")
        budget(purser, "leave", others[0], "--force")
        assert "none is told" not in budget(purser, "list")
        fleet.until(1)


@pytest.mark.parametrize("comes_back", [True, False])
def test_one_that_redis_has_forgotten_is_waited_for_by_name(provider, comes_back):
    with Redis(appendonly="yes") as redis, Fleet(provider, redis) as fleet:
        here, away = fleet.pursers
        fleet.until(3)
        away.process.kill()
        redis.do("FLUSHALL")
        budget(here, "init", "--instances", "1")
        wait_until(lambda: "others remember it" in budget(here, "list"), 30, "its name")
        shown, named = budget(here, "list").splitlines()[0], [
            line.split()[1] for line in budget(here, "list").splitlines() if "remember it" in line]
        assert "until 1 more have synced" in shown and len(named) == 1
        wait_until(lambda: f"purser budget leave {named[0]}" in here.log(), 30, "help in the log")
        assert f" more, of them the instance {named[0]} (" in here.log()
        assert "no budget grows until all instances have told what they have" in here.log()
        if comes_back:
            away.start()
        else:
            budget(here, "leave", named[0], "--force")
        wait_until(lambda: budget(here, "list").startswith("the store is open"), 30, "an epoch")
        assert Fleet.ask(here, 0).status_code == 200
