"""What tests of clients share: a purser with a spent budget, its books beside the provider's bill,
and an environment in which a client asks nobody else."""

import contextlib
import os

from harness import KEY, Purser, wait_until

SPENT = "sk-test-spent-0123456789abcdef"
HELLO = "Say hello [fake prompt=9 output=12]"
HELLO_COST = 9 * 150 + 12 * 600

# Nothing phones home, and nothing is fetched at a start.
QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false",
         "OPENAI_AGENTS_DISABLE_TRACING": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1",
         "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1",
         "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1",
         "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1", "PROMPTFOO_DISABLE_SHARING": "1"}
# What would send a client elsewhere, and keep Python from remembering what it compiled.
UNWANTED = ("OPENAI_", "ANTHROPIC_", "CLAUDE", "LANGCHAIN_", "LANGSMITH_", "LITELLM_", "PROMPTFOO_",
            "PYTHONDONTWRITEBYTECODE")


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(UNWANTED)}
    return {**kept, **QUIET, **more}


def purser_of(provider, **options):
    """A purser that has a key whose budget is gone: it was spent elsewhere."""
    running = Purser(provider, **options, keys=[
        {"id": "alice", "key": KEY},
        {"id": "spent", "key": SPENT, "may_book": True}], budgets=[
        {"name": "all", "scope": "global", "window": "day", "usd": 50},
        {"name": "spent", "scope": "key", "match": {"key": "spent"}, "window": "total", "usd": 1}])
    answer = running.client.post("/costs", headers={"Authorization": f"Bearer {SPENT}"},
                                 json={"service": "elsewhere", "cost_usd": 1})
    assert answer.status_code == 200, answer.text
    return running


@contextlib.contextmanager
def books_of(provider, *pursers):
    """new(kind, count): the ledger lines of that kind since the block began, once there are `count`
    of them (they are written behind the answer). When the block ends, the books of all pursers in
    front of the provider are its bill: ledger and /costs, to the nano-dollar."""
    begun = [len(purser.ledger()) for purser in pursers]

    def lines_of(kind):
        return [line for purser, start in zip(pursers, begun)
                for line in purser.ledger()[start:] if line["kind"] == kind]

    def new(kind, count=1):
        wait_until(lambda: len(lines_of(kind)) >= count, what=f"{count} lines '{kind}'")
        for purser in pursers:
            purser.idle()
        return lines_of(kind)

    yield new
    bill = provider.settled_bill(False)["cost_nano_usd"]
    for purser in pursers:
        purser.idle()
    assert bill == sum(line["cost_nano_usd"] for purser in pursers for line in purser.ledger()
                       if line["kind"] in ("settle", "forfeit") and line["service"] == "fake")
    wait_until(lambda: bill == sum(purser.costs(service="fake")["total"]["cost_nano_usd"]
                                   for purser in pursers), what="/costs to say the same")
