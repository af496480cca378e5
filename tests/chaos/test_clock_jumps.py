"""A wall clock that jumps, forwards and back (jumping_clock.c): how long an answer is kept does not
hang on it, and the books stay right."""

import os
import pathlib
import subprocess

import pytest
from crowd import booked_sum, no_hold_is_left
from harness import wait_until

SOURCE = pathlib.Path(__file__).with_name("jumping_clock.c")
HOUR, DAY = 3600, 86400
FAKE = "prompt=5,output=7"

pytestmark = pytest.mark.skipif(os.environ.get("BUILD") == "tsan",
                                reason="TSan's own runtime stands in front of a preloaded one")


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    library = tmp_path_factory.mktemp("shim") / "jumping_clock.so"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library, SOURCE,
                    "-ldl"], check=True)
    return library


@pytest.fixture
def begin(start, shim, tmp_path):
    """begin(**options): purser and a function that sets its clock off by some seconds."""
    path = tmp_path / "seconds"

    def jump(seconds):
        new = tmp_path / "new"
        new.write_text(str(seconds))
        new.rename(path)

    def begin_(**options):
        # ASan wants to be first in the list of libraries; this one may stand before it.
        purser = start(env={"LD_PRELOAD": str(shim), "JUMPING_CLOCK": str(path),
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}, **options)
        return purser, jump
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
