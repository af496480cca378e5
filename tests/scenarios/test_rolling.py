"""Rolling windows: no span of their length has more on the provider's bill than the limit."""

import concurrent.futures
import contextlib
import datetime
import threading
import time

from fleet import COST, TEXT, budget
from harness import NANO, Provider, Purser
from redises import Redis

CALLS = 12
LENGTH = 24  # seconds, the least: sub-buckets of one second
ROLLING = [{"name": "all", "scope": "global", "window": {"rolling": f"{LENGTH}s"},
            "usd": f"{CALLS * COST / NANO:.9f}"}]


class Bill:
    """The provider's bill from second to second."""

    def __init__(self, provider):
        self.provider = provider
        self.samples = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.ended.wait(0.05):
            self.samples.append((time.monotonic(), self.provider.bill(False)["cost_nano_usd"]))

    def end(self):
        self.ended.set()
        self.thread.join()

    def most(self):
        """The most that is on it of any span of the window's length; less a moment, because it is
        the admission that counts and not when the provider has read the request."""
        return max(later - earlier for at, earlier in self.samples for then, later in self.samples
                   if 0 <= then - at <= LENGTH - 0.5)


def call(purser):
    answer = purser.chat(TEXT, fake="prompt=100,output=400,delay_ms=20", max_tokens=400)
    return answer.status_code, answer


def calls(pursers, count):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        return list(pool.map(lambda at: call(pursers[at % len(pursers)]), range(count)))


def seconds_until(stamp):
    return datetime.datetime.fromisoformat(stamp).timestamp() - time.time()


def roll(provider, pursers):
    """Uses the limit up, is refused, and goes on when it falls out of the window."""
    bill = Bill(provider)
    try:
        first = calls(pursers, CALLS // 2)
        assert {status for status, _ in first} == {200}
        time.sleep(2)
        answers = calls(pursers, 2 * CALLS)
        assert sum(status == 200 for status, _ in answers) in (CALLS // 2, CALLS // 2 - 1), answers
        refused = next(answer for status, answer in answers[::-1] if status == 429)
        told = refused.json()["error"]["budget"]
        assert LENGTH / 2 < seconds_until(told["resets_at"]) <= LENGTH + 1, told
        # Nobody forgets, killed or ended.
        pursers[0].process.kill()
        pursers[0].start()
        assert call(pursers[0])[0] == 429
        row = pursers[0].budgets()[("all", "all", "usd")]
        assert row["window"]["kind"] == "rolling"
        time.sleep(max(0, seconds_until(told["resets_at"])))
        deadline = time.monotonic() + 5
        paid = 0
        while paid < CALLS // 2 - 1:
            assert time.monotonic() < deadline, pursers[0].log()[-2000:]
            paid += call(pursers[paid % len(pursers)])[0] == 200
        calls(pursers, CALLS)
    finally:
        bill.end()
    assert bill.most() <= CALLS * COST
    assert bill.samples[-1][1] > CALLS * COST


def alone():
    with Provider() as provider, Purser(
            provider, budgets=ROLLING, cache={"mode": "off"},
            admission={"wait_ms": 300, "clamp": "never"}) as purser:
        roll(provider, [purser])


def shared():
    with Provider() as provider, Redis() as redis, contextlib.ExitStack() as stack:
        pursers = [Purser(provider, budgets=ROLLING, cache={"mode": "off"}, node=f"node-{number}",
                          store={"redis": redis.url}, start=False,
                          admission={"wait_ms": 3000, "clamp": "never"}) for number in range(2)]
        budget(pursers[0], "init")
        for purser in pursers:
            stack.enter_context(purser)
            purser.start()
        roll(provider, pursers)


def test_no_24_seconds_cost_more_than_the_limit():
    """Alone, and with two pursers and a Redis; at the same time, because it takes so long."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(alone), pool.submit(shared)]:
            done.result()
