"""What is booked above a ceiling while the store of budgets cannot be told, and a kill -9 after it:
the instance that begins anew tells the store, and so the others. A loss of power is no other case."""

import time

import pytest
from fleet import COST, Fleet
from harness import NANO, wait_until
from redises import Redis
from test_books import AS_BOOKER, BOOKING_KEYS, book
from test_honest import told
from test_recovery import kill

COSTS = 25 * COST


def is_killed(redis):
    redis.kill()
    return redis.start


def stalls(redis):
    redis.stall()
    return redis.resume


def spent(purser):
    return round(told(purser)[1]["spent"] * NANO)


@pytest.mark.parametrize("fault,another_boot", [(is_killed, False), (stalls, False),
                                                (is_killed, True)])
def test_a_cost_that_the_store_was_not_told_of_is_told_after_a_kill(provider, fault, another_boot):
    with Redis(appendonly="yes") as redis, \
            Fleet(provider, redis, calls=40, keys=BOOKING_KEYS) as fleet:
        booker, other = fleet.pursers
        fleet.until(2)
        heal = fault(redis)
        wait_until(lambda: told(booker)[0] == "away", 10, "the store to be missed")
        answer = book(booker, headers=AS_BOOKER, cost_usd=COSTS / NANO)
        assert answer.status_code == 200, answer.text
        kill(booker, another_boot)
        booker.start()
        assert spent(booker) >= COSTS
        heal()
        for purser in fleet.pursers:
            wait_until(lambda purser=purser: told(purser)[0] == "redis", 20, "the store to be open")
        # Nobody has used its budget there since.
        wait_until(lambda: sum(redis.granted().values()) * 1000 >= COSTS, 10, "the store to know")

        def heard():
            fleet.call(1)
            return spent(other) >= COSTS
        wait_until(heard, 10, "the other one to know")
        fleet.until_exhausted()
        fleet.check(redis)
        again = sum(redis.granted().values())
        booker.end()
        booker.start()
        assert fleet.check(redis) and sum(redis.granted().values()) <= again


def test_the_largest_cost_there_is_is_not_taken_for_lost_data(provider):
    """The store takes no more than the largest limit: what is cut of a charge was not forgotten."""
    largest = 4_000_000_000
    with Redis(appendonly="yes") as redis, \
            Fleet(provider, redis, calls=40, keys=BOOKING_KEYS) as fleet:
        booker, other = fleet.pursers
        fleet.until(2)
        epoch = redis.do("HGET", "{purser}:meta", "epoch")
        assert book(booker, headers=AS_BOOKER, cost_usd=largest).status_code == 200
        wait_until(lambda: largest * 10 ** 6 in redis.granted().values(), 10, "the store to know")
        booker.process.kill()
        booker.start()
        wait_until(lambda: told(booker)[0] == "redis", 20, "the store to be open")
        fleet.calls(4)
        time.sleep(1)
        assert redis.do("HGET", "{purser}:meta", "epoch") == epoch
        assert told(other)[0] == "redis"
