"""The Responses API through purser: what is held, what is booked beside the provider's bill, and what
is refused."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from harness import (KEY, Purser, Upstream, error_of, plain_answer, upstream_of, usd, wait_until)

BUDGET = [{"name": "daily", "scope": "global", "window": "day", "usd": 10}]
BOB = "sk-test-bob-0123456789abcdef"
KEYS = [{"id": "alice", "key": KEY}, {"id": "bob", "key": BOB}]
SEARCH = [{"type": "web_search"}]


def post(purser, fake=None, key=KEY, path="/v1/responses", **body):
    headers = {"Authorization": f"Bearer {key}", **({"x-fake": fake} if fake else {})}
    return purser.client.post(path, headers=headers,
                              json={"model": "gpt-4o-mini", "input": "hello", **body})


def stream(purser, fake=None, **body):
    headers = {"Authorization": f"Bearer {KEY}", **({"x-fake": fake} if fake else {})}
    return purser.client.stream("POST", "/v1/responses", headers=headers, json={
        "model": "gpt-4o-mini", "input": "hello", "stream": True, **body})


def events_in(text):
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def hold_of(purser, answer):
    return purser.lines_of(answer)[0]["hold_nano_usd"]


@pytest.fixture(scope="module")
def purser(shared_provider):
    with Purser(shared_provider, budgets=BUDGET, keys=KEYS) as running:
        yield running


# ---- what is booked ----

USES = ["prompt=9,output=5", "prompt=100,cached=60,output=1", "prompt=1,output=30,reasoning=20",
        "output=3,gzip=1", "tool=f,output=4", "prompt=5,output=7,tier=priority"]


@pytest.mark.parametrize("path", ["/v1/responses", "/responses", "/s/run-7/v1/responses"])
def test_an_answer_is_booked_exactly(purser, books, path):
    answer = post(purser, "prompt=9,output=5", path=path)
    assert answer.status_code == 200, answer.text
    assert answer.json()["object"] == "response"
    assert usd(answer.headers["x-purser-cost-usd"]) == 9 * 150 + 5 * 600
    line = purser.booked(answer)
    assert line["endpoint"] == "responses" and line["usage_source"] == "reported"
    assert line["session"] == ("run-7" if path.startswith("/s/") else "alice")


@pytest.mark.parametrize("fake", USES)
def test_whole_answers_of_all_kinds_are_booked_exactly(purser, books, fake):
    tier = {"service_tier": "priority"} if "tier" in fake else {}
    answer = post(purser, fake, max_output_tokens=40, **tier)
    assert answer.status_code == 200, answer.text
    line = purser.booked(answer)
    assert line["usage_source"] == "reported"
    assert line["cost_nano_usd"] == usd(answer.headers["x-purser-cost-usd"])
    usage = answer.json()["usage"]
    assert line["cached_tokens" if "cached" in fake else "prompt_tokens"] == \
        (usage["input_tokens_details"]["cached_tokens"] if "cached" in fake
         else usage["input_tokens"])
    assert line.get("reasoning_tokens", 0) == usage["output_tokens_details"]["reasoning_tokens"]


@pytest.mark.parametrize("fake", [*USES, "events_crlf=1", "output=200,gap_ms=1"])
def test_streams_of_all_kinds_are_booked_exactly(purser, books, fake):
    tier = {"service_tier": "priority"} if "tier" in fake else {}
    with stream(purser, fake, max_output_tokens=300, **tier) as answer:
        text = answer.read().decode()
    events = events_in(text)
    assert events[0]["type"] == "response.created"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    line = purser.booked(answer)
    assert line["usage_source"] == "reported" and line["stop_reason"] == "stop"
    last = events[-1]
    assert last["type"] == "response.completed"
    assert usd(last["response"]["usage"]["cost"]) == line["cost_nano_usd"]
    assert usd(answer.headers["x-purser-hold-usd"]) >= line["cost_nano_usd"]


def test_all_but_the_cost_arrives_byte_for_byte(shared_provider, purser):
    body = {"model": "gpt-4o-mini", "input": "hello", "stream": True, "max_output_tokens": 30}
    straight = httpx.post(shared_provider.url + "/responses", json=body,
                          headers={"Authorization": "Bearer sk-upstream"}).text
    through = purser.client.post("/v1/responses", json=body).text
    there, here = events_in(straight), events_in(through)
    here[-1]["response"]["usage"].pop("cost")
    for event in there + here:
        event.get("response", {}).pop("created_at", None)
    blank = [json.dumps(events).replace(events[0]["response"]["id"], "ID")
             for events in (there, here)]
    assert blank[0] == blank[1]


def test_an_answer_cut_at_its_maximum_is_incomplete_and_booked(purser, books):
    answer = post(purser, "output=50", max_output_tokens=16)
    assert answer.json()["status"] == "incomplete"
    with stream(purser, "output=50", max_output_tokens=16) as streamed:
        last = events_in(streamed.read().decode())[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    for line in (purser.booked(answer), purser.booked(streamed)):
        assert line["completion_tokens"] == 16 and line["usage_source"] == "reported"


def test_a_stream_that_fails_books_no_less_than_the_bill(purser, shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    with stream(purser, "output=20,fail_after=5", max_output_tokens=30) as answer:
        events = events_in(answer.read().decode())
    assert events[-1]["type"] in ("response.failed", "error")
    bill = shared_provider.settled_bill(False)["cost_nano_usd"] - before
    assert hold_of(purser, answer) >= purser.booked(answer)["cost_nano_usd"] >= bill > 0


@pytest.mark.parametrize("fake", ["die_after=3", "half_chunk=1,die_after=3"])
def test_a_stream_that_breaks_off_ends_broken(purser, shared_provider, fake):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    with pytest.raises(Exception, match="peer closed|incomplete|disconnected|reset"):
        with stream(purser, fake + ",output=20", max_output_tokens=30) as answer:
            answer.read()
    line = purser.booked(answer)
    assert line["stop_reason"] == "upstream"
    purser.idle()
    assert line["cost_nano_usd"] >= shared_provider.settled_bill(False)["cost_nano_usd"] - before


def test_an_upstream_that_refuses_costs_nothing(purser, books):
    answer = post(purser, "status=400")
    assert answer.status_code == 400 and "x-purser-error" not in answer.headers
    assert purser.booked(answer)["cost_nano_usd"] == 0


def test_who_hangs_up_after_the_end_pays_what_was_reported(purser, books):
    with stream(purser, "output=9", max_output_tokens=16) as answer:
        for line in answer.iter_lines():
            if line.startswith("event: response.completed"):
                break
    assert purser.booked(answer)["usage_source"] == "reported"


def test_who_hangs_up_in_the_middle_pays_no_less_than_the_bill(purser, shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    with stream(purser, "output=200,gap_ms=20", max_output_tokens=300) as answer:
        for line in answer.iter_lines():
            if "delta" in line:
                break
    line = purser.booked(answer)
    assert line["stop_reason"] == "client"
    assert hold_of(purser, answer) >= line["cost_nano_usd"] >= \
        shared_provider.settled_bill(False)["cost_nano_usd"] - before > 0


def test_a_long_answer_is_relayed_and_booked(purser, books):
    answer = post(purser, "big_mb=2,output=5")
    assert len(answer.content) > 2_000_000
    assert purser.booked(answer)["usage_source"] == "reported"


def test_a_last_event_of_many_megabytes_passes(start):
    """It repeats the instructions and all that was said."""
    last = {"type": "response.completed", "response": {
        "id": "resp_1", "instructions": "x" * 10_000_000,
        "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}}}
    whole = f"event: response.completed\ndata: {json.dumps(last)}\n\n"

    def answer(connection, head, asked):
        connection.sendall(plain_answer(whole, content_type="text/event-stream"))

    with Upstream(answer) as upstream:
        purser = start(upstream, budgets=BUDGET)
        with stream(purser) as got:
            assert len(got.read()) > 10_000_000
        assert purser.booked(got)["cost_nano_usd"] == 7 * 150 + 3 * 600


# ---- what is held and sent ----

def test_the_maximum_is_lowered_to_what_is_left(start, shared_provider):
    purser = start(shared_provider, budgets=[
        {"name": "small", "scope": "key", "window": "total", "usd": 0.0001}])
    answer = post(purser, "prompt=5,output=1000", max_output_tokens=5000)
    clamped = int(answer.headers["x-purser-clamped-max-tokens"])
    assert shared_provider.newest().json()["max_output_tokens"] == clamped < 200
    assert answer.json()["status"] == "incomplete"
    assert purser.booked(answer)["completion_tokens"] == clamped


def test_a_reasoning_model_always_gets_a_maximum(purser, shared_provider, books):
    post(purser, model="o4-mini")
    assert shared_provider.newest().json()["max_output_tokens"] > 0
    post(purser, model="gpt-4o-mini")
    assert "max_output_tokens" not in shared_provider.newest().json()


def test_a_spent_budget_refuses(start, shared_provider):
    purser = start(shared_provider, budgets=[
        {"name": "none", "scope": "key", "window": "total", "usd": 0.000001}])
    answer = post(purser, max_output_tokens=20)
    error_of(answer, 400, "request_cost_exceeds_limit")
    purser = start(shared_provider, budgets=[
        {"name": "some", "scope": "request", "usd": 0.00002}], admission={"clamp": "never"})
    error = error_of(post(purser, max_output_tokens=900, stream=True), 400,
                     "request_cost_exceeds_limit")
    assert error["param"] == "max_output_tokens"
    assert "With max_output_tokens at most" in error["message"]


def test_input_that_purser_cannot_see_holds_the_models_whole_context(purser, books):
    made = purser.client.post("/v1/files", data={"purpose": "user_data"},
                              files={"file": ("a.pdf", b"%PDF")}).json()["id"]
    image = [{"role": "user", "content": [{"type": "input_file", "file_id": made}]}]
    answer = post(purser, "prompt=20,output=16", input=image, max_output_tokens=16)
    assert hold_of(purser, answer) >= 128000 * 150
    first = post(purser, max_output_tokens=16)
    answer = post(purser, previous_response_id=first.json()["id"], max_output_tokens=16)
    assert answer.status_code == 200, answer.text
    assert hold_of(purser, answer) >= 128000 * 150


# ---- counting tokens ----

@pytest.mark.parametrize("path", ["/v1/responses/input_tokens", "/s/run-7/responses/input_tokens"])
def test_counting_input_tokens_is_free(purser, books, path):
    answer = post(purser, "prompt=12", path=path, tools=[{"type": "mcp"}])
    assert answer.status_code == 200, answer.text
    assert answer.json()["input_tokens"] == 12
    line = purser.booked(answer)
    assert line["endpoint"] == "responses.input_tokens"
    assert line["cost_nano_usd"] == 0 and line["total_tokens"] == 0
    assert purser.lines_of(answer)[0].get("hold_nano_usd", 0) == 0


# ---- searches of the web ----

def test_searches_are_held_and_booked_with_their_fee(purser, shared_provider, books):
    answer = post(purser, "searches=3,prompt=10,output=20", tools=SEARCH, max_output_tokens=20)
    assert shared_provider.newest().json()["max_tool_calls"] == 4
    assert hold_of(purser, answer) >= 5 * 128000 * 150 + 4 * 10_000_000
    assert purser.booked(answer)["cost_nano_usd"] == 10 * 150 + 20 * 600 + 3 * 10_000_000
    with stream(purser, "searches=2,prompt=10,output=20", tools=SEARCH,
                max_tool_calls=2) as answer:
        answer.read()
    assert shared_provider.newest().json()["max_tool_calls"] == 2
    assert purser.booked(answer)["cost_nano_usd"] == 10 * 150 + 20 * 600 + 2 * 10_000_000


def test_searches_that_cannot_be_bounded_are_refused_under_a_budget(start, shared_provider):
    strict = start(shared_provider, budgets=BUDGET,
                   upstreams=[{**upstream_of(shared_provider), "provider": "openrouter"}],
                   models=[{"name": "gpt-4o-mini", "input": 1, "output": 1, "context": 1000}])
    assert error_of(post(strict, tools=SEARCH), 400, "unbounded_tool")["param"] == "tools"
    free = start(shared_provider)
    assert post(free, tools=SEARCH).status_code == 200
    assert "max_tool_calls" not in shared_provider.newest().json()


# ---- who owns what ----

def test_a_stored_response_is_its_keys_alone(purser, books):
    first = post(purser).json()["id"]
    with stream(purser) as answer:
        second = events_in(answer.read().decode())[-1]["response"]["id"]
    for made in (first, second):
        assert post(purser, previous_response_id=made).status_code == 200
        refused = post(purser, key=BOB, previous_response_id=made)
        assert refused.status_code == 404
        assert refused.json()["error"]["param"] == "previous_response_id"
    assert post(purser, previous_response_id="resp_of_nobody").status_code == 404


def refused_as_foreign(answer, param):
    assert answer.status_code == 404, answer.text
    assert answer.json()["error"]["code"] == "object_not_found"
    assert answer.json()["error"]["param"] == param


def reference(item):
    return [{"type": "item_reference", "id": item}, {"role": "user", "content": "go on"}]


@pytest.mark.parametrize("streamed", [False, True])
def test_items_of_an_answer_are_its_keys_alone(purser, books, streamed):
    if streamed:
        with stream(purser, "reasoning=4,output=9") as answer:
            items = events_in(answer.read().decode())[-1]["response"]["output"]
    else:
        items = post(purser, "reasoning=4,output=9").json()["output"]
    assert {item["type"] for item in items} == {"reasoning", "message"}
    for item in items:
        assert post(purser, input=reference(item["id"])).status_code == 200
        assert post(purser, input=[{"id": item["id"]}]).status_code == 200
        for path in ("/v1/responses", "/v1/responses/input_tokens"):
            refused_as_foreign(post(purser, key=BOB, path=path, input=reference(item["id"])),
                               "input")
    # The text of a message is here; what was thought is not, unless it is encrypted.
    assert post(purser, key=BOB, input=[items[1]]).status_code == 200
    assert post(purser, input=items).status_code == 200
    refused_as_foreign(post(purser, key=BOB, input=items), "input")
    sealed = {**items[0], "encrypted_content": "QUJD"}
    assert post(purser, key=BOB, input=[sealed, items[1]]).status_code == 200
    refused_as_foreign(post(purser, input=reference("msg_of_nobody")), "input")


def test_of_a_response_that_is_not_stored_only_calls_of_the_providers_tools_are_owned(
        purser, books):
    made = post(purser, "searches=1,output=5", tools=SEARCH, store=False).json()["output"]
    call, message = made[0], made[-1]
    assert call["type"] == "web_search_call"
    assert post(purser, input=made, store=False).status_code == 200
    refused_as_foreign(post(purser, key=BOB, input=[call]), "input")
    refused_as_foreign(post(purser, input=reference(message["id"])), "input")


def test_items_of_a_background_response_are_owned_once_it_was_seen(purser, books):
    made = post(purser, "output=5,delay_ms=50", background=True).json()["id"]
    item = wait_until(lambda: purser.client.get(f"/v1/responses/{made}").json()["output"])[0]
    assert post(purser, input=reference(item["id"])).status_code == 200
    refused_as_foreign(post(purser, key=BOB, input=reference(item["id"])), "input")


def test_what_was_before_is_looked_up_at_every_endpoint(purser, books):
    made = post(purser).json()["id"]
    for path, body in (("/v1/responses/input_tokens", {}),
                       ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
                       ("/v1/completions", {"prompt": "x"})):
        asked = {"path": path, "previous_response_id": made, **body}
        answer = post(purser, **asked)
        assert answer.status_code == 200, answer.text
        refused_as_foreign(post(purser, key=BOB, **asked), "previous_response_id")


def test_conversations_and_files_that_nobody_made_here_are_refused(purser, books, shared_provider):
    for conversation in ("conv_1", {"id": "conv_1"}):
        refused_as_foreign(post(purser, conversation=conversation), "conversation")
    file = [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]
    refused_as_foreign(post(purser, input=file), "file_id")
    many = [{"type": "item_reference", "id": f"msg_{i}"} for i in range(1025)]
    error_of(post(purser, input=many), 400, "invalid_request")


@pytest.mark.parametrize("auth", [{"mode": "keys", "foreign_objects": "allow"}, {"mode": "open"},
                                  {"mode": "passthrough"}])
def test_what_nobody_made_here_may_be_named_where_that_is_allowed(start, shared_provider, auth):
    keys = KEYS if auth["mode"] == "keys" else []
    purser = start(shared_provider, auth=auth, keys=keys, budgets=BUDGET)
    file = [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]
    elsewhere = httpx.post(shared_provider.url + "/responses", json={
        "model": "gpt-4o-mini", "input": "x"}, headers={"Authorization": "Bearer sk-upstream"})
    for body in ({"conversation": "conv_1"}, {"input": file}, {"input": reference("msg_of_nobody")},
                 {"previous_response_id": elsewhere.json()["id"]}):
        answer = post(purser, max_output_tokens=16, **body)
        assert answer.status_code == 200, answer.text
        assert "file" in str(body) or hold_of(purser, answer) >= 128000 * 150
    made = post(purser).json()
    if auth["mode"] != "open":
        bob = {"key": BOB}
        refused_as_foreign(post(purser, **bob, previous_response_id=made["id"]),
                           "previous_response_id")
        refused_as_foreign(post(purser, **bob, input=reference(made["output"][0]["id"])), "input")
        if auth["mode"] == "keys":  # a path needs an owner all the same
            assert purser.client.get("/v1/files/file-1").status_code == 404


# ---- what is refused ----

@pytest.mark.parametrize("more,param", [
    ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, "tools"),
    ({"tools": [{"type": "mcp", "server_label": "x", "server_url": "https://x"}]}, "tools"),
    ({"tools": [{"type": "function", "name": "f"}, {"type": "file_search"}]}, "tools"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ({"input": [{"type": "compaction_trigger"}]}, "input"),
    ({"max_tokens": 5}, "max_tokens"),
    ({"service_tier": "scale"}, "service_tier"),
])
def test_what_has_no_bound_is_refused_under_a_budget(purser, books, more, param):
    assert error_of(post(purser, **more), 400, "unbounded_tool")["param"] == param


@pytest.mark.parametrize("body,code", [
    (b"", "invalid_json"), (b"[]", "invalid_json"), (b"{\"model\":", "invalid_json"),
    (b"{\"model\":\"m\",\"input\":" + b"[" * 500 + b"]" * 500 + b"}", "invalid_json"),
    (b"{\"input\":\"x\"}", "missing_member"),
    (b"{\"model\":\"gpt-4o-mini\",\"input\":7}", "invalid_type"),
    (b"{\"model\":\"gpt-4o-mini\",\"input\":[7]}", "invalid_type"),
    (b"{\"model\":\"gpt-4o-mini\",\"max_output_tokens\":1,\"max_output_tokens\":9}",
     "duplicate_member"),
    (b"{\"model\":\"gpt-4o-mini\",\"MAX_OUTPUT_TOKENS\":1}", "misspelt_member"),
    (b"{\"model\":\"gpt-4o-mini\",\"input\":\"\xff\"}", "invalid_json"),
])
def test_bad_bodies_are_refused(purser, books, body, code):
    answer = purser.client.post("/v1/responses", content=body,
                                headers={"Content-Type": "application/json"})
    error_of(answer, 400, code)


@pytest.mark.parametrize("body", [
    "<html>", '{"usage":{"input_tokens":5', '{"usage":{"input_tokens":-5,"output_tokens":1}}', "{}"])
def test_an_upstream_that_talks_nonsense_is_booked_at_its_hold(start, body):
    def answer(connection, head, asked):
        connection.sendall(plain_answer(body))

    with Upstream(answer) as upstream:
        purser = start(upstream, budgets=BUDGET)
        got = post(purser, max_output_tokens=16)
        assert got.status_code in (200, 502)
        line = purser.booked(got)
        assert line["cost_nano_usd"] == hold_of(purser, got) > 0


def test_nothing_is_kept_in_the_cache(purser, books):
    for _ in range(2):
        answer = post(purser, temperature=0, store=False)
        assert answer.headers["x-purser-cache"] == "bypass"


# ---- the budget ends a stream ----

def rivals(purser, fake="", **more):
    """The events of two streams that together want more than there is, each with its booked line;
    those that the budget ended."""
    def run(_):
        with stream(purser, "output=3000,gap_ms=2" + fake, max_output_tokens=3000, **more) as answer:
            return answer, events_in(answer.read().decode())
    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(run, range(2)))
    return [(events, line) for answer, events in ran
            if (line := purser.booked(answer))["stop_reason"] == "budget"]


def limited(start, provider, **admission):
    return start(provider, admission={"slice_tokens": 100, **admission}, budgets=[
        {"name": "purse", "scope": "global", "window": "day", "usd": 0.0006}])


def test_a_stream_ends_where_its_budget_does(start, provider):
    purser = limited(start, provider)
    ended = rivals(purser)
    assert ended
    for events, line in ended:
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        said = "".join(event["delta"] for event in events if event["type"].endswith(".delta"))
        assert [event["type"] for event in events[-4:]] == [
            "response.output_text.done", "response.content_part.done",
            "response.output_item.done", "response.incomplete"]
        assert events[-4]["text"] == said
        response = events[-1]["response"]
        assert response["incomplete_details"] == {"reason": "max_output_tokens"}
        assert response["output"] == [events[-2]["item"]]
        assert response["id"] == events[0]["response"]["id"]
        assert line["usage_source"] == "counted"
        assert response["usage"]["output_tokens"] == line["completion_tokens"]
        assert usd(response["usage"]["cost"]) == line["cost_nano_usd"]
    bill = provider.settled_bill(False)["cost_nano_usd"]
    assert bill <= sum(purser.settled().values()) <= 600_000


def test_half_a_call_is_not_told_as_one(start, provider):
    ended = rivals(limited(start, provider), ",tool=f", tools=[
        {"type": "function", "name": "f", "parameters": {"type": "object"}}])
    assert ended
    for events, _ in ended:
        assert events[-1]["type"] == "response.incomplete"
        assert events[-1]["response"]["output"] == []
        types = {event["type"] for event in events}
        assert "response.function_call_arguments.delta" in types
        assert "response.function_call_arguments.done" not in types


def test_an_error_event_says_why(start, provider):
    ended = rivals(limited(start, provider, early_stop="error"))
    assert ended
    for events, _ in ended:
        assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
        assert events[-2]["code"] == "budget_exceeded"
        assert "\"purse\"" in events[-2]["message"]
        assert events[-1]["response"]["status"] == "failed"
        assert events[-1]["response"]["error"]["code"] == "insufficient_quota"


def test_many_at_once_never_pass_the_cap(start, provider):
    purser = start(provider, budgets=[
        {"name": "cap", "scope": "global", "window": "total", "usd": 0.001}],
        admission={"wait_ms": 200})
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: post(purser, "prompt=10,output=60", stream=n % 2 == 0,
                                     max_output_tokens=100).status_code, range(64)))
    purser.idle()
    bill = wait_until(lambda: provider.settled_bill(False))["cost_nano_usd"]
    assert 0 < bill <= 1_000_000
    assert bill == sum(purser.settled().values())
