"""Clients other than OpenAI's own through purser: each does the same things, and after each of them
purser's books are the provider's bill.

A client is a program of a few lines beside this file (with_*.py, *.mjs), written as its users write;
driver.py says how it is asked and what it tells.
"""

import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
from typing import NamedTuple

import pytest

import installed
import through
from harness import KEY, NANO, usd
from through import HELLO, HELLO_COST, SPENT

HERE = pathlib.Path(__file__).resolve().parent
MINI, EMBEDDINGS = "gpt-4o-mini", "text-embedding-3-small"


class Client(NamedTuple):
    program: str
    refusal: str            # what is raised when the budget is gone (429)
    refusal_402: str        # and where purser says 402 then
    attempts: int = 1       # how often it asks before it believes a 429
    tells_cost: tuple = ()  # what purser says that it cost, where the client passes it on
    embeds: bool = True
    mode: str = "chat"      # what it speaks, where it can speak more


CLIENTS = {
    "curl": Client("with_curl.py", "Refused", "Refused", tells_cost=("chat", "stream")),
    "langchain": Client("with_langchain.py", "OpenAIRateLimitError", "APIStatusError",
                        tells_cost=("chat",)),
    "litellm": Client("with_litellm.py", "RateLimitError", "APIError",
                      tells_cost=("chat", "stream")),
    "langchain-js": Client("langchain.mjs", "RateLimitError", "APIError",
                           tells_cost=("stream",)),
    "vercel-ai": Client("vercel.mjs", "RetryError", "APICallError", attempts=3,
                        tells_cost=("chat",)),
    "vercel-ai-responses": Client("vercel.mjs", "RetryError", "APICallError", attempts=3,
                                  tells_cost=("chat",), embeds=False, mode="responses"),
    "openai-agents": Client("agents.mjs", "RateLimitError", "APIError", embeds=False),
    "openai-agents-responses": Client("agents.mjs", "RateLimitError", "APIError", embeds=False,
                                      mode="responses"),
}


class Driver:
    """A client's program, running: asked by lines, and answering by lines."""

    def __init__(self, command, log):
        self.log = log
        self.child = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=log, text=True, env=through.environment())

    def ask(self, **job):
        impatience = threading.Timer(120, self.child.kill)
        impatience.start()
        self.child.stdin.write(json.dumps(job) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        impatience.cancel()
        assert line, "it ended:\n" + self.words()
        return json.loads(line)

    def words(self):
        self.log.seek(0)
        return self.log.read()

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()
        self.child.wait(20)


@pytest.fixture(scope="session")
def python():
    return installed.python_program(HERE / "requirements.txt", "clients")


@pytest.fixture(scope="module", params=CLIENTS)
def client(request):
    return CLIENTS[request.param]


@pytest.fixture(scope="module")
def driver(client, python, node, node_modules):
    """The client's program; those for Node run beside their packages."""
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, node_modules)
    command = [python, HERE / client.program]
    if client.program.endswith(".mjs"):
        command = [node, node_modules / client.program, client.mode]
    with tempfile.TemporaryFile("w+") as log:
        running = Driver(command, log)
        yield running
        running.close()


@pytest.fixture(scope="module")
def purser(provider):
    with through.purser_of(provider) as running:
        yield running


@pytest.fixture(scope="module")
def strict(provider):
    """A purser that says 402 when a budget is gone."""
    with through.purser_of(provider, budget_status=402) as running:
        yield running


@pytest.fixture
def books(provider, purser, strict):
    with through.books_of(provider, purser, strict) as new:
        yield new


@pytest.fixture
def ask(driver, purser, books):
    def of(do, prompt, model=MINI, key=KEY, to=purser, path="/v1"):
        return driver.ask(do=do, prompt=prompt, model=model, api_key=key, base_url=to.base + path)
    return of


@pytest.mark.parametrize("do", ["chat", "stream"])
def test_an_answer_arrives_with_its_usage_and_cost(ask, client, books, do):
    outcome = ask(do, HELLO)
    assert len(outcome.get("text", "").split()) == 12, outcome
    assert (outcome["input"], outcome["output"]) == (9, 12)
    assert outcome.get("pieces", 12) == 12
    assert ("cost" in outcome) == (do in client.tells_cost), outcome
    assert usd(outcome.get("cost", HELLO_COST / NANO)) == HELLO_COST
    (line,) = books("settle")
    assert line["cost_nano_usd"] == HELLO_COST
    assert line["endpoint"] == {"chat": "chat.completions"}.get(client.mode, client.mode)


def test_a_streamed_tool_call_is_carried_out_and_answered(ask, books):
    outcome = ask("tool", "How is it there? [fake tool=weather prompt=50 output=4]")
    assert len(outcome["called"].split()) == 4, outcome
    assert len(outcome["text"].split()) == 3
    assert [line["cost_nano_usd"] for line in books("settle", 2)] == \
        [50 * 150 + 4 * 600, 60 * 150 + 3 * 600]


@pytest.mark.parametrize("client", [name for name in CLIENTS if CLIENTS[name].embeds],
                         indirect=True)
def test_embeddings_are_found(ask, client, provider, books):
    before = provider.settled_bill(False)["cost_nano_usd"]
    assert ask("embed", f"one for {client.program}", model=EMBEDDINGS)["vectors"] == 2
    assert len(books("settle")) == 1
    assert provider.settled_bill(False)["cost_nano_usd"] > before


def test_the_session_may_stand_in_the_base_url(ask, books):
    ask("chat", HELLO, path="/s/run-7/v1")
    assert [line["session"] for line in books("settle")] == ["run-7"]


@pytest.mark.parametrize("do", ["chat", "stream"])
def test_a_spent_budget_is_the_clients_rate_limit_error(ask, client, books, do):
    outcome = ask(do, HELLO, key=SPENT)
    assert outcome.get("error") == client.refusal, outcome
    assert "Budget has been exceeded!" in outcome["message"]
    refused = books("refuse", client.attempts)
    assert [line["error"] for line in refused] == ["budget_exceeded"] * client.attempts


@pytest.mark.parametrize("do", ["chat", "stream"])
def test_a_spent_budget_as_402_is_believed_at_once(ask, client, books, strict, do):
    outcome = ask(do, HELLO, key=SPENT, to=strict)
    assert outcome.get("error") == client.refusal_402, outcome
    assert "Budget has been exceeded!" in outcome["message"]
    assert [line["error"] for line in books("refuse")] == ["budget_exceeded"]


def test_an_unknown_model_is_named(ask, books):
    outcome = ask("chat", HELLO, model="gpt-77")
    assert "Model 'gpt-77' has no price" in outcome.get("message", ""), outcome
    assert [line["error"] for line in books("refuse")] == ["model_not_priced"]
