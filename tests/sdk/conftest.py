"""One purser for the tests of an SDK: a rich key, a spent one, and one whose budget is narrow.

Clients in Node find their packages in build/node (node/package.json).
"""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scenarios")]

from harness import KEY, Provider, Purser  # noqa: E402
import installed  # noqa: E402

KEYS = {"alice": KEY, "spent": "sk-test-spent-0123456789abcdef",
        "narrow": "sk-test-narrow-0123456789abcdef"}


MODELS = ["gpt-*", "text-embedding-*", "omni-*", "dall-e-*", "tts-*", "whisper-*"]


def spend(purser):
    """Calls until nothing is left of the spent key's budget."""
    for _ in range(50):
        if purser.chat(key=KEYS["spent"], max_tokens=16).status_code == 429:
            return
    raise AssertionError("the budget of the spent key has no end")


@pytest.fixture(scope="session")
def keys():
    return KEYS


@pytest.fixture(scope="session")
def node():
    return installed.node_program()


@pytest.fixture(scope="session")
def node_modules():
    """The folder in which packages for Node are."""
    return installed.node_packages(HERE / "node", "node")


@pytest.fixture(scope="module")
def provider():
    with Provider() as running:
        yield running


@pytest.fixture(scope="module")
def purser(provider):
    options = {
        "keys": [{"id": name, "key": key, "models": MODELS}
                 for name, key in KEYS.items()],
        "budgets": [
            {"name": "all", "scope": "global", "window": "day", "usd": 50},
            {"name": "spent", "scope": "key", "match": {"key": "spent"}, "window": "total",
             "usd": 0.0001},
            # Room for one call of 10,000 tokens of gpt-4o-mini, not for two at a time.
            {"name": "narrow", "scope": "key", "match": {"key": "narrow"}, "window": "day",
             "usd": 0.01},
        ],
        "admission": {"clamp": "never", "wait_ms": 0},
    }
    with Purser(provider, **options) as running:
        spend(running)
        yield running
