"""The log tells an operator what every caller was told, and why."""

import re

import pytest

from harness import ADMIN, KEY, free_port, upstream_of, wait_until


def line_of(purser, answer):
    """The log's line of an answer."""
    name = answer.headers["x-purser-request-id"]
    found = wait_until(lambda: re.findall(rf"^.*{name} .*$", purser.log(), re.M), 5, "a log line")
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("method, path, status, says", [
    ("GET", "/v1/v1/models", 404, "GET /v1/v1/models key=- refused: unknown_path"),
    ("GET", "/v1/chat/completions", 405, "refused: method_not_allowed"),
    ("GET", "/budget", 200, "GET /budget key=alice"),
    ("GET", "/costs?x=1", 400, "GET /costs?x=1 key=alice refused: "),
    ("GET", "/v1/models", 200, "GET /v1/models key=alice"),
])
def test_every_request_has_one_line(start, method, path, status, says):
    purser = start()
    answer = purser.client.request(method, path)
    assert answer.status_code == status
    assert f" {status} " in line_of(purser, answer)
    assert says in line_of(purser, answer)


def test_an_answer_from_memory_says_what_it_saved(start):
    purser = start()
    answers = [purser.chat(temperature=0, fake="prompt=5,output=7") for _ in range(2)]
    paid, kept = (line_of(purser, answer) for answer in answers)
    alike = "200 chat.completions key=alice model=gpt-4o-mini upstream=fake tokens="
    assert alike + "5+7 cost=$0.00000495 usage=reported stop=stop " in paid
    assert alike + "0+0 cost=$0 cache=hit saved=$0.00000495 stop=stop " in kept
    assert paid.endswith(" session=alice") and kept.endswith(" session=alice")


def test_a_body_that_is_too_large_is_in_the_log(start):
    purser = start(limits={"body_mb": 1})
    answer = purser.chat("x" * 2_000_000)
    assert answer.status_code == 413
    assert "refused: body_too_large" in line_of(purser, answer)


def test_probes_are_not_in_the_log(start):
    purser = start()
    assert purser.client.get("/healthz").status_code == 200
    answer = purser.client.get("/budget")
    line_of(purser, answer)
    assert "/healthz" not in purser.log()


def test_a_budgets_refusal_names_the_budget_and_the_session(start):
    purser = start(budgets=[{"name": "tiny", "scope": "session", "window": "total",
                             "requests": 1}])
    session = {"x-purser-session": "run-7"}
    answer = purser.chat(headers=session)
    assert answer.status_code == 200
    assert line_of(purser, answer).endswith("ms session=run-7")
    answer = purser.chat(headers=session)
    assert answer.status_code == 429
    assert "session=run-7" in line_of(purser, answer)
    assert line_of(purser, answer).endswith("refused: budget_exceeded by tiny")
    assert answer.headers["x-request-id"] == answer.headers["x-purser-request-id"]


def test_the_reason_of_an_upstreams_failure_is_in_the_log(provider, start):
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    purser = start(upstreams=[{**upstream_of(provider), "base_url": nowhere}])
    answer = purser.chat()
    assert answer.status_code == 502
    name = answer.headers["x-purser-request-id"]
    assert re.search(rf"{name}\.1: upstream fake failed: .*connect", purser.log(), re.I)


def test_a_wrong_method_is_told_the_right_one(start):
    answer = start().client.get("/v1/chat/completions")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_one_model_is_shown_only_if_a_call_for_it_would_be_let_through(provider, start):
    purser = start(budgets=[{"name": "daily", "scope": "global", "window": "day", "usd": 1}])
    assert purser.client.get("/v1/models/gpt-4o").json() == {
        "id": "gpt-4o", "object": "model", "created": 0, "owned_by": "fake"}
    assert purser.client.get("/v1/models/gpt-9").status_code == 404
    unlimited = start()
    assert unlimited.client.get("/v1/models/gpt-9").status_code == 200
    assert {KEY, ADMIN}.isdisjoint(purser.log().split())
