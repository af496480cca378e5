"""Service tiers: held at the dearest that a request can get, booked at the one the answer names;
the books agree with the provider's own bill to the nano-dollar."""

import json

import pytest

from harness import error_of, upstream_of, usd

USD = [{"name": "all", "scope": "global", "window": "total", "usd": 1}]
STREAMED = pytest.mark.parametrize("streamed", [False, True])
STANDARD, PRIORITY = (150, 600), (250, 1000)  # gpt-4o-mini: nano-dollars per token in and out


def ask(purser, streamed, **more):
    if streamed:
        more |= {"stream": True, "stream_options": {"include_usage": True}}
    answer = purser.chat(max_tokens=20, **more)
    assert answer.status_code == 200, answer.text
    return answer


def hold_of(purser, answer):
    """What was held, in units of the standard price: 1 for that, more for a dearer one."""
    line = purser.lines_of(answer)[0]
    assert line["kind"] == "reserve"
    size = len(answer.request.content) + 3  # the byte bound
    return {size * i + 20 * o: name for name, (i, o) in
            (("standard", STANDARD), ("priority", PRIORITY))}[line["hold_nano_usd"]]


@STREAMED
@pytest.mark.parametrize("asked,answered,held", [
    (None, "default", "standard"),
    ("default", "default", "standard"),
    ("auto", "default", "standard"),
    ("priority", "priority", "priority"),
    ("fast", "fast", "priority"),
    ("priority", "default", "priority"),  # not enough room: the provider fell back
    (None, "batch", "standard"),
])
def test_books_are_the_bill_at_the_tier_the_answer_names(provider, start, streamed, asked, answered,
                                                         held):
    purser = start(provider, budgets=USD)
    more = {} if asked is None else {"service_tier": asked}
    answer = ask(purser, streamed, fake=f"prompt=100,cached=40,output=7,tier={answered}", **more)
    line = purser.booked(answer)
    assert line["cost_nano_usd"] == provider.settled_bill()["cost_nano_usd"] > 0
    assert line["service_tier"] == answered
    assert hold_of(purser, answer) == held


@STREAMED
@pytest.mark.parametrize("answered", ["flex", "default"])
def test_flex_is_held_at_the_standard_price_and_booked_as_it_came(provider, start, streamed,
                                                                  answered):
    purser = start(provider, budgets=USD)
    answer = ask(purser, streamed, model="o4-mini", service_tier="flex",
                 fake=f"prompt=100,cached=50,output=9,reasoning=4,tier={answered}")
    assert purser.booked(answer)["cost_nano_usd"] == provider.settled_bill()["cost_nano_usd"] > 0
    size = len(answer.request.content) + 3
    assert purser.lines_of(answer)[0]["hold_nano_usd"] == size * 1100 + 20 * 4400


@STREAMED
def test_where_the_answer_names_no_tier_the_dearest_that_was_held_counts(provider, start, streamed):
    purser = start(provider, budgets=USD)
    answer = ask(purser, streamed, service_tier="priority", fake="prompt=10,output=5,tier=none")
    assert purser.booked(answer)["cost_nano_usd"] == 10 * PRIORITY[0] + 5 * PRIORITY[1]
    answer = ask(purser, streamed, fake="prompt=10,output=5,tier=none")
    assert purser.booked(answer)["cost_nano_usd"] == 10 * STANDARD[0] + 5 * STANDARD[1]


def test_a_relayed_answer_is_booked_at_its_tier(provider, start):
    purser = start(provider, budgets=USD)
    answer = ask(purser, False, service_tier="priority",
                 fake="prompt=10,output=5,tier=priority,big_mb=2")
    assert purser.booked(answer)["cost_nano_usd"] == provider.settled_bill()["cost_nano_usd"]
    assert provider.bill()["cost_nano_usd"] == 10 * PRIORITY[0] + 5 * PRIORITY[1]


def test_the_client_is_told_the_cost_at_the_tier(provider, start):
    purser = start(provider, budgets=USD)
    answer = ask(purser, True, service_tier="priority", fake="prompt=10,output=5,tier=priority")
    last = [line for line in answer.text.splitlines() if '"usage":{' in line][-1]
    cost = json.loads(last[len("data: "):])["usage"]["cost"]
    assert usd(cost) == 10 * PRIORITY[0] + 5 * PRIORITY[1]
    answer = ask(purser, False, service_tier="priority", fake="prompt=10,output=5,tier=default")
    assert usd(answer.headers["x-purser-cost-usd"]) == 10 * STANDARD[0] + 5 * STANDARD[1]


