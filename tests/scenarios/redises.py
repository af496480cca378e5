"""A real redis-server for scenarios: on loopback, in a folder of its own, ended with the block."""

import pathlib
import shutil
import signal
import subprocess
import tempfile

from harness import Process, free_port, wait_until


class Redis:
    """`options` go to the command line: Redis(requirepass="x"). What it holds is lost at its end,
    unless appendonly="yes"."""

    def __init__(self, **options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="purser-redis-"))
        self.port = free_port(10000 if "cluster-enabled" in options else 0)  # of its bus
        self.options = {"save": "", "appendonly": "no", "appendfsync": "always", **options}
        self.url = f"redis://127.0.0.1:{self.port}"
        self.process = None
        self.start()

    def start(self):
        words = [word for name, value in self.options.items() for word in (f"--{name}", value)]
        self.process = Process(["redis-server", "--port", self.port, "--bind", "127.0.0.1",
                                "--dir", self.folder, *words], self.folder / "log")
        wait_until(lambda: "Ready to accept connections" in self.process.log().split("oO0OoO0")[-1],
                   20, "redis-server to start")

    def do(self, *words):
        """A command by redis-cli; the lines of its answer."""
        password = self.options.get("requirepass")
        extra = ["--no-auth-warning", "-a", password] if password else []
        done = subprocess.run(["redis-cli", "-p", str(self.port), *extra, *map(str, words)],
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
