"""A wall clock that jumps, forwards and back (jumping_clock.c): how long an answer is kept does not
hang on it, the books stay right, and no window of a budget begins before its time."""

import contextlib
import os
import pathlib
import time

import pytest
from crowd import booked_sum, no_hold_is_left
from fleet import COST, Fleet
from harness import wait_until
from herd import agree_with_the_bill, usd_text
from preloading import library_of, preload
from redises import Redis

SOURCE = pathlib.Path(__file__).with_name("jumping_clock.c")
HOUR, DAY = 3600, 86400
FAKE = "prompt=5,output=7"

pytestmark = pytest.mark.skipif(os.environ.get("BUILD") == "tsan",
                                reason="TSan's own runtime stands in front of a preloaded one")


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    return library_of(SOURCE, tmp_path_factory.mktemp("shim") / "jumping_clock.so")


@pytest.fixture
def clocks(shim, tmp_path):
    """clocks(number): the environment of a purser with a clock of its own, and what sets it off."""
    def clock(number):
        path = tmp_path / f"seconds-{number}"

        def jump(seconds):
            new = path.with_suffix(".new")
            new.write_text(str(seconds))
            new.rename(path)
        return preload(shim, JUMPING_CLOCK=str(path)), jump
    return clock


@pytest.fixture
def begin(start, clocks):
    """begin(**options): purser and a function that sets its clock off by some seconds."""
    def begin_(**options):
        env, jump = clocks(0)
        return start(env=env, **options), jump
    return begin_


def word(purser, content="hello"):
    return purser.chat(content, fake=FAKE, temperature=0).headers["x-purser-cache"]


BUDGETS = [{"name": "ever", "scope": "global", "window": "total", "usd": 1},
           {"name": "daily", "scope": "global", "window": "day", "usd": 1}]


def test_an_answer_is_kept_whatever_the_wall_clock_does(provider, begin):
    purser, jump = begin(budgets=BUDGETS, cache={"ttl": "1h"})
    assert word(purser) == "miss"
    for seconds in (2 * HOUR, 400 * DAY, -2 * HOUR, -400 * DAY, 0):
        jump(seconds)
        assert word(purser) == "hit", seconds
        assert word(purser, f"at {seconds}") == "miss"
        assert word(purser, f"at {seconds}") == "hit"
    jump(400 * DAY)
    purser.chat()
    jump(0)
    purser.chat()
    assert word(purser) == "hit"
    no_hold_is_left(purser)
    assert len({line["timestamp"][:7] for line in purser.ledger()}) >= 3  # it does jump
    assert booked_sum(purser) == provider.settled_bill()["cost_nano_usd"]


def test_an_answer_ages_though_the_wall_clock_stands_or_goes_back(provider, begin):
    purser, jump = begin(budgets=BUDGETS, cache={"ttl": "1s"})
    assert word(purser) == "miss"
    back = iter(range(-10, -100000, -10))

    def asked_again():
        jump(next(back))
        return word(purser) == "miss"
    wait_until(asked_again, 30, "the answer to be too old")
    no_hold_is_left(purser)
    assert booked_sum(purser) == provider.settled_bill()["cost_nano_usd"]


JUMPS = (2 * DAY, 400 * DAY, -2 * DAY, -400 * DAY, 0)
CALLS = 40


@contextlib.contextmanager
def within_a_day():
    """What goes on over midnight proves nothing."""
    day = time.strftime("%d", time.gmtime())
    try:
        yield
    except AssertionError:
        if day == time.strftime("%d", time.gmtime()):
            raise
        pytest.skip("it was midnight")


def test_a_clock_that_jumps_begins_no_other_day(provider, begin):
    """Whatever it says, a day's budget pays once a day; and it can be used up."""
    limit = CALLS * COST
    with within_a_day():
        purser, jump = begin(budgets=[{"name": "all", "scope": "global", "window": "day",
                                       "usd": usd_text(limit)}], admission={"clamp": "never"})
        for seconds in (*JUMPS, *JUMPS):
            jump(seconds)
            for number in range(5):
                Fleet.ask(purser, number)
        agree_with_the_bill([purser], provider, limit)
        assert provider.bill(False)["cost_nano_usd"] >= limit - COST


def test_clocks_that_disagree_share_one_day(provider, clocks):
    limit = CALLS * COST
    with within_a_day(), Redis() as redis:
        envs, jumps = zip(*(clocks(number) for number in range(2)))
        with Fleet(provider, redis, calls=CALLS, window="day", envs=envs) as fleet:
            for seconds in (0, *JUMPS):
                jumps[0](seconds)
                jumps[1](-seconds)
                fleet.calls(6, 3)
            fleet.check(redis)
            fleet.until_exhausted()
            assert fleet.check(redis) >= 0.95 * fleet.limit
            agree_with_the_bill(fleet.pursers, provider, limit)
