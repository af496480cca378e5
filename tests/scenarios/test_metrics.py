"""GET /metrics: what is counted agrees with the bill, and who may see it."""

import re

from harness import ADMIN, KEY, NANO, error_of
from purses import budget

LINE = re.compile(r'^(purser_[a-z_]+)(\{([a-z]+="([^"\\]|\\.)*"(,|(?=\})))*\})? ([0-9.]+)$')


def metrics(purser, key=ADMIN):
    """{name and labels: value}, after a look at every line of it."""
    answer = purser.client.get("/metrics", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    values, typed = {}, set()
    for line in answer.text.splitlines():
        if line.startswith("# "):
            typed.add(line.split()[2])
            continue
        found = LINE.match(line)
        assert found and found[1] in typed, line
        assert (found[1] + (found[2] or "")) not in values, line
        values[found[1] + (found[2] or "")] = float(found[6])
    return values


def test_what_is_counted_agrees_with_the_bill(provider, start):
    purser = start(provider, budgets=[budget(usd=1)])
    answers = [purser.chat(fake="prompt=9,cached=4,output=7,reasoning=2") for _ in range(5)]
    answers.append(purser.chat(model="gpt-4o"))
    answers.append(purser.chat(fake="status=500"))
    for answer in answers:
        purser.booked(answer)
    seen, bill = metrics(purser), provider.settled_bill()
    mini = [call for call in bill["calls"] if call["model"] == "gpt-4o-mini"]
    assert seen['purser_model_calls_total{model="gpt-4o-mini"}'] == 6
    assert seen['purser_model_calls_total{model="gpt-4o"}'] == 1
    assert seen['purser_cost_usd_total{model="gpt-4o-mini"}'] == \
        sum(call["cost_nano_usd"] for call in mini) / NANO
    for kind, tokens in (("prompt", 45), ("cached", 20), ("completion", 35), ("reasoning", 10)):
        assert seen[f'purser_tokens_total{{model="gpt-4o-mini",kind="{kind}"}}'] == tokens
    assert seen['purser_calls_total{endpoint="chat.completions",status="2xx"}'] == 6
    assert seen['purser_calls_total{endpoint="chat.completions",status="5xx"}'] == 1
    assert seen["purser_calls_in_flight"] == seen["purser_open_holds"] == 0
    assert seen["purser_ledger_failing"] == seen["purser_stopping"] == 0


def test_refusals_are_counted_by_their_codes(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(requests=1)])
    for _ in range(3):
        purser.chat()
    purser.chat(key="sk-nobody")
    purser.client.get("/v1/nothing")
    purser.chat(max_tokens="many")
    seen = metrics(purser)
    for code, times in (("budget_exceeded", 2), ("invalid_api_key", 1), ("unknown_path", 1),
                        ("invalid_request", 1)):
        assert seen[f'purser_refusals_total{{code="{code}"}}'] == times


def test_the_cache_is_counted(shared_provider, start):
    purser = start(shared_provider)
    for _ in range(3):
        purser.chat("the same", temperature=0)
    seen = metrics(purser)
    assert seen['purser_cache_requests_total{result="hit"}'] == 2
    assert seen['purser_cache_requests_total{result="miss"}'] == 1
    assert seen["purser_cache_entries"] == 1 and seen["purser_cache_bytes"] > 0


def test_prompts_are_compared_with_what_was_reported(shared_provider, start):
    purser = start(shared_provider, workers=1, models=[
        {"name": "my-own", "input": 0.15, "output": 0.6, "context": 9000}])
    for number in range(64 * 9):
        purser.chat("hello", model="gpt-4o-mini" if number < 512 else "my-own", max_tokens=1)
    seen = metrics(purser)
    told = '{model="gpt-4o-mini",tokeniser="public"}'
    assert seen["purser_prompts_compared_total" + told] == 8
    assert seen["purser_prompts_different_total" + told] == 8  # the fake counts words
    assert seen["purser_prompt_ratio" + told] == 0.5  # 4 for 8
    assert seen['purser_prompts_compared_total{model="my-own",tokeniser="unknown"}'] == 1
    assert "the tokeniser of model gpt-4o-mini seems to be another one" in purser.log()


def test_only_the_operator_sees_them(shared_provider, start):
    purser = start(shared_provider)
    for key, status, code in ((KEY, 403, "not_allowed"), ("sk-nobody", 401, "invalid_api_key")):
        answer = purser.client.get("/metrics", headers={"Authorization": f"Bearer {key}"})
        error_of(answer, status, code)
    closed = start(shared_provider, auth={"mode": "keys"})
    error_of(closed.client.get("/metrics"), 404, "unknown_path")
    alone = start(shared_provider, auth={"mode": "open"}, keys=[])
    assert alone.client.get("/metrics").status_code == 200


def test_a_strange_name_of_a_model_breaks_no_line(shared_provider, start):
    purser = start(shared_provider, budgets=[])
    name = 'a"b\\c\nd{e="f"}'
    purser.booked(purser.chat(model=name))
    assert metrics(purser)['purser_model_calls_total{model="a\\"b\\\\c\\nd{e=\\"f\\"}"}'] == 1


def test_what_was_learned_is_held_where_the_operator_allows_it(shared_provider, start):
    model = {"name": "my-own", "input": 0.15, "output": 0.6, "context": 90000, "max_output": 500}
    words = "international " * 60  # 840 bytes, 60 tokens of o200k_base; the fake bills 63

    def hold_after_learning(admission):
        purser = start(shared_provider, workers=1, models=[model], admission=admission,
                       budgets=[budget(usd=1),
                                {"name": "call", "scope": "request", "tokens": 600}])
        for _ in range(64 * 33):
            purser.chat("international " * 10, model="my-own", max_tokens=1)
        answer = purser.chat(words, model="my-own", max_tokens=100)
        return answer.status_code

    assert hold_after_learning({"clamp": "never", "input_bound": "learned"}) == 200
    assert hold_after_learning({"clamp": "never"}) == 400
