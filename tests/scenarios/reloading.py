"""What the tests of reloading share: both ways to ask for one, price files."""

import json
import signal

import pytest

from harness import ADMIN, KEY, wait_until
from purses import BOB

ALICE = {"id": "alice", "key": KEY, "team": "research"}
BOTH = [ALICE, {"id": "bob", "key": BOB, "team": "sales"}]
ONLY_BOB = BOTH[1:]


def by_signal(purser):
    """Reloads, and waits until the log says what came of it."""
    before = purser.log().count(" reload: ")
    purser.process.signal(signal.SIGHUP)

    def told():
        lines = [line for line in purser.log().splitlines() if " reload: " in line][before:]
        return lines if lines and ("in force" in lines[-1] or "nothing is changed" in lines[-1]) \
            else None
    return wait_until(told, what="the reload")


def by_request(purser):
    answer = purser.reload()
    assert answer.status_code == 200, answer.text
    return answer.json()


EITHER_WAY = pytest.mark.parametrize("reload", [by_signal, by_request])


def admin(purser, method="POST", path="/admin/reload", token=ADMIN):
    return purser.client.request(method, path, headers={"Authorization": f"Bearer {token}"})


def price_file(folder, name="gpt-4o-mini", input=0.15, output=0.60):
    path = folder / "prices.json"
    path.write_text(json.dumps({"format": 1, "models": [
        {"provider": "openai", "name": name, "kind": "chat", "reasoning": False,
         "max_input": 100000, "max_output": 1000, "tiers": [{"input": input, "output": output}]}]}))
    return str(path)
