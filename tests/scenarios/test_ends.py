"""Every way a call can end: what the client sees and what is booked, beside the provider's bill.

Where usage was reported books and bill agree to the nano-dollar; else what was seen is counted, or
the hold is booked: never less than the bill."""

import json

import httpx
import pytest

from harness import (NANO, Purser, Upstream, error_of, events_of, free_port, plain_answer,
                     read_message, upstream_of, wait_until)

BUDGET = [{"name": "daily", "scope": "global", "window": "day", "usd": 10}]
QUICK = {"connect_ms": 400, "first_byte_ms": 400, "idle_ms": 400}


@pytest.fixture(scope="module")
def purser(shared_provider):
    with Purser(shared_provider, budgets=BUDGET) as running:
        yield running


@pytest.fixture(scope="module")
def quick(shared_provider):
    """The same with short timeouts."""
    upstream = upstream_of(shared_provider, timeouts=QUICK)
    with Purser(shared_provider, budgets=BUDGET, upstreams=[upstream]) as running:
        yield running


@pytest.fixture(scope="module")
def drainer(shared_provider):
    """In front of a provider whose bill runs on when a client leaves."""
    upstream = upstream_of(shared_provider, cancel_saves="no")
    with Purser(shared_provider, budgets=BUDGET, upstreams=[upstream]) as running:
        yield running


def hold_of(purser, answer):
    reserve, *_ = purser.lines_of(answer)
    assert reserve["kind"] == "reserve"
    assert reserve["cost_nano_usd" if "cost_nano_usd" in reserve else "cost_usd"] == 0
    return reserve["hold_nano_usd"]


def assert_hold_booked(purser, answer):
    line = purser.booked(answer)
    assert line["usage_source"] == "bound", line
    assert line["cost_nano_usd"] == hold_of(purser, answer) > 0
    return line


def assert_counted(purser, answer):
    """By the text that came, never above the hold."""
    line = purser.booked(answer)
    assert line["usage_source"] == "counted", line
    assert 0 < line["cost_nano_usd"] <= hold_of(purser, answer)
    return line


def assert_free(purser, answer):
    line = purser.booked(answer)
    assert line["cost_nano_usd"] == 0 and line["total_tokens"] == 0, line
    assert hold_of(purser, answer) > 0
    return line


def assert_nothing_held(purser):
    wait_until(lambda: all(row["reserved"] == 0 for row in purser.budgets().values()),
               what="all holds to be released")
    purser.idle()


# ---- usage reported ----

@pytest.mark.parametrize("fake", ["prompt=9,output=5", "prompt=100,cached=60,output=1",
                                  "prompt=1,output=30,reasoning=20", "output=3,gzip=1",
                                  "output=2,slow_head_ms=50"])
def test_reported_usage_is_booked_exactly(purser, shared_provider, fake):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    answer = purser.chat(fake=fake, max_tokens=40)
    line = purser.booked(answer)
    assert line["usage_source"] == "reported" and line["stop_reason"] == "stop"
    after = shared_provider.settled_bill(False)["cost_nano_usd"]
    assert line["cost_nano_usd"] == after - before


# ---- nothing was sent ----

def unreachable(start, url, code="upstream_unreachable", **more):
    purser = start(None, budgets=BUDGET, upstreams=[
        {"name": "away", "base_url": url, "provider": "openai", "api_key": "k",
         "timeouts": {"connect_ms": 3000}, **more}])
    answer = purser.chat()
    error = error_of(answer, 502, code)
    assert error["type"] == "upstream_error"
    line = assert_free(purser, answer)
    assert line["error"] == code and line["status"] == 502
    assert_nothing_held(purser)
    return error


def test_a_refused_connection_costs_nothing(start):
    error = unreachable(start, f"http://127.0.0.1:{free_port()}/v1")
    assert "Nothing was sent" in error["message"] and "away" in error["message"]


def test_a_name_that_does_not_exist_costs_nothing(start):
    unreachable(start, "http://no-such-host.invalid/v1")


def test_a_tls_greeting_with_a_plain_server_costs_nothing(start, shared_provider):
    unreachable(start, f"https://127.0.0.1:{shared_provider.port}/v1")


