"""Several pursers that share one budget through a Redis."""

import concurrent.futures
import contextlib
import subprocess
import time

import httpx
from harness import NANO, OUT, Purser

# gpt-4o-mini: 100 input tokens, which is less than TEXT has, and 400 output tokens.
COST = 100 * 150 + 400 * 600
TEXT = "word " * 120


def budget(purser, *words):
    """`purser budget`; what it prints."""
    done = subprocess.run([OUT / "purser", "budget", *words, "--config", purser.config_path],
                          text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Fleet:
    """`count` pursers that share a budget for `calls` calls. `envs`: what is in the environment of
    each."""

    def __init__(self, provider, redis, count=2, calls=37, init=True, alone=False, wait_ms=10000,
                 window="total", envs=None, store=None, **options):
        self.provider = provider
        self.limit = calls * COST
        self.stack = contextlib.ExitStack()
        budgets = [{"name": "all", "scope": "global", "window": window,
                    "usd": f"{self.limit / NANO:.9f}"}]
        self.pursers = [
            Purser(provider, budgets=budgets, node=f"node-{number}",
                   store=store or {"redis": "" if alone else redis.url},
                   cache={"mode": "off"}, start=False,
                   admission={"wait_ms": wait_ms, "clamp": "never"},
                   env=envs[number] if envs else None, **options)
            for number in range(count)]
        if init and not alone:
            budget(self.pursers[0], "init")
        for purser in self.pursers:
            self.stack.enter_context(purser)
            purser.start()

    def call(self, number):
        """One call; its status, and the code of a refusal. (0, None): the purser was killed."""
        purser = self.pursers[number % len(self.pursers)]
        try:
            answer = self.ask(purser, number)
        except httpx.TransportError:
            return 0, None
        return answer.status_code, answer.headers.get("x-purser-error")

    @staticmethod
    def ask(purser, number):
        return purser.chat(f"{TEXT}{number}", fake="prompt=100,output=400,delay_ms=20",
                           max_tokens=400)

    def calls(self, count, threads=50):
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self.call, range(count)))

    @contextlib.contextmanager
    def storm(self, count=60):
        """Calls at all times of what happens in the block."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answers = pool.submit(self.calls, count, 20)
            yield
            answers.result()

    def configure(self, **options):
        """Other options, and a restart."""
        for purser in self.pursers:
            purser.end()
            purser.configure(**options)
            purser.start()

    def until(self, calls, seconds=30):
        """Makes calls on each purser until so many have been paid."""
        for purser in range(len(self.pursers)):
            paid = 0
            deadline = time.monotonic() + seconds
            while paid < calls:
                assert time.monotonic() < deadline, self.pursers[purser].log()[-3000:]
                paid += self.call(purser)[0] == 200

    def until_exhausted(self, seconds=60):
        """Until none of twenty calls is paid: all is spent, or stays with who was lost."""
        deadline = time.monotonic() + seconds
        while True:
            answers = self.calls(20, 10)
            if all(status == 429 for status, _ in answers):
                return
            assert time.monotonic() < deadline, answers

    def check(self, redis=None):
        """bill ≤ booked ≤ limit; the bill."""
        for purser in self.pursers:
            if purser.process.alive():
                purser.idle()
        bill = self.provider.settled_bill(False)["cost_nano_usd"]
        booked = sum(sum(purser.settled().values()) for purser in self.pursers)
        assert bill <= booked <= self.limit, (bill, booked, self.limit)
        if redis is not None:
            granted = sum(redis.granted().values())
            assert booked <= granted * 1000 <= self.limit, (booked, granted, self.limit)
        return bill

    def __enter__(self):
        return self

    def __exit__(self, *details):
        if details[0] is not None:
            for purser in self.pursers:
                print(purser.log()[-3000:])
        self.stack.close()
