"""Several pursers that share rate limits through a Redis: none of them has a budget, so that only
rate limits are looked at. Purser's answers are compared with the provider's bill."""

import concurrent.futures
import contextlib
import re
import threading

import httpx
import pytest

from fleet import budget
from harness import ADMIN, KEY, Purser, wait_until
from redises import Redis


@pytest.fixture(scope="module")
def server():
    with Redis() as server:
        yield server


@pytest.fixture
def redis(server):
    server.do("FLUSHALL")
    return server


@contextlib.contextmanager
def crowd(provider, redis, count, **limits):
    """`count` pursers that limit all callers together."""
    pursers = [Purser(provider, node=f"node-{number}", store={"redis": redis.url}, budgets=[],
                      cache={"mode": "off"}, rate_limits=[{"scope": "global", **limits}],
                      start=False) for number in range(count)]
    budget(pursers[0], "init")
    with contextlib.ExitStack() as stack:
        for purser in pursers:
            stack.enter_context(purser)
            purser.start()
        yield pursers


@pytest.fixture(scope="module")
def client():
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    with httpx.Client(timeout=60, limits=limits) as shared:
        yield shared


def ask(client, purser, fake=None, max_tokens=10):
    text = f"[fake {fake}] hello" if fake else "hello"
    return client.post(f"{purser.base}/v1/chat/completions",
                       headers={"Authorization": f"Bearer {KEY}"},
                       json={"model": "gpt-4o-mini", "max_tokens": max_tokens,
                             "messages": [{"role": "user", "content": text}]})


def hammer(client, pursers, count, **asking):
    """So many calls, eight at once, on all of them in turn; the answers."""
    def call(number):
        return ask(client, pursers[number % len(pursers)], **asking)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(call, range(count)))
    assert {answer.status_code for answer in answers} <= {200, 429}
    return answers


def paid(answers):
    return sum(answer.status_code == 200 for answer in answers)


def metric(purser, name):
    text = purser.client.get("/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text
    return int(re.search(rf"^{name} (\d+)$", text, re.M).group(1))


# ---- of a minute ----

@pytest.mark.parametrize("count", [2, 4])
def test_requests_of_a_minute(provider, redis, client, count):
    with crowd(provider, redis, count, requests_per_minute=300) as pursers:
        answers = hammer(client, pursers, 450)
        assert paid(answers) == 300 == provider.bill(False)["requests"]
        refused = [answer for answer in answers if answer.status_code == 429]
        last = refused[-1]
        assert last.headers["x-ratelimit-remaining-requests"] == "0"
        assert 30 <= int(last.headers["retry-after"]) <= 65
        assert "300 requests per minute (300 used" in last.json()["error"]["message"]
        for purser in pursers:
            assert metric(purser, "purser_rates_shared") == 1
            assert metric(purser, "purser_rates_operations_total") < len(answers) / count


def test_tokens_of_a_minute(provider, redis, client):
    """Each call holds more than it uses: what is not used is free for all."""
    with crowd(provider, redis, 2, tokens_per_minute=8000) as pursers:
        answers = hammer(client, pursers, 450, fake="output=30", max_tokens=100)
        used = sum(answer.json()["usage"]["total_tokens"]
                   for answer in answers if answer.status_code == 200)
        bill = provider.bill(False)
        assert used == bill["prompt_tokens"] + bill["completion_tokens"]
        assert 7200 <= used <= 8000


def test_callers_see_what_is_left_for_all(provider, redis, client):
    with crowd(provider, redis, 2, requests_per_minute=10) as (one, other):
        for left in (9, 8, 7):
            answer = ask(client, one)
            assert answer.headers["x-ratelimit-remaining-requests"] == str(left)
        assert ask(client, other).headers["x-ratelimit-remaining-requests"] == "6"
        wait_until(lambda: metric(other, "purser_rates_instances") == 2)


def test_what_an_ended_purser_left_is_free(provider, redis, client):
    with crowd(provider, redis, 2, requests_per_minute=130) as (one, other):
        assert paid(hammer(client, [one], 60)) == 60
        one.end()
        hammer(client, [other], 100)
        assert provider.bill(False)["requests"] == 130


# ---- at once ----

class Running:
    """Calls that run until they are let go."""

    def __init__(self, client, purser, count, seconds=30):
        self.statuses = []
        self.threads = [threading.Thread(target=self.run, args=(client, purser, seconds), daemon=True)
                        for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, client, purser, seconds):
        with contextlib.suppress(httpx.TransportError):
            answer = ask(client, purser, fake=f"output=1 delay_ms={seconds * 1000}")
            self.statuses.append(answer.status_code)

    def end(self):
        for thread in self.threads:
            thread.join(60)


def admitted(client, purser):
    return ask(client, purser).status_code == 200


def test_places_are_shared_and_those_of_a_killed_purser_come_back(provider, redis, client):
    with crowd(provider, redis, 2, parallel=6) as (one, other):
        first = Running(client, one, 4)
        wait_until(lambda: provider.bill(False)["requests"] >= 4)
        second = Running(client, other, 4, seconds=14)
        wait_until(lambda: second.statuses == [429, 429])
        assert not admitted(client, one) and not admitted(client, other)
        one.process.kill()
        first.end()
        assert not admitted(client, other)
        wait_until(lambda: admitted(client, other), 13, "the dead one's places")
        third = Running(client, other, 4, seconds=0)
        third.end()
        assert third.statuses == [200] * 4
        second.end()


# ---- a Redis that is away, or forgets ----

def test_without_redis_each_takes_its_part(provider, redis, client):
    with crowd(provider, redis, 2, requests_per_minute=100) as pursers:
        wait_until(lambda: [metric(purser, "purser_rates_instances") for purser in pursers] == [2, 2])
        redis.stall()
        try:
            passed = paid(hammer(client, pursers, 150))
            assert 90 <= passed <= 100
            assert metric(pursers[0], "purser_rates_shared") == 0
        finally:
            redis.resume()
        wait_until(lambda: metric(pursers[0], "purser_rates_shared") == 1)
        assert passed + paid(hammer(client, pursers, 30)) <= 100
        assert "the store of rate limits does not answer" in pursers[0].log()


def test_an_emptied_redis_is_told_again(provider, redis, client):
    with crowd(provider, redis, 2, requests_per_minute=100) as pursers:
        assert paid(hammer(client, pursers, 130)) == 100
        redis.do("FLUSHALL")
        assert paid(hammer(client, pursers, 30)) == 0
