"""Calls that come as soon as a purser listens, before Redis has answered it."""

import contextlib
import threading

import pytest
from fleet import budget
from harness import Purser, error_of
from redises import Redis

SCOPES = ["session", "global", "key"]


@pytest.fixture
def redis():
    with Redis(appendonly="yes") as redis:
        yield redis


def prepare(provider, redis, scope="session", wait_ms=0):
    """A purser that is set up and not started."""
    purser = Purser(provider, start=False, store={"redis": redis.url}, cache={"mode": "off"},
                    admission={"wait_ms": wait_ms},
                    budgets=[{"name": "all", "scope": scope, "window": "total", "usd": 1}])
    budget(purser, "init")
    return purser


def call(purser):
    return purser.chat(headers={"x-purser-session": "nightly"}, max_tokens=100)


def killed(purser):
    """It was in use, so it knows the budgets that were made at run time, and the store knows it."""
    purser.start()
    assert call(purser).status_code == 200
    purser.process.kill()


@contextlib.contextmanager
def later(what, seconds):
    """`what` is done while the block runs."""
    timer = threading.Timer(seconds, what)
    timer.start()
    yield
    timer.join()


@pytest.mark.parametrize("wait_ms", [0, 5000])
@pytest.mark.parametrize("scope", SCOPES)
def test_the_first_call_is_served(provider, redis, scope, wait_ms):
    with prepare(provider, redis, scope, wait_ms) as purser:
        for _ in range(3):
            killed(purser)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_first_call_waits_for_a_redis_that_answers_a_second_later(provider, redis, scope):
    with prepare(provider, redis, scope) as purser:
        killed(purser)
        redis.stall()
        purser.start()
        with later(redis.resume, 1):
            assert call(purser).status_code == 200, purser.log()


def test_the_first_call_waits_for_a_redis_that_starts_with_it(provider, redis):
    with prepare(provider, redis) as purser:
        killed(purser)
        redis.kill()
        purser.start()
        with later(redis.start, 0.2):
            assert call(purser).status_code == 200, purser.log()


def test_a_redis_that_does_not_come_is_not_waited_for_for_ever(provider, redis):
    with prepare(provider, redis, wait_ms=600000) as purser:
        killed(purser)
        redis.kill()
        purser.start()
        error_of(call(purser), 503, "budget_store_unavailable")
        error_of(call(purser), 503, "budget_store_unavailable")
