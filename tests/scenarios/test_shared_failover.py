"""Two pursers that share a budget, and another Redis that takes over: by a Sentinel, in a Cluster."""

import concurrent.futures
import contextlib

import pytest
from fleet import Fleet, budget
from harness import wait_until
from redises import Cluster, Redis, Sentinel

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
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                storm = pool.submit(fleet.calls, 60, 20)
                master.kill()
                storm.result()
            fleet.check()
            wait_until(lambda: "role:master" in replica.do("INFO", "replication"), 30,
                       "the replica to be promoted")
            if wait_replicas:
                wait_until(lambda: fleet.call(0)[0] == 503, 30, "growth to stop")
                fleet.check(replica)
            else:
                fleet.until_exhausted(90)
                assert fleet.check(replica) >= 0.95 * fleet.limit


def test_a_cluster_is_found_from_any_node_and_fails_over(provider):
    with contextlib.ExitStack() as stack:
        cluster = Cluster(stack)
        fleet = stack.enter_context(Fleet(provider, cluster, calls=CALLS))
        fleet.until(10)
        owner = cluster.owner()
        fleet.check(owner)
        assert "  all  global all  total  " in budget(fleet.pursers[0], "list")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            storm = pool.submit(fleet.calls, 60, 20)
            owner.kill()
            storm.result()
        fleet.until_exhausted(90)
        assert fleet.check(wait_until(cluster.owner, 30)) >= 0.95 * fleet.limit
