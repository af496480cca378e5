"""Two pursers that share a budget, and another Redis that takes over: by a Sentinel, in a Cluster."""

import contextlib

import pytest
from fleet import Fleet, budget
from harness import wait_until
from redises import Cluster, Redis, Sentinel, is_linked

CALLS = 120


@pytest.mark.parametrize("wait_replicas", [0, 1])
def test_a_promoted_replica_grants_when_all_have_synced(provider, wait_replicas):
    with Redis() as master, Redis(replicaof=("127.0.0.1", str(master.port))) as replica, \
            Sentinel(master) as sentinel:
        sentinel.wait_for(replica)
        with Fleet(provider, sentinel, calls=CALLS) as fleet:
            fleet.until(10)
            if wait_replicas:
                fleet.configure(store={"redis": sentinel.url, "wait_replicas": 1})
                # With its only replica promoted there is nobody to confirm: nothing more is granted.
                fleet.until(5)
            with fleet.storm():
                master.kill()
            fleet.check()
            wait_until(lambda: "role:master" in replica.do("INFO", "replication"), 30,
                       "the replica to be promoted")
            if wait_replicas:
                wait_until(lambda: fleet.call(0)[0] == 503, 30, "growth to stop")
                fleet.check(replica)
            else:
                fleet.until_exhausted(90)
                assert fleet.check(replica) >= 0.95 * fleet.limit


def test_who_joins_waits_for_a_silent_replica_and_says_so(provider):
    with Redis() as master, Redis(replicaof=("127.0.0.1", str(master.port))) as replica:
        wait_until(lambda: is_linked(replica), 20, "the replica")
        replica.stall()
        with Fleet(provider, master, count=1) as fleet:
            purser, = fleet.pursers
            wait_until(lambda: f"(silent: 127.0.0.1:{replica.port})" in purser.log(), 30, "its name")
            lines = [line for line in purser.log().splitlines() if "who joins must be" in line]
            assert all("does not take this instance in yet" in line for line in lines), lines
            wait_until(lambda: "(not all of its replicas confirm that this instance joins)" in
                       purser.client.get("/readyz").text, 30, "/readyz")
            replica.resume()
            fleet.until(1)
            assert "the store of budgets answers again" in purser.log()


def test_that_the_store_dies_while_one_waits_to_join_is_said(provider):
    with Redis() as master, Redis(replicaof=("127.0.0.1", str(master.port))) as replica:
        wait_until(lambda: is_linked(replica), 20, "the replica")
        replica.stall()
        with Fleet(provider, master, count=1) as fleet:
            purser, = fleet.pursers
            wait_until(lambda: "take this instance in yet" in purser.log(), 30, "its waiting")
            assert "does not answer, so no budget" not in purser.log()
            master.kill()
            wait_until(lambda: "does not answer, so no budget can grow" in purser.log(), 30, "a word")
        replica.resume()


def test_a_cluster_is_found_from_any_node_and_fails_over(provider):
    with contextlib.ExitStack() as stack:
        cluster = Cluster(stack)
        fleet = stack.enter_context(Fleet(provider, cluster, calls=CALLS))
        fleet.until(10)
        owner = cluster.owner()
        fleet.check(owner)
        assert "  all  global all  total  " in budget(fleet.pursers[0], "list")
        with fleet.storm():
            owner.kill()
        fleet.until_exhausted(90)
        assert fleet.check(wait_until(cluster.owner, 30)) >= 0.95 * fleet.limit
