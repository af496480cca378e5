"""A disk whose syncs take long, or never end, delays no request whose budgets have headroom
(slow_sync.c)."""

import concurrent.futures
import os
import pathlib
import signal

import pytest
from crowd import Ask, all_at_once, books_agree_to_the_nano_dollar, count, size
from harness import error_of, wait_until
from preloading import library_of, preload

SOURCE = pathlib.Path(__file__).with_name("slow_sync.c")
CLIENTS = size(200, 60)
BUDGETS = [{"name": "cap", "scope": "global", "window": "total", "usd": 1}]

pytestmark = pytest.mark.skipif(os.environ.get("BUILD") == "tsan",
                                reason="TSan's own runtime stands in front of a preloaded one")


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    return library_of(SOURCE, tmp_path_factory.mktemp("shim") / "slow_sync.so")


def asks():
    return [Ask(stream=i % 2 == 0, fake="output=10,chunks=3,gap_ms=1") for i in range(CLIENTS)]


def test_requests_finish_while_a_sync_never_does(provider, start, shim, tmp_path):
    """No clock is looked at: all of it happens while the first sync stands still. (Those of
    ceilings go on: without them nothing may be spent that was not granted before.)"""
    gate = tmp_path / "gate"
    reached = tmp_path / "gate.reached"
    purser = start(budgets=BUDGETS, env=preload(shim, SLOW_SYNC_GATE=str(gate),
                                                SLOW_SYNC_SPARES="ceilings.db"))
    assert purser.chat(fake="output=10").status_code == 200
    gate.touch()
    assert purser.chat(fake="output=10").status_code == 200
    wait_until(reached.exists, what="the first sync to begin")
    assert count(all_at_once(purser, asks())) == {"ok": CLIENTS}
    purser.idle()
    gate.unlink()
    books_agree_to_the_nano_dollar(purser, provider)
    purser.end()


def test_while_no_ceiling_can_be_noted_nothing_above_them_is_spent(provider, start, shim, tmp_path):
    gate = tmp_path / "gate"
    purser = start(budgets=BUDGETS, env=preload(shim, SLOW_SYNC_GATE=str(gate)),
                   admission={"wait_ms": 200})
    assert purser.chat(fake="output=10", max_tokens=10).status_code == 200
    cap = ("cap", "all", "usd")
    ceiling = purser.budgets()[cap]["ceiling"]
    gate.touch()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: purser.chat(fake="output=10"), range(20)))
    row = purser.budgets()[cap]
    gate.unlink()
    for answer in answers:
        error_of(answer, 503, "budget_store_unavailable")
    assert row["spent"] + row["reserved"] <= row["ceiling"] == ceiling
    assert count(all_at_once(purser, asks())) == {"ok": CLIENTS}
    books_agree_to_the_nano_dollar(purser, provider)
    purser.end()


def test_requests_finish_with_half_a_second_per_sync(provider, start, shim):
    purser = start(budgets=BUDGETS, env=preload(shim, SLOW_SYNC_MS="500"))
    assert count(all_at_once(purser, asks())) == {"ok": CLIENTS}
    books_agree_to_the_nano_dollar(purser, provider)
    purser.end()


def test_a_stop_waits_for_the_disk(provider, start, shim, tmp_path):
    """What is said to be booked is on the disk: the process does not end before."""
    gate = tmp_path / "gate"
    purser = start(budgets=BUDGETS, env=preload(shim, SLOW_SYNC_GATE=str(gate)))
    assert count(all_at_once(purser, asks()[:10])) == {"ok": 10}
    gate.touch()
    purser.process.signal(signal.SIGTERM)
    wait_until((tmp_path / "gate.reached").exists, what="a sync to begin")
    assert purser.process.alive() and "everything is booked" not in purser.log()
    gate.unlink()
    purser.end()
    booked = sum(purser.settled().values())
    assert booked == provider.settled_bill()["cost_nano_usd"]
