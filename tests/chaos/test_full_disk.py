"""A disk that fills up under load, and empties again: refusals say why, no ceiling grows, nothing
is lost, and it goes on by itself; alone and with Redis.

A small tmpfs, filled by a file; where nothing may be mounted (or with FULL_DISK=preload), a library
that lets files grow no further (full_disk.c).
"""

import collections
import contextlib
import os
import pathlib
import random
import subprocess

import httpx
import pytest
from crowd import size
from fleet import budget
from harness import usd, wait_until
from herd import (KEYS, Herd, agree_with_the_bill, some_ask, start_and_serve, usd_text, use_up)
from preloading import library_of, preload
from redises import Redis

SOURCE = pathlib.Path(__file__).with_name("full_disk.c")
SEED = int(os.environ.get("STORM_SEED", random.SystemRandom().randrange(1 << 32)))
LIMIT = 400_000_000
BUDGETS = [{"name": "all", "scope": "global", "window": "total", "usd": usd_text(LIMIT)}]
REFUSALS = {"budget_store_unavailable", "ledger_unavailable"}

pytestmark = pytest.mark.skipif(os.environ.get("BUILD") == "tsan",
                                reason="TSan's own runtime stands in front of a preloaded one")


class Mounted:
    """32 MB, of which a file takes all but some."""

    def __init__(self, folder):
        self.folder = folder
        self.filler = folder / "filler"
        self.env = {}

    def mount(self):
        self.folder.mkdir()
        return subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "purser", self.folder],
                              capture_output=True).returncode == 0

    def room(self):
        stat = os.statvfs(self.folder)
        return stat.f_bavail * stat.f_frsize

    def fill(self, left):
        with open(self.filler, "ab") as file:
            while self.room() > left:
                with contextlib.suppress(OSError):  # somebody else was quicker
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END),
                                       max(1, self.room() - left))

    def free(self):
        self.filler.unlink()

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=True)


class Preloaded:
    """Files that grow no further than by some bytes."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.gate = folder.with_suffix(".gate")
        self.env = preload(library_of(SOURCE, folder.with_suffix(".so")), FULL_DISK=str(folder),
                           FULL_DISK_GATE=str(self.gate))

    def fill(self, left):
        new = self.gate.with_suffix(".new")
        new.write_text(str(left))
        new.rename(self.gate)

    def free(self):
        self.gate.unlink()

    def close(self):
        pass


@pytest.fixture
def small_disk(tmp_path):
    disk = Mounted(tmp_path / "disk")
    if os.environ.get("FULL_DISK") == "preload" or not disk.mount():
        disk = Preloaded(tmp_path / "disk")
    yield disk
    disk.close()


@pytest.fixture
def redis():
    with Redis() as server:
        yield server


def on_disk(start, disk, **options):
    """purser with its data_dir on this disk; not started."""
    purser = start(keys=KEYS, budgets=BUDGETS, env=disk.env, start=False,
                   admission={"clamp": "never", "wait_ms": 50}, **options)
    data = disk.folder / purser.folder.name
    data.mkdir()
    (purser.folder / "data").symlink_to(data)
    return purser


def new_outcomes(herd, before):
    return collections.Counter(herd.outcomes) - before


def is_refused(herd):
    """Nothing but refusals that say why."""
    before = collections.Counter(herd.outcomes)
    wait_until(lambda: new_outcomes(herd, before).total() >= 60, 30, "sixty answers")
    return set(new_outcomes(herd, before)) <= REFUSALS


def fill_and_free(disk, dice, herd, purser):
    """What is left of a page, or of a file that is written from its beginning again, has room for
    something now and then: so not all calls must be refused."""
    disk.fill(dice.randrange(0, 40_000))
    wait_until(lambda: is_refused(herd), 30, "the disk to be full")
    wait_until(lambda: httpx.get(purser.base + "/readyz").status_code == 503, 30, "it to say so")
    row = purser.budgets()[("all", "all", "usd")]
    assert usd(row["spent"]) + usd(row["reserved"]) <= usd(row["ceiling"]) <= LIMIT
    disk.free()
    herd.goes_on()


@pytest.mark.parametrize("shared", [False, True])
def test_a_full_disk_loses_nothing(provider, start, small_disk, request, shared):
    print(f"STORM_SEED={SEED}, {type(small_disk).__name__}")
    dice = random.Random(SEED)
    store = {"redis": request.getfixturevalue("redis").url} if shared else {}
    pursers = [on_disk(start, small_disk, node="node-0", store=store)]
    if shared:
        budget(pursers[0], "init")
        pursers.append(start(keys=KEYS, budgets=BUDGETS, node="node-1", store=store,
                             admission={"clamp": "never", "wait_ms": 50}))
    pursers[0].start()
    with Herd(pursers[:1], some_ask, dice.random(), 15) as herd:
        for _ in range(size(3, 2)):
            herd.goes_on()
            fill_and_free(small_disk, dice, herd, pursers[0])
        herd.stop()
    print(dict(herd.outcomes))
    assert set(herd.outcomes) <= {"ok", "budget_contention", *REFUSALS}, herd.outcomes
    agree_with_the_bill(pursers, provider, LIMIT)
    use_up(pursers)
    _, booked = agree_with_the_bill(pursers, provider, LIMIT)
    assert booked >= 0.95 * LIMIT


def test_killed_on_a_full_disk_it_knows_all_when_there_is_room_again(provider, start, small_disk):
    dice = random.Random(SEED)
    purser = on_disk(start, small_disk)
    purser.start()
    for _ in range(size(3, 2)):
        with Herd([purser], some_ask, dice.random(), 15) as herd:
            herd.goes_on()
            small_disk.fill(dice.randrange(0, 40_000))
            wait_until(lambda: is_refused(herd), 30, "the disk to be full")
            purser.process.kill()
            purser.launch()  # it may say that there is no room, and end; it may wait for it
            wait_until(lambda: not purser.process.alive() or purser._up(), 30, "it to start or end")
            purser.process.kill()
            small_disk.free()
            start_and_serve(purser)
            herd.stop()
        agree_with_the_bill([purser], provider, LIMIT)
