"""Two pursers that share a budget, and a replica takes over that lacks what its master had granted
and said so: the relay between the two drops it. And back again."""


import pytest
from crowd import size
from fleet import COST, Fleet
from harness import wait_until
from herd import agree_with_the_bill
from redises import Redis
from relay import Relay

CALLS = size(160, 80)


def has_all_of(replica, master):
    return "master_link_status:up" in replica.do("INFO", "replication") and \
        replica.do("EXISTS", "{purser}:meta") == master.do("EXISTS", "{purser}:meta")


def is_entered(master):
    """All have stated what they have there: who still has to join waits for the replica."""
    now = dict(line.strip().split(":", 1) for line in master.do("INFO") if ":" in line)
    state = master.pairs("{purser}:meta")
    return state["recovering"] == "0" and \
        state["fence"] == f"{now['run_id']}.{now['master_replid']}"


def take_over(fleet, door, link, old, new):
    """`new` becomes the master without what `old` grants meanwhile."""
    wait_until(lambda: is_entered(old), 30, "all to have joined")
    with fleet.storm():
        link.deaf = True
        before = sum(old.granted().values())

        def something_is_lost():  # the storm may be over while the store recovers
            fleet.call(0)
            return sum(old.granted().values()) != before
        wait_until(something_is_lost, 30, "something to be lost")
        new.do("REPLICAOF", "NO", "ONE")
        assert old.granted() != new.granted()
        door.switch(new.port)
    fleet.check()
    fleet.until(3, 60)


def go_back_to_it_as_it_was(fleet, door, old, new):
    """It was cut off and comes back: the same run, the same replication id, older grants."""
    with fleet.storm(20):
        door.switch(old.port)


def go_back_by_another_promotion(fleet, door, old, new):
    with Relay(new.port) as link:
        old.do("REPLICAOF", "127.0.0.1", link.port)
        wait_until(lambda: has_all_of(old, new), 30, "the old master to follow")
        take_over(fleet, door, link, new, old)


def stay(fleet, door, old, new):
    pass


@pytest.mark.parametrize("back", [stay, go_back_to_it_as_it_was, go_back_by_another_promotion])
def test_a_replica_that_lacks_acknowledged_grants_takes_over(provider, back):
    with Redis() as old, Relay(old.port) as link, \
            Redis(replicaof=("127.0.0.1", str(link.port))) as new, Relay(old.port) as door, \
            Fleet(provider, door, calls=CALLS) as fleet:
        wait_until(lambda: has_all_of(new, old), 30, "the replica")
        fleet.until(5)
        take_over(fleet, door, link, old, new)
        back(fleet, door, old, new)
        fleet.check()
        fleet.until_exhausted(90)
        assert fleet.check(new if back is stay else old) >= 0.95 * fleet.limit
        agree_with_the_bill(fleet.pursers, provider, fleet.limit)


def test_two_masters_at_once_grant_no_more_than_one(provider):
    """A purser on each side of a network that was cut in two."""
    with Redis() as one, Redis(replicaof=("127.0.0.1", str(one.port))) as other, \
            Relay(one.port) as door, Relay(one.port) as other_door, \
            Fleet(provider, door, calls=CALLS, wait_ms=2000) as fleet:
        fleet.pursers[1].end()
        fleet.pursers[1].configure(store={"redis": other_door.url})
        fleet.pursers[1].start()
        wait_until(lambda: has_all_of(other, one), 30, "the replica")
        fleet.until(5)
        with fleet.storm():
            other.do("REPLICAOF", "NO", "ONE")
            other_door.switch(other.port)
        # What it had is used up; its master waits for the one on the other side.
        wait_until(lambda: fleet.call(1)[0] == 503, 60, "growth to stop")
        while fleet.call(0)[0] == 200:
            pass
        fleet.check()
        other_door.switch(one.port)
        fleet.until_exhausted(90)
        assert fleet.check(one) >= 0.95 * fleet.limit - COST
        agree_with_the_bill(fleet.pursers, provider, fleet.limit)


def test_answers_that_are_lost_grant_nothing_twice(provider):
    """Redis did what it was asked, and nobody heard it say so."""
    with Redis() as redis, Relay(redis.port) as door, Fleet(provider, door, calls=CALLS) as fleet:
        unheard = 0
        for _ in range(3):
            fleet.until(3, 60)
            gseq = redis.do("HGET", "{purser}:meta", "gseq")
            door.deaf = True
            for purser in range(2):
                wait_until(lambda: fleet.call(purser)[0] == 503, 60, "its headroom to end")
            unheard += redis.do("HGET", "{purser}:meta", "gseq") != gseq
            door.deaf = False
            door.switch(redis.port)
        assert unheard
        fleet.check(redis)
        fleet.until_exhausted(90)
        assert fleet.check(redis) >= 0.95 * fleet.limit
        agree_with_the_bill(fleet.pursers, provider, fleet.limit)
