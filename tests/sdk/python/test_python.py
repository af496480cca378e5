"""The openai package for Python through purser: it must not notice, until the money is gone."""

import asyncio
import threading

import openai
import pytest

from harness import KEY, usd, wait_until

HELLO = [{"role": "user", "content": "Say hello"}]
MINI = "gpt-4o-mini"


def fake(**wishes):
    return {"x-fake": ",".join(f"{name}={value}" for name, value in wishes.items())}


@pytest.fixture
def client_of(purser, keys):
    def make(name="alice", path="/v1", **options):
        return openai.OpenAI(api_key=keys.get(name, name), base_url=purser.base + path, timeout=30, **options)
    return make


@pytest.fixture
def client(client_of):
    with client_of() as made:
        yield made


@pytest.fixture
def attempts(purser):
    """How many requests purser has refused with that code since the test began."""
    begun = len(purser.log())
    return lambda code: purser.log()[begun:].count(f"refused: {code}")


def last_settled(purser):
    purser.idle()
    return [line for line in purser.ledger() if line["kind"] == "settle"][-1]


def is_held(client):
    """Whether a call holds something of the narrow key's budget."""
    budgets = client.get("/budget", cast_to=object)
    return any(row["name"] == "narrow" and row["reserved"] > 0 for row in budgets["data"])


# ---- what works as before ----


def test_a_chat_is_answered_and_its_cost_is_told(client, purser):
    raw = client.chat.completions.with_raw_response.create(
        model=MINI, messages=HELLO, extra_headers=fake(prompt=9, output=12))
    answer = raw.parse()
    assert len(answer.choices[0].message.content.split()) == 12
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (9, 12)
    assert usd(raw.headers["x-purser-cost-usd"]) == 9 * 150 + 12 * 600
    assert last_settled(purser)["cost_nano_usd"] == 9 * 150 + 12 * 600


def test_a_stream_arrives_whole_and_without_a_chunk_nobody_asked_for(client, provider, purser):
    stream = client.chat.completions.create(
        model=MINI, messages=HELLO, stream=True, extra_headers=fake(prompt=9, output=12))
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert len(text.split()) == 12
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert last_settled(purser)["cost_nano_usd"] == 9 * 150 + 12 * 600


def test_a_stream_carries_usage_when_asked(client):
    stream = client.chat.completions.create(
        model=MINI, messages=HELLO, stream=True, stream_options={"include_usage": True},
        extra_headers=fake(prompt=9, output=12))
    last = list(stream)[-1]
    assert last.choices == []
    assert last.usage.total_tokens == 21


def test_the_streaming_helper_assembles_the_answer(client):
    with client.chat.completions.stream(
            model=MINI, messages=HELLO, extra_headers=fake(output=7)) as stream:
        answer = stream.get_final_completion()
    assert len(answer.choices[0].message.content.split()) == 7


def test_a_stream_left_in_the_middle_is_closed_upstream_and_settled(client, provider, purser):
    before = provider.settled_bill(False)["requests"]
    stream = client.chat.completions.create(
        model=MINI, messages=HELLO, stream=True, max_tokens=2000,
        extra_headers=fake(output=2000, gap_ms=20))
    for count, _ in enumerate(stream):
        if count == 5:
            break
    stream.close()
    wait_until(lambda: provider.bill(False)["open"] == 0, 5, "the upstream to be closed")
    bill = provider.bill()
    assert bill["requests"] == before + 1
    assert bill["calls"][-1]["state"] == "client_gone"
    assert bill["calls"][-1]["completion_tokens"] < 100
    settled = last_settled(purser)
    assert settled["stop_reason"] == "client"
    assert settled["cost_nano_usd"] >= bill["calls"][-1]["cost_nano_usd"]


def test_a_request_with_tools_arrives_as_it_was_sent(client, provider):
    tools = [{"type": "function", "function": {
        "name": "weather", "description": "The weather somewhere",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                       "required": ["city"], "additionalProperties": False}}}]
    history = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function",
             "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sun, 21 °C"}]
    answer = client.chat.completions.create(model=MINI, messages=history, tools=tools,
                                            tool_choice="auto")
    assert answer.choices[0].message.content
    body = provider.newest().json()
    assert body["tools"] == tools
    assert body["messages"] == history


def test_completions_embeddings_and_models_work(client):
    text = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Once", max_tokens=5)
    assert len(text.choices[0].text.split()) == 5
    found = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert len(found.data) == 2 and len(found.data[0].embedding) > 0
    assert MINI in [model.id for model in client.models.list()]


