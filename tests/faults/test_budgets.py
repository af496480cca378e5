"""The same in one process without its workers (budgets.c): budgets, ledger and ceilings.db lose
nothing, whatever call fails. It takes milliseconds, so each allocation of SQLite can be one."""

import errno
import os
import pathlib
import subprocess
import tempfile

import pytest

from faulty import Control
from harness import OUT
from test_every_call import QUICK

PROGRAM = OUT / "tests/faults/budgets"
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a sync takes no time there

# call, place, error, every which one of them is tried in a hurry
CASES = [
    ("sync", "life/", errno.EIO, 1),
    ("write", "life/", errno.EIO, 3),
    ("write", "life/", errno.ENOSPC, 3),
    ("write", "life/", 0, 3),
    ("read", "life/", errno.EIO, 1),
    ("open", "life/", errno.EIO, 1),
    ("truncate", "life/", errno.EIO, 1),
    ("unlink", "life/", errno.EIO, 1),
    ("malloc", "budgets", errno.ENOMEM, 3),
    *[("malloc", f"sqlite+{part}", errno.ENOMEM, 200) for part in range(8)],
]


@pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not of this flavour")
@pytest.mark.parametrize("call, place, error, hurry", CASES)
def test_budgets_lose_nothing_whatever_call_fails(call, place, error, hurry):
    place, _, part = place.partition("+")
    parts = 8 if part else 1
    with tempfile.TemporaryDirectory(prefix="purser-faults-", dir=FAST) as folder:
        folder = pathlib.Path(folder)
        (folder / "life").mkdir()
        control = Control(folder / "control", call, place, error)
        done = subprocess.run(
            [PROGRAM, folder / "life", str(int(part or 0) + 1), str(parts * (hurry if QUICK else 1))],
            env={**os.environ, **control.env}, text=True, capture_output=True, timeout=3600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
