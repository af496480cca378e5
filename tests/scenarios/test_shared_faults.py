"""Two pursers that share a budget, and what Redis may do while they spend."""

import concurrent.futures
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
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            storm = pool.submit(fleet.calls, 60, 20)
            fault(redis, fleet)
            storm.result()
        fleet.check()
        fleet.until_exhausted()
        bill = fleet.check(redis)
        lost = COST * 20 if fault is purser_is_killed else 0
        assert bill >= 0.95 * fleet.limit - lost
