"""Anthropic's Messages against upstreams and clients that mean no good: streams that tell half of
what they used, members that parsers read differently, keys in several headers."""

import json

import httpx
import pytest

from harness import KEY, Purser, Upstream, plain_answer, upstream_of
from test_messages import (BUDGET, MODEL, ask, body_of, headers_of, refused, speaking)

TEXT = "hello " * 50


def event(kind, **data):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"


def start(**usage):
    return event("message_start", message={
        "id": "m", "type": "message", "role": "assistant", "content": [], "model": MODEL,
        "usage": {"input_tokens": 10, "output_tokens": 1, **usage}})


def finish(usage=..., reason="end_turn"):
    told = {} if usage is ... else {"usage": usage}
    return event("message_delta", delta={"stop_reason": reason}, **told)


BLOCK = (event("content_block_start", index=0, content_block={"type": "text", "text": ""}) +
         event("content_block_delta", index=0, delta={"type": "text_delta", "text": TEXT}) +
         event("content_block_stop", index=0))
STOP = event("message_stop")
ERROR = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


class Streaming:
    """Purser in front of an upstream whose stream is this page."""

    def __init__(self, page, **upstream):
        def answer(connection, head, body):
            connection.sendall(plain_answer(page, content_type="text/event-stream"))
        self.upstream = Upstream(answer)
        self.purser = Purser(upstreams=[speaking(self.upstream, **upstream)], budgets=BUDGET)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.purser.close()
        self.upstream.close()

    def ask(self, **body):
        """What came, whether it ended cleanly, and the reserve and settle lines."""
        came, clean = "", True
        with self.purser.client.stream("POST", "/v1/messages", headers=headers_of(),
                                       json=body_of(stream=True, **body)) as answer:
            assert answer.status_code == 200, answer.read()
            try:
                for piece in answer.iter_text():
                    came += piece
            except httpx.HTTPError:
                clean = False
        return came, clean, *self.purser.lines_of(answer)


@pytest.mark.parametrize("page, clean", [
    (start() + BLOCK + finish() + STOP, True),  # the output is told nowhere
    (start() + BLOCK + finish({}) + STOP, True),
    (start() + BLOCK + finish(None) + STOP, True),
    (start() + BLOCK + finish({"input_tokens": 10}) + STOP, True),
    (start() + BLOCK + STOP, True),
    (BLOCK + finish({"output_tokens": 50}) + STOP, True),  # nor is the input
    (start() + BLOCK + ERROR + STOP, True),
    (start() + ERROR, False),
    (start() + BLOCK + finish({"output_tokens": 5}, None), False),  # more follows that
    (start() + BLOCK + finish({"output_tokens": -5}) + STOP, True),
])
def test_what_tells_half_of_its_usage_is_booked_as_it_was_held(page, clean):
    with Streaming(page, cancel_saves="no") as own:
        came, ended, reserve, settle = own.ask()
        assert came == page and ended == clean
        assert settle["cost_nano_usd"] == reserve["hold_nano_usd"] > 0
        assert settle["usage_source"] == "bound"


@pytest.mark.parametrize("told, want", [(10, 10), (0, None)])
def test_a_stream_that_is_cut_has_the_input_that_it_told_or_what_was_held(told, want):
    """Servers that only speak this dialect begin with an input of 0 and tell it in the end."""
    with Streaming(start(input_tokens=told) + BLOCK, cancel_saves="yes") as own:
        _, clean, reserve, settle = own.ask(model="claude-3-5-haiku-latest")
        assert not clean and settle["usage_source"] == "counted"
        size = len(json.dumps(body_of(stream=True, model="claude-3-5-haiku-latest"),
                              separators=(",", ":"))) + 3
        assert settle["prompt_tokens"] == (want or size)
        assert settle["cost_nano_usd"] <= reserve["hold_nano_usd"]


