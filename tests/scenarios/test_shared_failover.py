"""Two pursers that share a budget, and another Redis that takes over: by a Sentinel, in a Cluster."""

import concurrent.futures
import contextlib
import subprocess

import pytest
from fleet import Fleet
from harness import Process, free_port, wait_until
from redises import Redis

CALLS = 120


class Sentinel:
    """One that decides alone, over `master`."""

    def __init__(self, master):
        self.port = free_port()
        self.url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{self.port}/mymaster"
        conf = master.folder / "sentinel.conf"
        conf.write_text(f"port {self.port}\nbind 127.0.0.1\n"
                        f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n"
                        "sentinel down-after-milliseconds mymaster 500\n"
                        "sentinel failover-timeout mymaster 5000\n")
        self.process = Process(["redis-server", conf, "--sentinel"], master.folder / "sentinel.log")
        wait_until(lambda: "+monitor" in self.process.log(), 20, "the Sentinel")

    def do(self, *words):
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], text=True,
                              capture_output=True, timeout=10).stdout.splitlines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()


def is_linked(replica):
    return "master_link_status:up" in replica.do("INFO", "replication")


@pytest.mark.parametrize("wait_replicas", [0, 1])
def test_a_promoted_replica_grants_when_all_have_synced(provider, wait_replicas):
    with Redis() as master, Redis(replicaof=f"127.0.0.1 {master.port}") as replica, \
            Sentinel(master) as sentinel:
        wait_until(lambda: is_linked(replica), 20, "the replica")
        wait_until(lambda: "num-slaves" in sentinel.do("SENTINEL", "MASTER", "mymaster") and
                   str(replica.port) in " ".join(sentinel.do("SENTINEL", "REPLICAS", "mymaster")),
                   30, "the Sentinel to know the replica")
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


class Cluster:
    """Three masters with a replica each."""

    def __init__(self, stack):
        options = {"cluster-enabled": "yes", "cluster-node-timeout": "1000",
                   "cluster-require-full-coverage": "no", "repl-diskless-sync-delay": "0"}
        self.nodes = [stack.enter_context(Redis(**options)) for _ in range(6)]
        hosts = [f"127.0.0.1:{node.port}" for node in self.nodes]
        made = subprocess.run(["redis-cli", "--cluster", "create", *hosts, "--cluster-replicas",
                               "1", "--cluster-yes"], text=True, capture_output=True, timeout=60)
        assert made.returncode == 0, made.stdout + made.stderr
        wait_until(lambda: all("cluster_state:ok" in node.do("CLUSTER", "INFO") and
                               self.masters(node) == 3 for node in self.nodes), 30, "the Cluster")
        self.url = "redis://" + ",".join(hosts)

    @staticmethod
    def masters(node):
        return sum("master" in line.split()[2] for line in node.do("CLUSTER", "NODES") if line)

    def owner(self):
        """The node that has the budgets."""
        for node in self.nodes:
            if node.process.alive() and node.do("EXISTS", "{purser}:meta") == ["1"]:
                return node
        return None


def test_a_cluster_is_found_from_any_node_and_fails_over(provider):
    with contextlib.ExitStack() as stack:
        cluster = Cluster(stack)
        fleet = stack.enter_context(Fleet(provider, cluster, calls=CALLS))
        fleet.until(10)
        owner = cluster.owner()
        fleet.check(owner)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            storm = pool.submit(fleet.calls, 60, 20)
            owner.kill()
            storm.result()
        fleet.until_exhausted(90)
        assert fleet.check(wait_until(cluster.owner, 30)) >= 0.95 * fleet.limit
