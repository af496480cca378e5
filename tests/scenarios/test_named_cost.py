"""What an upstream names as its cost: OpenRouter's is what is booked, anybody else's is not."""

import pytest

from harness import upstream_of

USD = [{"name": "all", "scope": "global", "window": "total", "usd": 1}]
STREAMED = pytest.mark.parametrize("streamed", [False, True])


def start_as(start, running, name):
    return start(budgets=USD, upstreams=[{**upstream_of(running), "provider": name}], models=[
        {"name": "my-own", "input": 1, "output": 0.5, "context": 9000, "max_output": 500}])


def ask(purser, streamed, **more):
    if streamed:
        more |= {"stream": True, "stream_options": {"include_usage": True}}
    answer = purser.chat(model="my-own", max_tokens=20, **more)
    assert answer.status_code == 200, answer.text
    return answer


@STREAMED
@pytest.mark.parametrize("nano", [0, 1, 123456789])
def test_what_openrouter_names_is_booked(provider, start, streamed, nano):
    purser = start_as(start, provider, "openrouter")
    answer = ask(purser, streamed, fake=f"prompt=10,output=4,cost={nano}")
    line = purser.booked(answer)
    assert line["cost_nano_usd"] == nano == provider.bill()["cost_nano_usd"]
    assert (line["prompt_tokens"], line["completion_tokens"]) == (10, 4)


@STREAMED
def test_nobody_elses_cost_is_believed(provider, start, streamed):
    purser = start_as(start, provider, "openai")
    answer = ask(purser, streamed, fake="prompt=10,output=4,cost=0")
    assert purser.booked(answer)["cost_nano_usd"] == 10 * 1000 + 4 * 500


@STREAMED
def test_without_a_cost_openrouters_price_counts(provider, start, streamed):
    purser = start_as(start, provider, "openrouter")
    answer = ask(purser, streamed, fake="prompt=10,output=4")
    assert purser.booked(answer)["cost_nano_usd"] == 10 * 1000 + 4 * 500
