"""promptfoo's command line through purser, found by OPENAI_BASE_URL.

It is a suite of its own (make promptfoo): its packages are hundreds of megabytes.
"""

import json
import pathlib
import subprocess

import pytest

import installed
import through
from harness import KEY, usd
from through import HELLO, HELLO_COST, SPENT

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def purser(provider):
    """It says 402 when a budget is gone: promptfoo waits for minutes, and asks on, after a 429."""
    with through.purser_of(provider, budget_status=402) as running:
        yield running


@pytest.fixture
def books(provider, purser):
    with through.books_of(provider, purser) as new:
        yield new


@pytest.fixture
def evaluate(node, purser, books, tmp_path):
    """Runs `promptfoo eval` with one prompt; its one result and its exit status."""
    packages = installed.node_packages(HERE, "promptfoo")

    def of(key=KEY, model="gpt-4o-mini", path="/v1"):
        config = {"prompts": [HELLO], "providers": [f"openai:chat:{model}"], "tests": [
            {"assert": [{"type": "contains", "value": "the of"},
                        {"type": "cost", "threshold": 0.00001}]}]}
        (tmp_path / "promptfooconfig.json").write_text(json.dumps(config))
        run = subprocess.run(
            [node, packages / "node_modules/promptfoo/dist/src/entrypoint.js", "eval", "--no-cache",
             "--no-write", "--no-progress-bar", "-c", "promptfooconfig.json", "-o", "out.json"],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, env=through.environment(
                OPENAI_BASE_URL=purser.base + path, OPENAI_API_KEY=key,
                PROMPTFOO_CONFIG_DIR=str(tmp_path)))
        assert (tmp_path / "out.json").exists(), run.stdout + run.stderr
        [result] = json.loads((tmp_path / "out.json").read_text())["results"]["results"]
        return result, run.returncode
    return of


def test_a_prompt_is_answered_and_its_cost_told(evaluate, books):
    result, status = evaluate()
    assert (result["success"], status) == (True, 0), result
    response = result["response"]
    assert (response["tokenUsage"]["prompt"], response["tokenUsage"]["completion"]) == (9, 12)
    assert usd(response["metadata"]["http"]["headers"]["x-purser-cost-usd"]) == HELLO_COST
    assert [line["cost_nano_usd"] for line in books("settle")] == [HELLO_COST]


def test_a_prompt_asked_again_comes_from_pursers_cache(evaluate, books):
    for _ in range(2):
        evaluate(path="/s/evals/v1")
    lines = books("settle", 2)
    assert [line["session"] for line in lines] == ["evals", "evals"]
    assert lines[1]["cost_nano_usd"] == 0


def test_a_spent_budget_is_the_prompts_error(evaluate, books):
    result, status = evaluate(key=SPENT)
    assert (result["success"], status) == (False, 100)
    assert result["error"].startswith("API error: 402 Payment Required")
    assert "Budget has been exceeded!" in result["error"]
    assert [line["error"] for line in books("refuse")] == ["budget_exceeded"]


def test_an_unknown_model_is_named(evaluate, books):
    result, _ = evaluate(model="gpt-77")
    assert "Model 'gpt-77' has no price" in result["error"]
    assert [line["error"] for line in books("refuse")] == ["model_not_priced"]
