"""Anthropic's Messages: whole and streamed calls, their bill to the nano-dollar, errors in their own
shape, and what purser changes on the way."""

import contextlib
import json
import threading

import httpx
import pytest

from harness import (ADMIN, KEY, Purser, Upstream, plain_answer, upstream_of, usd, wait_until)

MODEL = "claude-sonnet-4-5"
VERSION = {"anthropic-version": "2023-06-01"}
BUDGET = [{"name": "daily", "scope": "global", "window": "day", "usd": 100},
          {"name": "session", "scope": "session", "window": "total", "usd": 0.05}]


def speaking(provider, **more):
    return {**upstream_of(provider), "dialect": "anthropic", "provider": "anthropic", **more}


@pytest.fixture(scope="module")
def purser(shared_provider):
    with Purser(shared_provider, upstreams=[speaking(shared_provider)], budgets=BUDGET,
                keys=[{"id": "alice", "key": KEY, "team": "research",
                       "may_set": ["session", "label", "tags", "user"]}]) as running:
        yield running


def body_of(content="hello", **more):
    return {"model": MODEL, "max_tokens": 100,
            "messages": [{"role": "user", "content": content}], **more}


def headers_of(fake=None, key=KEY, **more):
    return {**VERSION, "x-api-key": key, "Authorization": "",
            **({"x-fake": fake} if fake else {}), **more}


def ask(purser, fake=None, path="/v1/messages", headers=None, **body):
    return purser.client.post(path, headers={**headers_of(fake), **(headers or {})},
                              json=body_of(**body))


def events(lines):
    """(name, data) of server-sent events."""
    name = None
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def stream(purser, fake=None, path="/v1/messages", **body):
    """A whole stream: the answer and its events."""
    with purser.client.stream("POST", path, headers=headers_of(fake),
                              json=body_of(stream=True, **body)) as answer:
        assert answer.status_code == 200, answer.read()
        return answer, list(events(answer.iter_lines()))


def text_of(seen):
    return "".join(data["delta"].get("text", "") for name, data in seen
                   if name == "content_block_delta")


