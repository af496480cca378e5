"""Anthropic's coding agent through purser, found by ANTHROPIC_BASE_URL with a session in it: it does
a task of two turns, and is stopped by the session's cap with a message that its user understands.

It is a suite of its own (make agents): its package is hundreds of megabytes.
"""

import json
import pathlib
import subprocess

import pytest

import installed
import through
from harness import KEY, NANO, Purser, Upstream, plain_answer, upstream_of

HERE = pathlib.Path(__file__).resolve().parent
MODEL = "claude-haiku-4-5"
INPUT, OUTPUT = 1000, 5000  # nano-dollars a token
CAP = 0.3


def speaking(upstream):
    return {**upstream_of(upstream), "dialect": "anthropic", "provider": "anthropic"}


def purser_of(upstream):
    return Purser(upstreams=[speaking(upstream)], budgets=[
        {"name": "session", "scope": "session", "window": "total", "usd": CAP}])


@pytest.fixture
def run(tmp_path):
    """run(purser, session, prompt): what it prints, and its exit status."""
    packages = installed.node_packages(HERE, "agents")
    program = packages / f"node_modules/@anthropic-ai/claude-code-linux-{installed.MACHINE}/claude"
    program.chmod(0o755)

    def of(purser, session, prompt, *options):
        done = subprocess.run(
            [program, "-p", prompt, "--model", MODEL, *options], cwd=tmp_path,
            capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
            env=through.environment(
                HOME=str(tmp_path), CLAUDE_CONFIG_DIR=str(tmp_path / "config"),
                ANTHROPIC_BASE_URL=f"{purser.base}/s/{session}", ANTHROPIC_AUTH_TOKEN=KEY))
        return done.stdout + done.stderr, done.returncode
    return of


def settled(purser, session):
    purser.idle()
    return [line for line in purser.ledger()
            if line["kind"] == "settle" and line["session"] == session]


def test_a_prompt_is_answered_and_booked_as_it_was_billed(run, provider):
    with purser_of(provider) as purser:
        before = provider.settled_bill(False)["cost_nano_usd"]
        out, status = run(purser, "hello", "Say hello [fake prompt=90 output=12]")
        assert status == 0 and out.startswith("the of and"), out
        bill = provider.settled_bill(False)["cost_nano_usd"] - before
        assert bill == 90 * INPUT + 12 * OUTPUT
        assert sum(line["cost_nano_usd"] for line in settled(purser, "hello")) == bill


# ---- a task of two turns, against a scripted upstream ----

def page(blocks, stop, usage):
    """A stream of whole blocks."""
    told = [{"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 1}}}]
    for index, (block, delta) in enumerate(blocks):
        told += [{"type": "content_block_start", "index": index, "content_block": block},
                 {"type": "content_block_delta", "index": index, "delta": delta},
                 {"type": "content_block_stop", "index": index}]
    told += [{"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None},
              "usage": usage}, {"type": "message_stop"}]
    return "".join(f"event: {data['type']}\ndata: {json.dumps(data)}\n\n" for data in told)


def answer_in_turns(connection, head, body):
    """First a command, then what it printed."""
    results = [block for turn in json.loads(body)["messages"] if isinstance(turn["content"], list)
               for block in turn["content"] if block["type"] == "tool_result"]
    if not results:
        tool = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
        call = json.dumps({"command": "echo 6 times 7 is $((6 * 7))", "description": "Multiply"})
        text = page([(tool, {"type": "input_json_delta", "partial_json": call})], "tool_use",
                    {"input_tokens": 4000, "output_tokens": 50})
    else:
        said = {"type": "text_delta", "text": f"The shell says: {results[0]['content']}"}
        text = page([({"type": "text", "text": ""}, said)], "end_turn",
                    {"input_tokens": 100, "cache_read_input_tokens": 4000, "output_tokens": 20})
    connection.sendall(plain_answer(text, content_type="text/event-stream"))


def test_a_task_of_two_turns_is_done(run):
    with Upstream(answer_in_turns) as upstream, purser_of(upstream) as purser:
        out, status = run(purser, "task", "What is 6 times 7?", "--allowedTools", "Bash(echo:*)")
        assert status == 0 and "6 times 7 is 42" in out, out
        first, second = settled(purser, "task")
        assert first["cost_nano_usd"] == 4000 * INPUT + 50 * OUTPUT
        assert second["cost_nano_usd"] == 100 * INPUT + 4000 * INPUT // 10 + 20 * OUTPUT
        assert (second["prompt_tokens"], second["cached_tokens"]) == (4100, 4000)


def test_a_session_that_is_spent_stops_it_with_a_message_and_one_question(run, provider):
    with purser_of(provider) as purser:
        for _ in range(8):
            before = provider.bill(False)["requests"]
            out, status = run(purser, "cap", "Say much [fake prompt=40000 output=4000]")
            if status != 0:
                break
        assert status == 1
        assert 'Budget has been exceeded! Budget "session" (session alice/cap' in out
        assert f"limit ${CAP}, spent $" in out and "ask its owner to raise it" in out
        assert provider.bill(False)["requests"] == before
        assert [line["error"] for line in purser.ledger()
                if line["kind"] == "refuse"] == ["budget_exceeded"]
        assert sum(purser.settled().values()) <= CAP * NANO
        out, status = run(purser, "another", "Say hello [fake prompt=9 output=12]")
        assert status == 0 and out.startswith("the of and"), out
