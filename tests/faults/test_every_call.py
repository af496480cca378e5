"""The first, the second, the third ... call of a kind fails, until a life of purser has fewer of
them: whatever call it is, nothing is spent that is not booked, nobody gets half of an answer, and
purser goes on, or says why it does not.

Of the calls that are made by thousands some parts are tried, and with FAULTS_QUICK one part of each
kind: which ones, FAULTS_SEED says, or chance.
"""

import errno
import os
import random

import pytest

from faulty import Sweep, is_reached
from harness import Provider
from redises import Redis

SAME, OTHER = "same boot", "another boot"

DISK = [
    Sweep("write", "data/", errno.EIO, 150),
    Sweep("write", "data/", errno.ENOSPC, 150),
    Sweep("write", "data/", 0, 150),
    Sweep("write", "data/", errno.ENOSPC, 150, lasts=20),
    Sweep("write", "data/", errno.EIO, 60, again=SAME),
    Sweep("write", "data/", errno.EIO, 60, again=OTHER),
    Sweep("sync", "data/", errno.EIO, 24),
    Sweep("sync", "data/", errno.EIO, 24, lasts=3),
    Sweep("sync", "data/", errno.EIO, 12, again=SAME),
    Sweep("sync", "data/", errno.EIO, 12, again=OTHER),
    Sweep("read", "data/", errno.EIO, 28),
    Sweep("read", "data/", errno.EIO, 70, again=SAME),
    Sweep("open", "data/", errno.EMFILE, 16),
    Sweep("open", "data/", errno.EIO, 16, again=OTHER),
    Sweep("truncate", "data/", errno.EIO, 4),
    Sweep("truncate", "data/", errno.EIO, 4, again=SAME),
    Sweep("unlink", "data/", errno.EIO, 4, again=SAME),
]

STORE = [
    Sweep("connect", "redis", errno.ECONNREFUSED, 2),
    Sweep("read", "redis", errno.ECONNRESET, 30),
    Sweep("read", "redis", 0, 30),
    Sweep("write", "redis", errno.EPIPE, 20),
    Sweep("write", "redis", 0, 20),
    Sweep("read", "redis", errno.ECONNRESET, 20, again=SAME),
]

# Libraries that are refused memory say so; purser itself (and what it lends memory to) ends.
MEMORY = [
    Sweep("malloc", "sqlite", errno.ENOMEM, 7000),
    Sweep("malloc", "sqlite", errno.ENOMEM, 3000, again=OTHER),
    Sweep("malloc", "hiredis", errno.ENOMEM, 400, dies=True),
    Sweep("malloc", "microhttpd", errno.ENOMEM, 100, dies=True),
    Sweep("malloc", "crypto", errno.ENOMEM, 20, dies=True, late=True),
    Sweep("malloc", "yaml", errno.ENOMEM, 800),
    Sweep("malloc", "purser", errno.ENOMEM, 9000, dies=True),
]

QUICK = "FAULTS_QUICK" in os.environ
SEED = os.environ.get("FAULTS_SEED") or os.environ.get("PYTEST_XDIST_TESTRUNUID") or "purser"
PARTS_MOST = 24


def stride(sweep):
    return max(1, sweep.calls // (4 if QUICK else 8))


def parts():
    """[(sweep, first call)]: every stride-th call from there on; all, or those that chance chooses."""
    chosen = []
    for sweep in DISK + STORE + MEMORY:
        chance = random.Random(f"{SEED} {sweep.name()}")
        count = 1 if QUICK else min(stride(sweep), PARTS_MOST)
        for first in sorted(chance.sample(range(1, stride(sweep) + 1), count)):
            chosen.append(pytest.param(sweep, first, id=f"{sweep.name()}-{first}"))
    return chosen


@pytest.fixture(scope="session")
def one_provider():
    with Provider() as running:
        yield running


@pytest.fixture(scope="session")
def one_redis():
    with Redis() as running:
        yield running


@pytest.mark.parametrize("sweep, at", parts())
def test_whatever_call_fails_books_and_answers_are_right(sweep, at, one_provider, request):
    shared = sweep.place in ("redis", "hiredis")
    redis = request.getfixturevalue("one_redis") if shared else None
    while is_reached(one_provider, sweep, at, redis):
        at += stride(sweep)
    print(f"up to the {at}th")
