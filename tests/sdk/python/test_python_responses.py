"""The openai package for Python through purser: client.responses, its streams and their helpers."""

import openai
import pytest

from harness import KEY, Purser, usd

MINI = "gpt-4o-mini"
COST = 9 * 150 + 12 * 600


def fake(**wishes):
    return {"x-fake": ",".join(f"{name}={value}" for name, value in wishes.items())}


@pytest.fixture
def client(purser):
    with openai.OpenAI(api_key=KEY, base_url=purser.base + "/v1", timeout=30) as made:
        yield made


def last_settled(purser):
    purser.idle()
    return [line for line in purser.ledger() if line["kind"] == "settle"][-1]


def test_a_response_is_answered_and_its_cost_is_told(client, purser):
    raw = client.responses.with_raw_response.create(
        model=MINI, input="Say hello", extra_headers=fake(prompt=9, output=12))
    answer = raw.parse()
    assert len(answer.output_text.split()) == 12 and answer.status == "completed"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (9, 12)
    assert usd(raw.headers["x-purser-cost-usd"]) == last_settled(purser)["cost_nano_usd"] == COST


def test_a_stream_arrives_whole_with_its_cost(client, purser):
    events = list(client.responses.create(
        model=MINI, input="Say hello", stream=True, extra_headers=fake(prompt=9, output=12)))
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    last = events[-1]
    assert last.type == "response.completed" and last.response.output_text == said
    assert last.response.usage.total_tokens == 21
    assert usd(last.response.usage.cost) == last_settled(purser)["cost_nano_usd"] == COST


def test_the_streaming_helper_assembles_the_answer(client):
    with client.responses.stream(model=MINI, input="Say hello",
                                 extra_headers=fake(output=7)) as stream:
        for _ in stream:
            pass
        answer = stream.get_final_response()
    assert len(answer.output_text.split()) == 7


def test_a_tool_is_called_and_answered(client):
    tools = [{"type": "function", "name": "f", "strict": False, "parameters": {
        "type": "object", "properties": {"words": {"type": "string"}}}}]
    first = client.responses.create(model=MINI, input="Call f", tools=tools,
                                    extra_headers=fake(tool="f", output=4))
    (call,) = [item for item in first.output if item.type == "function_call"]
    second = client.responses.create(
        model=MINI, tools=tools, previous_response_id=first.id, extra_headers=fake(output=3),
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "fine"}])
    assert len(second.output_text.split()) == 3


def test_tokens_are_counted_for_nothing(client, purser):
    answer = client.responses.input_tokens.count(model=MINI, input="Say hello",
                                                 extra_headers=fake(prompt=9))
    assert answer.input_tokens == 9
    assert last_settled(purser)["cost_nano_usd"] == 0


def test_a_spent_budget_is_a_rate_limit_error_and_is_not_tried_again(purser, keys):
    begun = len(purser.log())
    with openai.OpenAI(api_key=keys["spent"], base_url=purser.base + "/v1") as spent:
        for stream in (False, True):
            with pytest.raises(openai.RateLimitError, match="Budget has been exceeded!"):
                spent.responses.create(model=MINI, input="Say hello", max_output_tokens=16,
                                       stream=stream)
    assert purser.log()[begun:].count("refused: budget_exceeded") == 2


# ---- a stream that its budget ends ----

@pytest.fixture(params=["length", "error"])
def narrow(request, provider):
    """A purser whose budget is too small for two streams, and how it ends them."""
    with Purser(provider, budgets=[
            {"name": "purse", "scope": "global", "window": "day", "usd": 0.0006}],
            admission={"slice_tokens": 100, "early_stop": request.param}) as running:
        with openai.OpenAI(api_key=KEY, base_url=running.base + "/v1", timeout=30) as made:
            yield made, request.param


def test_the_streaming_helper_sees_a_regular_end(narrow):
    client, manner = narrow
    wants = {"model": MINI, "max_output_tokens": 3000,
             "extra_headers": fake(output=3000, gap_ms=2)}
    rival = client.responses.create(input="more", stream=True, **wants)
    with client.responses.stream(input="Say much", **wants) as stream:
        events = list(stream)
    rival.close()
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    last = events[-1]
    if manner == "length":
        assert last.type == "response.incomplete"
        assert last.response.incomplete_details.reason == "max_output_tokens"
        assert last.response.output_text == said and len(said.split()) > 50
    else:
        assert [event.type for event in events[-2:]] == ["error", "response.failed"]
        assert "Budget has been exceeded!" in last.response.error.message