def test_many_calls_at_a_time_are_all_answered(purser):
    async def ask(client, number):
        answer = await client.chat.completions.create(
            model=MINI, messages=HELLO, extra_headers=fake(output=number + 1, delay_ms=50))
        return answer.usage.completion_tokens

    async def ask_all():
        async with openai.AsyncOpenAI(api_key=KEY, base_url=purser.url) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(40)))

    assert asyncio.run(ask_all()) == list(range(1, 41))


def test_the_session_may_stand_in_the_base_url(client_of, purser):
    with client_of(path="/s/run-7/v1") as client:
        client.chat.completions.create(model=MINI, messages=HELLO)
    assert last_settled(purser)["session"].endswith("run-7")


# ---- refusals ----


def test_a_spent_budget_is_a_rate_limit_error_and_is_not_tried_again(client_of, attempts):
    with client_of("spent", max_retries=3) as client, pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model=MINI, messages=HELLO, max_tokens=100)
    error = refused.value
    assert error.body["message"].startswith("Budget has been exceeded!")
    assert (error.type, error.code) == ("insufficient_quota", "budget_exceeded")
    assert error.response.headers["x-should-retry"] == "false"
    assert error.body["budget"]["name"] == "spent"
    assert attempts("budget_exceeded") == 1


def test_a_spent_budget_refuses_streams_alike(client_of, attempts):
    with client_of("spent", max_retries=3) as client, pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model=MINI, messages=HELLO, max_tokens=100, stream=True)
    assert attempts("budget_exceeded") == 1


def test_other_requests_holds_are_waited_for_by_trying_again(client_of, attempts):
    with client_of("narrow", max_retries=5) as client:
        def occupy():
            client.chat.completions.create(model=MINI, messages=HELLO, max_tokens=10000,
                                           extra_headers=fake(output=1, delay_ms=700))

        first = threading.Thread(target=occupy)
        first.start()
        wait_until(lambda: is_held(client), 5, "the first call's hold")
        answer = client.chat.completions.create(model=MINI, messages=HELLO, max_tokens=10000)
        first.join()
    assert answer.choices[0].message.content
    assert attempts("budget_contention") >= 1


def test_contention_is_a_rate_limit_error_when_nobody_tries_again(client_of):
    with client_of("narrow", max_retries=0) as client:
        stream = client.chat.completions.create(
            model=MINI, messages=HELLO, max_tokens=10000, stream=True,
            extra_headers=fake(output=100, gap_ms=20))
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model=MINI, messages=HELLO, max_tokens=10000)
        stream.close()
    assert refused.value.code == "budget_contention"
    assert refused.value.response.headers["retry-after"] == "1"


def test_a_call_that_can_never_fit_is_a_bad_request(client_of, attempts):
    with client_of("narrow") as client, pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MINI, messages=HELLO, max_tokens=16000, n=4)
    assert refused.value.code == "request_cost_exceeds_limit"
    assert refused.value.body["affordable_max_tokens"] > 0
    assert attempts("request_cost_exceeds_limit") == 1


def test_a_wrong_type_is_a_bad_request_that_names_its_member(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MINI, messages=HELLO, max_tokens="many")
    assert refused.value.param == "max_tokens"


def test_a_wrong_key_is_an_authentication_error(client_of):
    with client_of("sk-wrong") as client, pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model=MINI, messages=HELLO)
    assert refused.value.code == "invalid_api_key"


def test_a_model_that_is_not_for_this_key_is_denied(client):
    with pytest.raises(openai.PermissionDeniedError) as refused:
        client.chat.completions.create(model="o3", messages=HELLO)
    assert refused.value.code == "model_not_allowed"


def test_an_unknown_path_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as refused:
        client.post("/no/such/path", body={}, cast_to=object)
    assert refused.value.code == "unknown_path"


def test_the_upstreams_own_errors_pass(client_of):
    with client_of(max_retries=0) as client, pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model=MINI, messages=HELLO, extra_headers=fake(status=500))


def test_an_upstream_that_dies_in_mid_stream_is_an_error_not_a_short_answer(client, purser):
    stream = client.chat.completions.create(
        model=MINI, messages=HELLO, stream=True, extra_headers=fake(output=50, die_after=5))
    with pytest.raises(openai.APIConnectionError):
        for _ in stream:
            pass
    purser.idle()