def tls_upstream(tls_context):
    body = json.dumps({"object": "chat.completion", "choices": [], "usage": {
        "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
    return Upstream(lambda connection, head, got: connection.sendall(plain_answer(body)),
                    tls_context)


def test_an_untrusted_certificate_is_refused_and_costs_nothing(start, tls_context):
    with tls_upstream(tls_context) as upstream:
        error = unreachable(start, upstream.url)
        assert "certificate" in error["message"]
        assert upstream.asked == []


def test_a_certificate_named_in_ca_is_trusted(start, certificate, tls_context):
    with tls_upstream(tls_context) as upstream:
        purser = start(None, upstreams=[upstream_of(upstream, ca=str(certificate / "cert.pem"))])
        assert purser.chat().status_code == 200


# ---- errors of the upstream ----

@pytest.mark.parametrize("status", [400, 404, 409, 413, 422, 429, 500, 503, 529])
def test_an_error_in_the_providers_shape_is_passed_and_costs_nothing(purser, status):
    answer = purser.chat(fake=f"status={status},retry_after=7,header=x-request-id:r1")
    assert answer.status_code == status
    assert answer.headers["retry-after"] == "7"
    assert "x-purser-error" not in answer.headers
    assert "fake" in answer.text and answer.json()["error"]["type"]
    assert assert_free(purser, answer)["status"] == status


@pytest.mark.parametrize("fake", ["status=408", "status=502", "status=504", "status=520",
                                  "status=500,html=1", "status=503,html=1", "status=502,html=1"])
def test_an_error_that_may_hide_work_books_the_hold(purser, fake):
    answer = purser.chat(fake=fake, max_tokens=10)
    assert answer.status_code == int(fake[7:10])
    assert "x-purser-error" not in answer.headers
    assert ("html" in answer.headers["content-type"]) == ("html" in fake)
    assert_hold_booked(purser, answer)


def test_a_stream_that_is_answered_with_an_error_gets_it_plain(purser):
    with purser.stream(fake="status=429,retry_after=3") as answer:
        body = json.loads(answer.read())
    assert answer.status_code == 429 and body["error"]
    assert answer.headers["retry-after"] == "3"
    assert_free(purser, answer)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_upstream_key_is_the_operators_problem(purser, status):
    answer = purser.chat(fake=f"status={status}")
    error = error_of(answer, 502, "upstream_auth_failed")
    assert "sk-upstream" not in answer.text and "fake" in error["message"]
    assert_free(purser, answer)


def test_a_page_instead_of_an_answer_is_refused_and_books_the_hold(purser):
    answer = purser.chat(fake="html=1", max_tokens=10)
    error_of(answer, 502, "upstream_bad_answer")
    assert_hold_booked(purser, answer)


# ---- no usable answer ----

@pytest.mark.parametrize("fake", ["no_answer=1", "die_after=20", "half_chunk=1"])
def test_an_answer_that_is_lost_books_the_hold(purser, shared_provider, fake):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    answer = purser.chat(fake=fake, max_tokens=30)
    error = error_of(answer, 502, "upstream_no_answer")
    assert "stays charged" in error["message"]
    line = assert_hold_booked(purser, answer)
    bill = shared_provider.settled_bill(False)["cost_nano_usd"] - before
    assert line["cost_nano_usd"] >= bill > 0
    assert line["stop_reason"] == "upstream"


def test_no_first_byte_in_time_is_a_timeout_and_books_the_hold(quick, shared_provider):
    answer = quick.chat(fake="delay_ms=3000", max_tokens=10)
    error_of(answer, 504, "upstream_timeout")
    assert_hold_booked(quick, answer)


def test_silence_in_mid_answer_books_the_hold(quick):
    answer = quick.chat(fake="slow_head_ms=3000", max_tokens=10)
    assert answer.status_code in (502, 504)
    assert_hold_booked(quick, answer)


def broken_stream(purser, fake, **body):
    with purser.stream(fake=fake, **body) as answer:
        assert answer.status_code == 200
        seen = []
        with pytest.raises(httpx.RemoteProtocolError):
            for event in events_of(answer.iter_lines()):
                seen.append(event)
    assert "[DONE]" not in seen
    return answer, seen


def test_silence_in_mid_stream_breaks_it_and_books_what_was_seen(quick):
    answer, seen = broken_stream(quick, "output=10,gap_ms=3000", max_tokens=100)
    assert seen
    assert assert_counted(quick, answer)["completion_tokens"] < 30


@pytest.mark.parametrize("fake", ["die_after=3", "half_chunk=1,die_after=3",
                                  "half_chunk=2,die_after=3"])
def test_a_stream_that_dies_is_broken_at_the_client_and_books_what_was_seen(purser, fake):
    answer, seen = broken_stream(purser, fake, max_tokens=16)
    assert len(seen) >= 3
    line = assert_counted(purser, answer)
    assert line["stop_reason"] == "upstream"


def test_a_stream_that_dies_where_leaving_saves_nothing_books_the_hold(drainer):
    answer, _ = broken_stream(drainer, "die_after=3", max_tokens=16)
    assert assert_hold_booked(drainer, answer)["stop_reason"] == "upstream"


def test_a_call_over_request_seconds_is_ended_and_booked(start, shared_provider):
    purser = start(shared_provider, limits={"request_seconds": 1}, budgets=BUDGET)
    answer = purser.chat(fake="delay_ms=10000", max_tokens=10)
    error_of(answer, 504, "upstream_timeout")
    assert assert_hold_booked(purser, answer)["stop_reason"] == "timeout"
    answer, _ = broken_stream(purser, "output=100,gap_ms=100", max_tokens=100)
    assert assert_counted(purser, answer)["stop_reason"] == "timeout"
    assert_nothing_held(purser)


def test_a_body_is_never_sent_twice_when_a_kept_connection_dies(start):
    body = plain_answer(json.dumps({"choices": [], "usage": {
        "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}))
    asked = []

    def answer(connection, head, got):
        asked.append(got)
        connection.sendall(body)
        again, got = read_message(connection)
        if again:
            asked.append(got)  # and closes without an answer

    with Upstream(answer) as upstream:
        purser = start(None, workers=1, upstreams=[upstream_of(upstream)])
        assert purser.chat("one").status_code == 200
        lost = purser.chat("two")
        error_of(lost, 502, "upstream_no_answer")
        assert_hold_booked(purser, lost)
        assert [b"two" in got for got in asked] == [False, True]


# ---- the client leaves ----

def leave_after(purser, events, fake, **body):
    """Hangs up in mid-stream after so many events; the request's id."""
    with purser.stream(fake=fake, **body) as answer:
        assert answer.status_code == 200
        seen = events_of(answer.iter_lines())
        for _ in range(events):
            next(seen)
        return answer.headers["x-purser-request-id"]


def test_a_client_that_leaves_a_stream_ends_it_where_that_saves(purser, shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    name = leave_after(purser, 3, "output=1000,gap_ms=20", max_tokens=1000)
    wait_until(lambda: shared_provider.bill(False)["open"] == 0, what="the upstream to be closed")
    assert shared_provider.bill()["calls"][-1]["state"] == "client_gone"
    line = assert_counted(purser, name)
    assert (line["stop_reason"], line["status"]) == ("client", 499)
    bill = shared_provider.bill(False)["cost_nano_usd"] - before
    assert 0 < bill <= line["cost_nano_usd"]
    assert_nothing_held(purser)


def test_a_client_that_leaves_a_stream_is_drained_where_leaving_saves_nothing(drainer,
                                                                              shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    name = leave_after(drainer, 3, "output=60,gap_ms=10,cancel=ignore", max_tokens=60)
    line = drainer.booked(name)
    assert (line["usage_source"], line["stop_reason"]) == ("reported", "client")
    assert line["completion_tokens"] == 60
    assert line["cost_nano_usd"] == shared_provider.settled_bill(False)["cost_nano_usd"] - before
    assert_nothing_held(drainer)


def test_a_client_that_leaves_before_the_answer_is_drained_where_leaving_saves_nothing(
        drainer, shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    with pytest.raises(httpx.ReadTimeout):
        drainer.client.post("/v1/chat/completions", timeout=0.3, headers={"x-fake": "delay_ms=900"},
                            json={"model": "gpt-4o-mini", "messages": []})
    wait_until(lambda: drainer.ledger()[-1]["kind"] == "settle", what="the drained call")
    line = drainer.ledger()[-1]
    assert (line["usage_source"], line["stop_reason"]) == ("reported", "client")
    assert line["cost_nano_usd"] == shared_provider.settled_bill(False)["cost_nano_usd"] - before


def test_hidden_reasoning_is_drained_though_leaving_saves(purser, shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    with pytest.raises(httpx.ReadTimeout):
        purser.client.post("/v1/chat/completions", timeout=0.3,
                           headers={"x-fake": "output=30,reasoning=25,delay_ms=900"},
                           json={"model": "o4-mini", "stream": True, "messages": [],
                                 "max_completion_tokens": 40})
    name = wait_until(lambda: purser.ledger()[-1]["kind"] == "settle" and
                      purser.ledger()[-1]["request_id"], what="the drained call")
    line = purser.booked(name)
    assert (line["usage_source"], line["reasoning_tokens"]) == ("reported", 25)
    assert line["cost_nano_usd"] == shared_provider.settled_bill(False)["cost_nano_usd"] - before


def test_a_drain_that_fails_books_the_hold(drainer):
    name = leave_after(drainer, 2, "output=40,gap_ms=10,die_after=30", max_tokens=40)
    assert assert_hold_booked(drainer, name)["stop_reason"] == "client"


# ---- usage that is absent or a lie ----

def test_absent_usage_is_counted(purser):
    answer = purser.chat(fake="usage=missing", max_tokens=20)
    assert answer.status_code == 200 and "usage" not in answer.json()
    assert assert_counted(purser, answer)["completion_tokens"] == 17
    with purser.stream(fake="usage=missing", max_tokens=20) as answer:
        assert list(events_of(answer.iter_lines()))[-1] == "[DONE]"
    assert assert_counted(purser, answer)["completion_tokens"] == 17


def test_absent_usage_of_a_model_that_thinks_books_the_hold(purser):
    answer = purser.chat(model="o4-mini", fake="usage=missing", max_completion_tokens=20)
    assert_hold_booked(purser, answer)


def test_a_bill_above_its_bound_is_booked_as_a_fact_and_logged(start, provider):
    purser = start(provider, budgets=[{"name": "small", "scope": "global", "window": "day",
                                       "usd": 0.01}])
    answer = purser.chat(fake="usage=lie:100000", max_tokens=100)
    assert answer.status_code == 200
    line = purser.booked(answer)
    assert line["completion_tokens"] == 100000 and line["usage_source"] == "reported"
    assert line["cost_nano_usd"] > NANO // 100
    assert "more than its bound" in purser.log()
    row = purser.budgets()[("small", "all", "usd")]
    assert row["status"] == "exhausted" and row["remaining"] == 0
    error_of(purser.chat(), 429, "budget_exceeded")


def test_a_provider_that_ignores_the_maximum_is_booked_with_what_it_served(purser,
                                                                           shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    answer = purser.chat(fake="output=500,ignore_max=1", max_tokens=5)
    line = purser.booked(answer)
    assert line["completion_tokens"] == 500
    assert line["cost_nano_usd"] == shared_provider.settled_bill(False)["cost_nano_usd"] - before


@pytest.mark.parametrize("usage", ['{"prompt_tokens":-1,"completion_tokens":5}',
                                   '{"prompt_tokens":"7","completion_tokens":5}',
                                   '{"prompt_tokens":1.5,"completion_tokens":5}',
                                   '{"prompt_tokens":1e300,"completion_tokens":1}', "[]", "7"])
def test_usage_that_cannot_be_read_books_the_hold(start, usage):
    body = plain_answer('{"choices":[],"usage":%s}' % usage)
    with Upstream(lambda connection, head, got: connection.sendall(body)) as upstream:
        purser = start(None, upstreams=[upstream_of(upstream)])
        answer = purser.chat(max_tokens=10)
        assert answer.status_code == 200
        assert_hold_booked(purser, answer)


def test_books_cover_the_bill_and_nothing_is_left_held(purser, quick, drainer, shared_provider):
    for each in (purser, quick, drainer):
        assert_nothing_held(each)
        line_sum = sum(line.get("cost_nano_usd", 0) for line in each.ledger())
        assert each.costs()["total"]["cost_nano_usd"] == line_sum
        assert each.budgets()[("daily", "all", "usd")]["spent"] * NANO == pytest.approx(line_sum)
    booked = sum(sum(each.settled().values()) for each in (purser, quick, drainer))
    assert booked >= shared_provider.settled_bill(False)["cost_nano_usd"] > 0
