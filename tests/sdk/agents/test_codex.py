"""OpenAI's coding agent through purser, with a session in its base URL: it does a task of two turns,
may search the web within a budget, and is stopped by the session's cap after one question.

It is a suite of its own (make agents): its package is hundreds of megabytes.
"""

import json
import pathlib
import platform
import subprocess

import pytest

import installed
import through
from harness import KEY, NANO, Purser, Upstream, plain_answer, upstream_of

HERE = pathlib.Path(__file__).resolve().parent
MODEL = "gpt-5-codex"
INPUT, CACHED, OUTPUT = 1250, 125, 10000  # nano-dollars a token
SETTINGS = """
model = "{model}"
model_provider = "purser"
{more}
[model_providers.purser]
name = "purser"
base_url = "{base}/s/{session}/v1"
env_key = "PURSER_KEY"
wire_api = "responses"
"""
OFFLINE = 'web_search = "disabled"'


def purser_of(upstream, usd, **more):
    return Purser(upstreams=[upstream_of(upstream)], budgets=[
        {"name": "session", "scope": "session", "window": "total", "usd": usd}], **more)


@pytest.fixture
def run(tmp_path):
    """run(purser, session, prompt): what it prints, and its exit status."""
    packages = installed.node_packages(HERE, "agents")
    program = packages / (f"node_modules/@openai/codex-linux-{installed.MACHINE}/vendor/"
                          f"{platform.machine()}-unknown-linux-musl/bin/codex")
    home = tmp_path / "home"
    home.mkdir()
    work = tmp_path / "work"
    work.mkdir()

    def of(purser, session, prompt, more=OFFLINE):
        (home / "config.toml").write_text(SETTINGS.format(
            model=MODEL, base=purser.base, session=session, more=more))
        done = subprocess.run(
            [program, "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
             prompt], cwd=work, capture_output=True, text=True, timeout=120,
            stdin=subprocess.DEVNULL, env=through.environment(
                HOME=str(home), CODEX_HOME=str(home), PURSER_KEY=KEY))
        return done.stdout + done.stderr, done.returncode
    return of


def settled(purser, session):
    purser.idle()
    return [line for line in purser.ledger()
            if line["kind"] == "settle" and line["session"] == session]


def test_a_prompt_is_answered_and_booked_as_it_was_billed(run, provider):
    with purser_of(provider, 1) as purser:
        before = provider.settled_bill(False)["cost_nano_usd"]
        out, status = run(purser, "hello", "Say hello [fake prompt=90 output=12]")
        assert status == 0 and "the of and" in out, out
        bill = provider.settled_bill(False)["cost_nano_usd"] - before
        assert bill == 90 * INPUT + 12 * OUTPUT
        assert sum(line["cost_nano_usd"] for line in settled(purser, "hello")) == bill


def test_what_it_may_search_is_held_and_bounded(run, provider):
    """As it comes it has the provider's search among its tools."""
    with purser_of(provider, 10) as purser:
        out, status = run(purser, "search", "Say hello [fake prompt=90 output=12 searches=2]", "")
        assert status == 0, out
        sent = provider.newest().json()
        assert "web_search" in {tool["type"] for tool in sent["tools"]}
        assert sent["max_tool_calls"] == 4
        (line,) = settled(purser, "search")
        assert line["cost_nano_usd"] == 90 * INPUT + 12 * OUTPUT + 2 * NANO // 100


# ---- a task of two turns, against a scripted upstream ----

def page(item, usage):
    """A stream of one item, which comes whole."""
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": MODEL,
                "status": "in_progress", "output": []}
    told = [{"type": "response.created", "response": response},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {
                **response, "status": "completed", "output": [item], "usage": usage}}]
    return "".join(f"event: {data['type']}\ndata: {json.dumps({**data, 'sequence_number': n})}\n\n"
                   for n, data in enumerate(told))


def usage_of(prompt, cached, output):
    return {"input_tokens": prompt, "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + output}


def answer_in_turns(connection, head, body):
    """First a command, then what it printed."""
    results = [item for item in json.loads(body)["input"]
               if item["type"] == "function_call_output"]
    if not results:
        call = json.dumps({"cmd": "echo 6 times 7 is $((6 * 7))"})
        text = page({"type": "function_call", "id": "fc_1", "call_id": "call_1",
                     "name": "exec_command", "arguments": call, "status": "completed"},
                    usage_of(4000, 0, 50))
    else:
        said = f"The shell says: {results[0]['output']}"
        text = page({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                     "content": [{"type": "output_text", "text": said, "annotations": []}]},
                    usage_of(4100, 4000, 20))
    connection.sendall(plain_answer(text, content_type="text/event-stream"))


def test_a_task_of_two_turns_is_done(run):
    with Upstream(answer_in_turns) as upstream, purser_of(upstream, 1) as purser:
        out, status = run(purser, "task", "What is 6 times 7?")
        assert status == 0 and "6 times 7 is 42" in out, out
        first, second = settled(purser, "task")
        assert first["cost_nano_usd"] == 4000 * INPUT + 50 * OUTPUT
        assert second["cost_nano_usd"] == 100 * INPUT + 4000 * CACHED + 20 * OUTPUT


# ---- the cap ----

def spend(run, purser, provider):
    """Runs until it is refused: what it printed. An answer that was cut, since its maximum was
    lowered, ends a run too."""
    for _ in range(12):
        before = provider.bill(False)["requests"]
        out, status = run(purser, "cap", "Say much [fake prompt=5000 output=4000 chunks=3]")
        if provider.bill(False)["requests"] == before:
            assert status == 1
            return out
        assert status == 0 or "reason: max_output_tokens" in out, out[-500:]
    raise AssertionError("the session has no end")


@pytest.mark.parametrize("status,says", [
    (429, "Quota exceeded."),
    (400, 'Budget has been exceeded! Budget \\"session\\" (session alice/cap'),
])
def test_a_session_that_is_spent_stops_it_after_one_question(run, provider, status, says):
    with purser_of(provider, 0.3, budget_status=status) as purser:
        assert says in spend(run, purser, provider)
        assert [line["error"] for line in purser.ledger()
                if line["kind"] == "refuse"] == ["budget_exceeded"]
        assert sum(purser.settled().values()) <= 0.3 * NANO
        out, status = run(purser, "another", "Say hello [fake prompt=9 output=12]")
        assert status == 0 and "the of and" in out, out