def test_completions_have_tiers_too(provider, start):
    prices = [{"name": "gpt-3.5-turbo-instruct", "provider": "openai", "kind": "chat",
               "reasoning": False, "max_output": 4096, "tiers": [{"input": 1.5, "output": 2}],
               "priority": [{"input": 3, "output": 4}]}]
    path = provider.folder / "own.json"
    path.write_text(json.dumps({"format": 1, "models": prices}))
    purser = start(provider, budgets=USD, prices=[str(path)])
    answer = purser.client.post("/v1/completions", headers={"x-fake": "prompt=9,output=4,tier=priority"},
                                json={"model": "gpt-3.5-turbo-instruct", "prompt": "hello",
                                      "max_tokens": 10, "service_tier": "priority"})
    assert answer.status_code == 200, answer.text
    assert purser.booked(answer)["cost_nano_usd"] == 9 * 3000 + 4 * 4000


@pytest.mark.parametrize("model,tier", [("gpt-4o-mini", "scale"), ("gpt-4o-mini", "new"),
                                        ("gpt-3.5-turbo-instruct", "priority")])
def test_a_tier_without_a_price_is_refused_under_a_usd_budget(provider, start, model, tier):
    purser = start(provider, budgets=USD)
    error = error_of(purser.chat(model=model, max_tokens=20, service_tier=tier), 400,
                     "unbounded_tool")
    assert error["param"] == "service_tier" and "no known price" in error["message"]
    assert provider.bill()["requests"] == 0
    free = start(provider, budgets=[{"name": "n", "scope": "global", "window": "total",
                                     "requests": 9}])
    assert free.chat(model=model, max_tokens=20, service_tier=tier).status_code == 200


def test_a_project_set_to_priority_is_held_so(provider, start):
    upstream = {**upstream_of(provider), "service_tier": "priority"}
    purser = start(provider, budgets=USD, upstreams=[upstream])
    for more in ({}, {"service_tier": "auto"}):
        answer = ask(purser, False, fake="tier=priority", **more)
        assert hold_of(purser, answer) == "priority"
    answer = ask(purser, False, service_tier="default")
    assert hold_of(purser, answer) == "standard"
    error_of(purser.chat(model="gpt-3.5-turbo-instruct", max_tokens=9), 400, "unbounded_tool")
    assert sum(purser.settled().values()) == provider.settled_bill()["cost_nano_usd"]


def test_a_fee_is_held_and_booked_with_every_call(provider, start):
    path = provider.folder / "own.json"
    path.write_text(json.dumps({"format": 1, "models": [
        {"name": "gpt-4o-mini", "provider": "openai", "kind": "chat", "reasoning": False,
         "request": 0.005, "tiers": [{"input": 1, "output": 2}]}]}))
    purser = start(provider, budgets=USD, prices=[str(path)])
    answer = ask(purser, False, fake="prompt=10,output=5")
    assert purser.booked(answer)["cost_nano_usd"] == 5_000_000 + 10 * 1000 + 5 * 2000
    size = len(answer.request.content) + 3
    assert purser.lines_of(answer)[0]["hold_nano_usd"] == 5_000_000 + size * 1000 + 20 * 2000


# ---- fine-tuned models ----

@pytest.mark.parametrize("name", ["ft:gpt-4o-mini-2024-07-18:org::id",
                                  "ft:gpt-4o-mini-2024-07-18:org:suffix:id-0101"])
def test_a_fine_tuned_model_has_its_own_price(provider, start, name):
    purser = start(provider, budgets=USD)
    answer = ask(purser, False, model=name, fake="prompt=10,output=5")
    line = purser.booked(answer)
    assert line["cost_nano_usd"] == 10 * 300 + 5 * 1200
    assert line["model"] == "ft:gpt-4o-mini-2024-07-18" and line["model_requested"] == name


@pytest.mark.parametrize("name", ["ft:gpt-4o-2031-01-01:org::id", "ft:o4-mini-2025-04-16:org::id",
                                  "ft:gpt-4o", "ft:gpt-4o-mini:org::id", "ft:"])
def test_a_fine_tuned_model_never_has_the_price_of_its_base(provider, start, name):
    purser = start(provider, budgets=USD)
    error_of(purser.chat(model=name, max_tokens=20), 400, "model_not_priced")
