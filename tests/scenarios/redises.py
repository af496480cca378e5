"""Real redis-servers for scenarios: on loopback, in folders of their own, ended with the block; alone,
behind a Sentinel, as a Cluster."""

import pathlib
import shutil
import signal
import subprocess
import tempfile

from harness import Process, free_port, wait_until

BEGUN = "oO0OoO0"  # in the first line that a server logs


class Redis:
    """`options` go to the command line: Redis(requirepass="x"); a tuple is an option of several
    words. What it holds is lost at its end, unless appendonly="yes"."""

    cli = ()  # more words for redis-cli

    def __init__(self, **options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="purser-redis-"))
        self.port = free_port(10000 if "cluster-enabled" in options else 0)  # of its bus
        self.options = {"save": "", "appendonly": "no", "appendfsync": "always", **options}
        self.url = f"redis://127.0.0.1:{self.port}"
        self.process = None
        self.start()

    def start(self):
        words = [word for name, value in self.options.items()
                 for word in (f"--{name}", *([value] if isinstance(value, str) else value))]
        before = self.process.log().count(BEGUN) if self.process else 0
        self.process = Process(["redis-server", "--port", self.port, "--bind", "127.0.0.1",
                                "--dir", self.folder, *words], self.folder / "log")
        wait_until(lambda: self.is_ready(before), 20, "redis-server to start")

    def is_ready(self, before):
        """The log goes on where the last run's ended."""
        log = self.process.log()
        return log.count(BEGUN) > before and "Ready to accept connections" in log.split(BEGUN)[-1]

    def do(self, *words):
        """A command by redis-cli; the lines of its answer."""
        password = self.options.get("requirepass")
        extra = ["--no-auth-warning", "-a", password] if password else []
        done = subprocess.run(["redis-cli", "-p", str(self.port), *self.cli, *extra, *map(str, words)],
                              text=True, capture_output=True, timeout=10)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    def pairs(self, key):
        lines = self.do("HGETALL", key)
        return dict(zip(lines[::2], lines[1::2]))

    def granted(self):
        """Of each account, what all instances were granted: {key: G}."""
        return {key: int(self.do("HGET", key, "G")[0])
                for key in self.do("KEYS", "{purser}:a:*") if key}

    def kill(self):
        self.process.kill()

    def empty(self):
        """Forgets what it has on disk; while it does not run."""
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        (self.folder / "appendonly.aof").unlink(missing_ok=True)  # of Redis 6

    def stall(self):
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)

    def close(self):
        if self.process.alive():
            self.resume()
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def is_linked(replica):
    return "master_link_status:up" in replica.do("INFO", "replication")


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

    def wait_for(self, replica):
        """Until the replica has followed and the Sentinel knows it."""
        wait_until(lambda: is_linked(replica), 20, "the replica")
        wait_until(lambda: "num-slaves" in self.do("SENTINEL", "MASTER", "mymaster") and
                   str(replica.port) in " ".join(self.do("SENTINEL", "REPLICAS", "mymaster")),
                   30, "the Sentinel to know the replica")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()


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
