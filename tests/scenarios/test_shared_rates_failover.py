"""Two pursers that share a rate limit, and another Redis that takes over: by a Sentinel, in a Cluster.
What was used of the minute stays used."""

import contextlib

from harness import wait_until
from redises import Cluster, Redis, Sentinel
from test_shared_rates import client, crowd, hammer, metric, paid  # client is a fixture

LIMIT = 100


def is_shared(purser):
    """It is ready, the store answers, and it knows the other one."""
    return purser.client.get("/readyz").status_code == 200 and \
        metric(purser, "purser_rates_shared") == 1 and metric(purser, "purser_rates_instances") == 2


def check_takeover(provider, client, server, lose):
    """`lose` ends the master, and returns when another one has taken over."""
    with crowd(provider, server, 2, requests_per_minute=LIMIT) as pursers:
        wait_until(lambda: all(map(is_shared, pursers)), 30, "the master to be found")
        assert paid(hammer(client, pursers, 150)) == LIMIT
        lose()
        wait_until(lambda: all(map(is_shared, pursers)), 30, "the new master to be found")
        assert paid(hammer(client, pursers, 30)) == 0
        assert provider.bill(False)["requests"] == LIMIT


def test_what_was_used_stays_used_when_a_sentinel_promotes_a_replica(provider, client):
    with Redis() as master, Redis(replicaof=("127.0.0.1", str(master.port))) as replica, \
            Sentinel(master) as sentinel:
        def lose():
            master.kill()
            wait_until(lambda: "role:master" in replica.do("INFO", "replication"), 30,
                       "the replica to be promoted")
        sentinel.wait_for(replica)
        check_takeover(provider, client, sentinel, lose)


def test_what_was_used_stays_used_when_a_cluster_fails_over(provider, client):
    with contextlib.ExitStack() as stack:
        cluster = Cluster(stack)

        def lose():
            cluster.owner().kill()
            wait_until(cluster.owner, 30, "a replica to be promoted")
        check_takeover(provider, client, cluster, lose)
