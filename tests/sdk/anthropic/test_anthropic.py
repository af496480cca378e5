"""Runs anthropic.test.mjs, the @anthropic-ai/sdk package through purser; each of its tests is one
here. And with_python.py, the anthropic package for Python."""

import json
import pathlib

import pytest

import installed
import nodes
from harness import KEY, Purser, upstream_of

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE / "anthropic.test.mjs"
KEYS = {"alice": KEY, "spent": "sk-test-spent-0123456789abcdef",
        "tiny": "sk-test-tiny-0123456789abcdef", "narrow": "sk-test-narrow-0123456789abcdef"}


@pytest.fixture(scope="module")
def purser(provider):
    options = {
        "upstreams": [
            {**upstream_of(provider), "name": "claude", "models": ["claude-*"],
             "dialect": "anthropic", "provider": "anthropic"},
            {**upstream_of(provider), "models": ["gpt-*"]},
        ],
        "keys": [{"id": name, "key": key, "models": ["gpt-*", "claude-*"], "may_book": True}
                 for name, key in KEYS.items()],
        "budgets": [
            {"name": "all", "scope": "global", "window": "day", "usd": 50},
            {"name": "spent", "scope": "key", "match": {"key": "spent"}, "window": "total",
             "usd": 1},
            {"name": "tiny", "scope": "key", "match": {"key": "tiny"}, "window": "total",
             "usd": 0.000001},
            {"name": "narrow", "scope": "key", "match": {"key": "narrow"}, "window": "total",
             "usd": 0.02},
        ],
        "admission": {"slice_tokens": 100, "wait_ms": 0},
    }
    with Purser(provider, **options) as running:
        answer = running.client.post("/costs", json={"service": "elsewhere", "cost_usd": 1},
                                     headers={"Authorization": f"Bearer {KEYS['spent']}"})
        assert answer.status_code == 200, answer.text
        yield running


@pytest.fixture(scope="module")
def outcomes(node, purser, provider):
    packages = installed.node_packages(HERE, "anthropic")
    return nodes.run_tests(node, TESTS, packages, purser, provider, KEYS)


@nodes.each_test(TESTS)
def test_in_node(outcomes, name):
    nodes.must_have_passed(name, outcomes)


def test_in_python(outcomes, purser):
    python = installed.python_program(HERE / "requirements.txt", "anthropic-python")
    out = installed.run(python, HERE / "with_python.py", purser.base, KEYS["alice"], KEYS["spent"])
    message, stream, tool, count, models, *refused = [json.loads(line) for line in out.splitlines()]
    assert message == {"what": "message", "words": 12, "stop": "end_turn", "output": 12,
                       "cost": "0.000207"}
    assert stream["pieces"] > 1 and stream["whole"] and stream["usage"] == [4, 5, 12]
    assert tool == {"what": "tool", "name": "weather", "argument": True}
    assert count["tokens"] == 33
    assert "claude-sonnet-4-5" in models["ids"] and models["types"] == ["model"]
    assert all(name.startswith("claude-") for name in models["ids"])  # gpt-* not in this dialect
    assert models["one"] == ["claude-sonnet-4-5", "claude-sonnet-4-5", 1970]
    assert [(error["kind"], error["code"]) for error in refused] == [
        ("RateLimitError", "budget_exceeded"), ("AuthenticationError", "invalid_api_key"),
        ("BadRequestError", "model_not_priced")]
    assert "Budget has been exceeded!" in refused[0]["message"] and refused[0]["id"]
    asked = [line for line in purser.ledger() if line["kind"] == "refuse" and
             line["request_id"] == refused[0]["id"]]
    assert len(asked) == 1


def test_the_books_are_the_providers_bill_or_above_it(outcomes, purser, provider):
    """Above: the calls that were left or broke off."""
    bill = {call["purser_request_id"]: call["cost_nano_usd"]
            for call in provider.settled_bill()["calls"]}
    purser.idle()
    settled = [line for line in purser.ledger()
               if line["kind"] == "settle" and line["service"] != "elsewhere"]
    assert len(settled) >= 12
    for line in settled:
        known = line.get("usage_source", "reported") == "reported"  # none: it cost nothing
        assert line["cost_nano_usd"] >= bill[line["request_id"]], line
        assert not known or line["cost_nano_usd"] == bill[line["request_id"]], line