def refused(answer, status, kind, code):
    """Checks that it is a refusal of purser in Anthropic's shape; its error object."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    body = answer.json()
    assert body["type"] == "error" and body["request_id"] == answer.headers["request-id"]
    assert (body["error"]["type"], body["error"]["code"]) == (kind, code), body
    assert answer.headers["x-purser-error"] == code and body["error"]["message"]
    return body["error"]


# ---- money ----

@pytest.mark.parametrize("fake", [
    "prompt=20,output=9",
    "prompt=50,cached=30,output=9",
    "prompt=90,cached=30,cache_write=40,output=9",
    "prompt=90,cache_write_1h=80,output=9",
    "prompt=99,cached=1,cache_write=40,cache_write_1h=30,output=50,reasoning=20",
])
def test_a_call_is_booked_as_it_was_billed_streamed_or_not(purser, shared_provider, fake):
    for call in (ask, stream):
        before = shared_provider.settled_bill(False)["cost_nano_usd"]
        answer = call(purser, fake)
        answer, seen = answer if isinstance(answer, tuple) else (answer, None)
        reserve, settle = purser.lines_of(answer)
        bill = shared_provider.settled_bill(False)["cost_nano_usd"] - before
        assert settle["cost_nano_usd"] == bill <= reserve["hold_nano_usd"]
        assert settle["usage_source"] == "reported" and settle["endpoint"] == "messages"
        if seen is None:
            assert usd(answer.headers["x-purser-cost-usd"]) == bill
            assert answer.headers["x-purser-cache"] == "bypass"
        else:
            [last] = [data for name, data in seen if name == "message_delta"]
            assert usd(last["usage"]["cost"]) == bill
            assert usd(answer.headers["x-purser-hold-usd"]) == reserve["hold_nano_usd"]


def test_all_but_the_cost_of_a_stream_arrives_as_it_was_sent(purser, shared_provider):
    fake = "prompt=20,output=5,chunks=3"
    _, through = stream(purser, fake)
    with httpx.stream("POST", f"{shared_provider.url}/messages", json=body_of(stream=True),
                      headers={**headers_of(fake), "x-api-key": "sk-upstream"}) as answer:
        direct = list(events(answer.iter_lines()))

    def plain(seen):
        for _, data in seen:
            data.get("usage", {}).pop("cost", None)
            data.get("message", {}).pop("id", None)
        return seen
    assert plain(through) == plain(direct)
    assert [name for name, _ in through][-2:] == ["message_delta", "message_stop"]


def test_the_maximum_is_lowered_to_what_a_session_has_left(purser, shared_provider):
    answer = ask(purser, "output=5000,prompt=10", path="/s/short/v1/messages", max_tokens=5000)
    clamped = int(answer.headers["x-purser-clamped-max-tokens"])
    assert 0 < clamped < 5000
    assert answer.json()["usage"]["output_tokens"] == clamped
    assert answer.json()["stop_reason"] == "max_tokens"
    assert shared_provider.newest().json()["max_tokens"] == clamped
    assert purser.booked(answer)["session"] == "short"


def test_a_budget_for_thinking_stays_below_a_lowered_maximum(purser, shared_provider):
    with Purser(shared_provider, upstreams=[speaking(shared_provider)],
                budgets=[{"name": "call", "scope": "key", "window": "total", "usd": 0.03}]) as own:
        thinking = {"type": "enabled", "budget_tokens": 4000}
        answer = ask(own, "output=9,prompt=10", max_tokens=5000, thinking=thinking)
        body = shared_provider.newest().json()
        assert answer.status_code == 200, answer.text
        assert 1024 <= body["thinking"]["budget_tokens"] == body["max_tokens"] - 1 < 4000
        # Now there is room for an answer, but for none with thinking, which takes 1025 tokens.
        assert ask(own, "output=950,prompt=10", max_tokens=950).status_code == 200
        answer = ask(own, "output=9,prompt=10", max_tokens=5000, thinking=thinking)
        refused(answer, 429, "rate_limit_error", "budget_exceeded")
        answer = ask(own, "output=9,prompt=10", max_tokens=5000)
        assert int(answer.headers["x-purser-clamped-max-tokens"]) < 1025


def test_a_spent_session_is_told_in_anthropics_shape(purser):
    path = "/s/spent/v1/messages"
    for _ in range(40):
        answer = ask(purser, "output=400,prompt=10", path=path, max_tokens=400)
        if answer.status_code != 200:
            break
    error = refused(answer, 429, "rate_limit_error", "budget_exceeded")
    assert error["message"].startswith("Budget has been exceeded!")
    assert error["budget"]["name"] == "session" and error["budget"]["limit"] == 0.05
    assert answer.headers["x-should-retry"] == "false" and "retry-after" not in answer.headers
    counted = ask(purser, path=path + "/count_tokens")  # is free
    assert counted.status_code == 200, counted.text


def test_the_beta_of_long_contexts_is_held_for_them(shared_provider):
    turns = [{"role": "user", "content": [{"type": "document", "source": {}}]}]
    with Purser(shared_provider, upstreams=[speaking(shared_provider)], budgets=[
            {"name": "all", "scope": "global", "window": "day", "usd": 100}]) as own:
        holds = [own.lines_of(ask(own, messages=turns, headers=more))[0]["hold_nano_usd"]
                 for more in ({}, {"anthropic-beta": "x-1,context-1m-2025-08-07"})]
        assert holds == [200_000 * 6000 + 100 * 15000, 1_000_000 * 12000 + 100 * 22500]


def test_searches_of_the_web_are_held_by_their_max_uses_and_billed(shared_provider):
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]
    with Purser(shared_provider, upstreams=[speaking(shared_provider)], budgets=[
            {"name": "all", "scope": "global", "window": "day", "usd": 100}]) as own:
        for call in (ask, stream):
            before = shared_provider.settled_bill(False)["cost_nano_usd"]
            answer = call(own, "searches=2,prompt=90,output=9", tools=tools)
            reserve, settle = own.lines_of(answer if call is ask else answer[0])
            bill = shared_provider.settled_bill(False)["cost_nano_usd"] - before
            assert settle["cost_nano_usd"] == bill > 2 * 10**7
            assert reserve["hold_nano_usd"] == 3 * 200_000 * 12000 + 100 * 22500 + 2 * 10**7


# ---- counting ----

def test_counting_tokens_is_free_and_a_request_in_the_books(purser, shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
    answer = purser.client.post("/v1/messages/count_tokens", headers=headers_of("prompt=33"),
                                json=body)
    assert (answer.status_code, answer.json()) == (200, {"input_tokens": 33})
    assert shared_provider.newest().json() == body
    assert shared_provider.newest().target == "/v1/messages/count_tokens"
    settle = purser.booked(answer)
    assert (settle["cost_nano_usd"], settle["total_tokens"]) == (0, 0)
    assert settle["endpoint"] == "messages.count_tokens"
    assert usd(answer.headers["x-purser-cost-usd"]) == 0
    assert shared_provider.settled_bill(False)["cost_nano_usd"] == before


def test_counting_tokens_needs_a_key(purser):
    answer = purser.client.post("/v1/messages/count_tokens", json=body_of(),
                                headers=headers_of(key="sk-wrong"))
    refused(answer, 401, "authentication_error", "invalid_api_key")


# ---- who asks, and whom ----

def test_a_key_may_come_either_way_and_the_upstreams_goes_as_x_api_key(purser, shared_provider):
    for headers in ({"x-api-key": KEY}, {"Authorization": f"Bearer {KEY}"}):
        answer = httpx.post(f"{purser.base}/v1/messages", json=body_of(),
                            headers={"anthropic-beta": "some-beta-1", **headers})
        assert answer.status_code == 200, answer.text
        names = shared_provider.newest().headers
        assert names["x-api-key"] == "sk-upstream" and "authorization" not in names
        assert names["anthropic-version"] == "2023-06-01"  # as nobody named one
        assert names["anthropic-beta"] == "some-beta-1"


def test_the_clients_version_is_passed_on(purser, shared_provider):
    ask(purser, headers={"anthropic-version": "2024-01-01"})
    values = [value for name, value in shared_provider.requests()["requests"][-1]["headers"]
              if name.lower() == "anthropic-version"]
    assert values == ["2024-01-01"]


def test_a_user_is_named_by_the_metadata_however_long(purser):
    answer = ask(purser, metadata={"user_id": "bob"})
    assert purser.booked(answer)["user"] == "bob"
    answer = ask(purser, metadata={"user_id": "é" * 100 + "x"})
    assert purser.booked(answer)["user"] == "é" * 64


def test_an_upstream_of_another_dialect_is_passed_over_and_named(shared_provider):
    upstreams = [{**upstream_of(shared_provider), "name": "first", "models": ["gpt-*"]},
                 speaking(shared_provider, name="second", models=["claude-*"], dialect="openai"),
                 speaking(shared_provider, name="third", models=["claude-sonnet-*"])]
    with Purser(upstreams=upstreams) as own:
        answer = ask(own)
        assert answer.headers["x-purser-upstream"] == "third"
        error = refused(ask(own, model="claude-haiku-4-5"), 404, "not_found_error",
                        "wrong_dialect")
        assert "'second'" in error["message"] and "/v1/chat/completions" in error["message"]
        refused(ask(own, model="gemini"), 404, "not_found_error", "model_not_found")
        answer = own.chat(model=MODEL)
        assert answer.headers["x-purser-upstream"] == "second"


def credentials(provider):
    return {name: value for name, value in provider.newest().headers.items()
            if name in ("x-api-key", "authorization", "api-key")}


def test_in_passthrough_the_clients_own_key_goes_the_way_it_came(shared_provider):
    with Purser(shared_provider, upstreams=[speaking(shared_provider)], keys=[],
                auth={"mode": "passthrough"}) as own:
        for headers in ({"x-api-key": "sk-ant-1"}, {"Authorization": "Bearer sk-ant-oat-1"}):
            answer = httpx.post(f"{own.base}/v1/messages", json=body_of(), headers=headers)
            assert answer.status_code == 200, answer.text
            assert credentials(shared_provider) == {name.lower(): value
                                                    for name, value in headers.items()}


def test_anthropic_itself_speaks_both_each_with_its_own_header(shared_provider):
    with Purser(shared_provider, upstreams=[speaking(shared_provider, dialect="auto")]) as own:
        assert ask(own).status_code == 200
        assert credentials(shared_provider) == {"x-api-key": "sk-upstream"}
        assert own.chat(model=MODEL).status_code == 200
        assert credentials(shared_provider) == {"authorization": "Bearer sk-upstream"}
    with Purser(shared_provider, upstreams=[speaking(shared_provider, auth_header="bearer")]) as own:
        assert ask(own).status_code == 200
        assert credentials(shared_provider) == {"authorization": "Bearer sk-upstream"}


# ---- what is refused ----

@pytest.mark.parametrize("change, code, param", [
    ({"max_tokens": None}, "missing_member", "max_tokens"),
    ({"max_tokens": -1}, "invalid_value", "max_tokens"),
    ({"max_tokens": "many"}, "invalid_type", "max_tokens"),
    ({"messages": "hello"}, "invalid_type", "messages"),
    ({"messages": ["hello"]}, "invalid_type", "messages"),
    ({"system": 3}, "invalid_type", "system"),
    ({"stream": "yes"}, "invalid_type", "stream"),
    ({"metadata": {"user_id": 3}}, "invalid_type", "metadata.user_id"),
    ({"thinking": {"budget_tokens": 0.5}}, "invalid_value", "thinking.budget_tokens"),
    ({"Max_Tokens": 3}, "misspelt_member", "max_tokens"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "unbounded_tool", "tools"),
    ({"tools": [{"type": "code_execution_20250825", "name": "x"}]}, "unbounded_tool", "tools"),
    ({"mcp_servers": [{"url": "https://x"}]}, "unbounded_tool", "mcp_servers"),
    ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "unbounded_tool",
     "context_management"),
    ({"speed": "fast"}, "unbounded_tool", "speed"),
    ({"inference_geo": "us"}, "unbounded_tool", "inference_geo"),
    ({"max_output_tokens": 5}, "unbounded_tool", "max_output_tokens"),
])
def test_bad_or_boundless_bodies_are_refused_before_anything_is_sent(purser, shared_provider, change,
                                                                     code, param):
    before = shared_provider.bill(False)["requests"]
    error = refused(ask(purser, **change), 400, "invalid_request_error", code)
    assert error["param"] == param
    assert shared_provider.bill(False)["requests"] == before


@pytest.mark.parametrize("more", [
    {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"a": {}}}},
               {"type": "bash_20250124", "name": "bash"}]},
    {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}},
    {"mcp_servers": [], "speed": "standard", "service_tier": "auto"},
    {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]},
])
def test_what_agents_send_is_passed_on(purser, more):
    assert ask(purser, **more).status_code == 200


@pytest.mark.parametrize("body", [
    b"{", b"[]", b'{"model":"m","model":"m"}', b"\xff", b"{" * 1000, b'{"a":' * 400 + b"1" + b"}" * 400,
    b'{"model":"claude-sonnet-4-5","max_tokens":5,"max_tokens":9,"messages":[]}',
])
def test_what_is_no_good_json_is_refused_in_anthropics_shape(purser, body):
    answer = purser.client.post("/v1/messages", content=body, headers={
        **headers_of(), "Content-Type": "application/json"})
    assert answer.status_code == 400 and answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_documents_hold_the_models_whole_context(purser):
    document = {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}}
    turns = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
                                           "content": [document]}]}]
    refused(ask(purser, "prompt=9", messages=turns), 400, "invalid_request_error",
            "request_cost_exceeds_limit")


def test_images_are_held_at_what_their_family_takes_at_the_most(purser):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}}
    turns = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
                                           "content": [image]}]}]
    assert ask(purser, "prompt=9", messages=turns).status_code == 200


def test_other_paths_tell_clients_of_anthropic_in_their_shape(purser):
    answer = purser.client.post("/v1/messages/batches", headers=headers_of(), json={})
    refused(answer, 404, "not_found_error", "unknown_path")
    answer = purser.client.post("/v1/skills", headers=headers_of(), json={})
    refused(answer, 404, "not_found_error", "unknown_path")
    answer = purser.client.get("/v1/messages", headers={"x-api-key": KEY})
    refused(answer, 405, "invalid_request_error", "method_not_allowed")
    assert answer.headers["allow"] == "POST"


# ---- ends ----

def test_an_error_of_the_upstream_is_passed_on_and_costs_nothing(purser, shared_provider):
    answer = ask(purser, "status=529")
    assert answer.status_code == 529 and answer.json()["type"] == "error"
    assert purser.booked(answer)["cost_nano_usd"] == 0


@pytest.mark.parametrize("fake", ["die_after=3,output=9,gap_ms=20", "half_chunk=1,output=9",
                                  "half_chunk=2,output=9", "fail_after=3,output=9,gap_ms=20"])
def test_a_stream_that_breaks_off_ends_visibly_and_books_at_least_the_bill(purser, shared_provider,
                                                                           fake):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    seen, name = [], None
    with pytest.raises(httpx.HTTPError):
        with purser.client.stream("POST", "/s/broken/v1/messages", headers=headers_of(fake),
                                  json=body_of(stream=True)) as answer:
            assert answer.status_code == 200, answer.read()
            name = answer.headers["x-purser-request-id"]
            for event in events(answer.iter_lines()):
                seen.append(event)
    assert "message_stop" not in [name for name, _ in seen]
    bill = shared_provider.settled_bill(False)["cost_nano_usd"] - before
    settle = purser.booked(name)
    assert settle["cost_nano_usd"] >= bill > 0
    assert settle["stop_reason"] == "upstream"


def test_who_hangs_up_stops_the_upstream_and_pays_at_least_the_bill(purser, shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    with purser.client.stream("POST", "/s/gone/v1/messages",
                              headers=headers_of("output=1000,gap_ms=20"),
                              json=body_of(stream=True, max_tokens=1000)) as answer:
        lines = answer.iter_lines()
        while "content_block_delta" not in next(lines):
            pass
    bill = shared_provider.settled_bill()
    cost = bill["cost_nano_usd"] - before
    assert bill["calls"][-1]["completion_tokens"] < 500
    settle = purser.booked(answer.headers["x-purser-request-id"])
    assert settle["cost_nano_usd"] >= cost
    assert settle["stop_reason"] == "client"


def test_a_usage_told_in_two_parts_by_an_older_api_is_one():
    """The last event names no more than the output."""
    told = [
        ("message_start", {"type": "message_start", "message": {
            "id": "m", "type": "message", "role": "assistant", "content": [], "model": MODEL,
            "usage": {"input_tokens": 10, "cache_creation_input_tokens": 30,
                      "cache_read_input_tokens": 20, "output_tokens": 1, "cache_creation": {
                          "ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}}}}),
        ("ping", {"type": "ping"}),
        ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                           "usage": {"output_tokens": 7}}),
        ("message_stop", {"type": "message_stop"}),
    ]
    page = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in told)

    def answer(connection, head, body):
        connection.sendall(plain_answer(page, content_type="text/event-stream"))
    with Upstream(answer) as upstream, Purser(upstreams=[speaking(upstream)]) as own:
        answer, seen = stream(own)
        settle = own.booked(answer)
        assert settle["cost_nano_usd"] == 10 * 3000 + 20 * 300 + 10 * 3750 + 20 * 6000 + 7 * 15000
        assert (settle["prompt_tokens"], settle["completion_tokens"]) == (60, 7)
        assert usd(seen[-2][1]["usage"]["cost"]) == settle["cost_nano_usd"]


def test_many_at_once_never_spend_more_than_their_session_has(shared_provider):
    with Purser(shared_provider, upstreams=[speaking(shared_provider)], budgets=[
            {"name": "crowd", "scope": "session", "window": "total", "usd": 0.01}]) as own:
        before = shared_provider.settled_bill(False)["cost_nano_usd"]

        def work(number):
            with contextlib.suppress(httpx.HTTPError):
                call = stream if number % 2 else ask
                with contextlib.suppress(AssertionError):
                    call(own, "output=60,prompt=30,gap_ms=2", path="/s/crowd/v1/messages")
        threads = [threading.Thread(target=work, args=(number,)) for number in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        own.idle()
        bill = shared_provider.settled_bill(False)["cost_nano_usd"] - before
        assert bill <= 0.01 * 10**9
        assert sum(own.settled().values()) == bill
        wait_until(lambda: usd(own.budgets(ADMIN)["crowd", "alice/crowd", "usd"]["spent"]) == bill,
                   what="/budget to say the same")


# ---- what a client's URL says ----

@pytest.mark.parametrize("own, asked, target", [
    ({}, "?beta=true", "/v1/messages?beta=true"),
    ({}, "?x=1&beta=true&api-version=3&key=stolen", "/v1/messages?beta=true"),
    ({}, "?beta=maybe", "/v1/messages"),
    ({"tier": "a b&c%20=d"}, "?beta=true", "/v1/messages?tier=a%20b%26c%20%3Dd&beta=true"),
    ({"beta": "no"}, "?beta=true", "/v1/messages?beta=no")])
def test_of_a_query_only_the_beta_goes_along_and_never_against_the_operators(
        shared_provider, start, own, asked, target):
    purser = start(shared_provider, upstreams=[speaking(shared_provider, query=own)])
    assert ask(purser, path=f"/v1/messages{asked}").status_code == 200
    assert shared_provider.newest().target == target


def test_models_have_the_shape_of_the_dialect_that_asks(shared_provider, start):
    purser = start(shared_provider, upstreams=[
        speaking(shared_provider, models=["claude-*", "my-own"]),
        {**upstream_of(shared_provider), "name": "other", "models": ["gpt-*"]}])
    whole = purser.client.get("/v1/models", headers=headers_of()).json()
    names = [row["id"] for row in whole["data"]]
    assert MODEL in names and "my-own" in names
    assert not any(name.startswith("gpt-") for name in names)  # not to be had in this dialect
    assert (whole["has_more"], whole["first_id"], whole["last_id"]) == (False, names[0], names[-1])
    assert all(set(row) == {"type", "id", "display_name", "created_at"} for row in whole["data"])
    assert purser.client.get(f"/v1/models/{MODEL}", headers=headers_of()).json() == {
        "type": "model", "id": MODEL, "display_name": MODEL, "created_at": "1970-01-01T00:00:00Z"}
    absent = purser.client.get("/v1/models/gpt-4o", headers=headers_of())
    assert absent.status_code == 404 and absent.json()["type"] == "error"
    everything = purser.client.get("/v1/models").json()
    assert everything["object"] == "list" and "has_more" not in everything
    assert {"gpt-4o", MODEL} <= {row["id"] for row in everything["data"]}
