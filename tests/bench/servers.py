"""The servers that the benchmark measures or needs: the fake provider, nginx, purser, a Redis. Each
in a directory of its own, on a port of 127.0.0.1."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
KEY = "sk-bench-0123456789abcdef"

PURSER_CONFIG = """\
listen: 127.0.0.1:{port}
workers: 1
data_dir: {directory}/data
log: {{level: warn, access: false}}
auth: {{mode: keys}}
keys:
  - {{id: bench, key: {key}, user: bench, team: bench}}
upstreams:
  - {{name: fake, base_url: "http://127.0.0.1:{upstream}/v1", api_key: sk-upstream, provider: openai, models: ["gpt-*"]}}
prices: ["{prices}"]
budgets:
  - {{name: day, scope: global, window: day, usd: 1000000}}
  - {{name: month, scope: key, window: month, usd: 1000000}}
  - {{name: session, scope: session, window: total, usd: 1000000}}
  - {{name: one-call, scope: request, usd: 10}}
"""

# What is configured beside that: the same with and without a Redis; and nothing ahead of requests.
LIMITS = "rate_limits: [{{scope: key, requests_per_minute: 100000000, parallel: 10000}}]\n"
SHARED = 'store: {{redis: "redis://127.0.0.1:{redis}"}}\n'
ROOM = "limits: {{accounts: 200000}}\n"
EAGER = 'store: {{redis: "redis://127.0.0.1:{redis}", lease_seconds: 0}}\n'


class Failed(Exception):
    """The benchmark cannot go on; the text says why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process that listens on a port of 127.0.0.1, in a directory of its own."""

    def __init__(self, name, directory):
        self.name = name
        self.directory = pathlib.Path(directory) / name
        self.process = None
        self.port = None

    def start(self):
        self.port = free_port()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.output = open(self.directory / "output", "w", encoding="utf-8")
        self.process = subprocess.Popen(self.command(), stdout=self.output,
                                        stderr=subprocess.STDOUT, cwd=self.directory)
        self.wait_until_it_listens()

    def wait_until_it_listens(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            time.sleep(0.02)
        said = (self.directory / "output").read_text()
        self.stop()
        raise Failed(f"{self.name} does not listen on {self.port}:\n{said}")

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.output.close()

    def restart(self):
        self.stop()
        self.start()


class Provider(Server):
    def __init__(self, binary, directory):
        super().__init__("provider", directory)
        self.binary = binary

    def command(self):
        return [self.binary, "--port", str(self.port), "--die-with-parent"]

    def streams_open(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/fake/stats") as answer:
            return json.load(answer)["streams_open"]


class Nginx(Server):
    def __init__(self, provider, directory):
        super().__init__("nginx", directory)
        self.provider = provider

    def command(self):
        values = {"PORT": self.port, "UPSTREAM": self.provider.port, "DIR": self.directory,
                  "USER": "user root;" if os.getuid() == 0 else ""}
        text = (HERE / "nginx.conf.in").read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        (self.directory / "nginx.conf").write_text(text)
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        return [binary, "-p", self.directory, "-c", self.directory / "nginx.conf", "-e", "stderr"]


class Redis(Server):
    """A new one at each start."""

    def __init__(self, directory):
        super().__init__("redis", directory)

    def command(self):
        return [shutil.which("redis-server") or "/usr/bin/redis-server", "--port", str(self.port),
                "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    def scripts_run(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as link:
            link.sendall(b"INFO commandstats\r\n")
            answer = link.makefile("rb")
            text = answer.read(int(answer.readline()[1:])).decode()
        calls = [line for line in text.splitlines() if line.startswith("cmdstat_evalsha:")]
        return int(calls[0].split("calls=")[1].split(",")[0]) if calls else 0


class Purser(Server):
    """`more` is configured, too; `redis`: the store, empty at the start."""

    def __init__(self, binary, provider, directory, name="purser", more="", redis=None):
        super().__init__(name, directory)
        self.binary = binary
        self.provider = provider
        self.more = more
        self.redis = redis

    def wait_until_it_listens(self):
        """And is ready: until its store has answered, calls in sessions get 503."""
        super().wait_until_it_listens()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):  # so is urllib.error.HTTPError
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1).close()
                return
            time.sleep(0.02)
        self.stop()
        raise Failed(f"{self.name} listens on {self.port}, and is not ready")

    def command(self):
        config = PURSER_CONFIG.format(port=self.port, directory=self.directory, key=KEY,
                                      upstream=self.provider.port,
                                      prices=ROOT / "config" / "prices.json")
        path = self.directory / "purser.yaml"
        port = self.redis.port if self.redis is not None else 0
        path.write_text(config + self.more.format(redis=port))
        if self.redis is not None:
            subprocess.run([self.binary, "budget", "init", "--if-empty", "--config", path],
                           check=True, stdout=subprocess.DEVNULL)
        return [self.binary, "serve", "--config", path]