def test_rounds_beside_the_answers_own_are_billed():
    rounds = [{"type": "compaction", "input_tokens": 100, "output_tokens": 30},
              {"type": "message", "input_tokens": 10, "output_tokens": 50}]
    page = start() + BLOCK + finish({"output_tokens": 50, "iterations": rounds}) + STOP
    with Streaming(page) as own:
        _, _, _, settle = own.ask()
        assert (settle["prompt_tokens"], settle["completion_tokens"]) == (110, 80)
        assert settle["cost_nano_usd"] == 110 * 3000 + 80 * 15000


def test_the_last_of_several_deltas_counts():
    page = start() + finish({"output_tokens": 5}, None) + BLOCK + finish({"output_tokens": 80}) + STOP
    with Streaming(page) as own:
        _, _, _, settle = own.ask()
        assert settle["cost_nano_usd"] == 10 * 3000 + 80 * 15000
        assert settle["usage_source"] == "reported"


@pytest.mark.parametrize("members, param", [
    ('"tools":[{"type":"web_search_20250305","max_uses":1,"max_uses":null}]', "tools"),
    ('"tools":[{"type":"web_search_20250305","Max_Uses":1}]', "tools"),
    ('"tools":[{"type":"custom","typ\\u0065":"web_fetch_20250910"}]', "tools"),
    ('"context_management":{"edits":[{"type":"clear_x","type":"compact_20260112"}]}',
     "context_management"),
    ('"anthropic_beta":["context-1m-2025-08-07"]', "anthropic_beta"),
])
def test_what_parsers_read_differently_is_refused(shared_provider, members, param):
    raw = f'{{"model":"{MODEL}","max_tokens":9,"messages":[],{members}}}'
    with Purser(shared_provider, upstreams=[speaking(shared_provider)], budgets=BUDGET) as own:
        before = shared_provider.bill(False)["requests"]
        answer = own.client.post("/v1/messages", content=raw, headers={
            **headers_of(), "Content-Type": "application/json"})
        assert refused(answer, 400, "invalid_request_error", "unbounded_tool")["param"] == param
        assert shared_provider.bill(False)["requests"] == before


@pytest.mark.parametrize("keys, want", [
    ({"x-api-key": "sk-theirs"}, {"x-api-key": "sk-theirs"}),
    ({"Authorization": "Bearer sk-login"}, {"authorization": "Bearer sk-login"}),
    ({"Authorization": "Bearer sk-login", "x-api-key": "sk-theirs"},
     {"authorization": "Bearer sk-login"}),
])
def test_in_passthrough_the_clients_own_key_goes_on_once(shared_provider, keys, want):
    with Purser(upstreams=[speaking(shared_provider, api_key="")], keys=[],
                auth={"mode": "passthrough"}, budgets=BUDGET) as own:
        httpx.post(f"{own.base}/v1/messages", json=body_of(), headers=keys)
        got = {name: value for name, value in shared_provider.newest().headers.items()
               if name in ("authorization", "x-api-key", "api-key")}
        assert got == want


def test_a_beta_of_long_contexts_that_the_operator_names_is_held_for_them(shared_provider):
    upstream = speaking(shared_provider, headers={"anthropic-beta": "x,context-1m-2025-08-07"})
    document = [{"role": "user", "content": [{"type": "document", "source": {}}]}]
    with Purser(shared_provider, upstreams=[upstream], budgets=[
            {"name": "all", "scope": "global", "window": "day", "usd": 100}]) as own:
        reserve, _ = own.lines_of(ask(own, messages=document))
        assert reserve["hold_nano_usd"] == 1_000_000 * 12000 + 100 * 22500


def test_who_has_no_key_is_told_where_anthropics_clients_take_it_from(shared_provider):
    with Purser(shared_provider, upstreams=[speaking(shared_provider)]) as own:
        answer = httpx.post(f"{own.base}/v1/messages", json=body_of())
        error = refused(answer, 401, "authentication_error", "invalid_api_key")
        assert "x-api-key" in error["message"] and "ANTHROPIC_API_KEY" in error["message"]
