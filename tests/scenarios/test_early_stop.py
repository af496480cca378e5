"""Streams that hold their output slice by slice, and end where their budget does; and every way a
stream can end, beside the provider's bill: booked is the bill where it is known, a bound above it
elsewhere, and never less."""

import http.client
import json
import pathlib
import re
import signal
import socket
import threading

import pytest

from harness import (KEY, OUT, Purser, Upstream, events_of, plain_answer, upstream_of, usd,
                     wait_until)

SANITIZED = "san" in str(OUT)

RICH = [{"name": "daily", "scope": "global", "window": "day", "usd": 10}]


def limited(usd):
    return [{"name": "purse", "scope": "global", "window": "day", "usd": usd}]


def bill_of(provider, name):
    """What the provider bills a request in the end."""
    def found():
        calls = [call for call in provider.bill()["calls"] if call["purser_request_id"] == name]
        return calls and calls[0]["state"] != "open" and calls[0]
    return wait_until(found, what=f"the bill of {name}")


def last_hold(lines):
    return [line["hold_nano_usd"] for line in lines if line["kind"] in ("reserve", "extend")][-1]


def assert_bounded(purser, provider, name, source="counted", stop=None):
    """Booked is no less than the bill and no more than the hold; the settle line."""
    lines = purser.lines_of(name)
    line = lines[-1]
    bill = bill_of(provider, name)
    assert line["usage_source"] == source, line
    assert line["cost_nano_usd"] >= bill["cost_nano_usd"], (line, bill)
    assert line["completion_tokens"] >= bill["completion_tokens"], (line, bill)
    assert line["cost_nano_usd"] <= last_hold(lines), lines
    if stop is not None:
        assert line["stop_reason"] == stop, line
    return line, bill


class Stream:
    """A stream read by a thread of its own."""

    def __init__(self, purser, fake, path="chat/completions", **body):
        self.purser, self.fake, self.path = purser, fake, path
        prompt = {"prompt": "hi"} if path == "completions" else \
            {"messages": [{"role": "user", "content": "hi"}]}
        self.body = {"model": "gpt-4o-mini", "stream": True, **prompt, **body}
        self.events, self.comments, self.broken, self.status = [], [], False, None
        self.name, self.began = None, False
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.purser.port, timeout=60)
        connection.request("POST", "/v1/" + self.path, json.dumps(self.body), {
            "Authorization": f"Bearer {KEY}", "x-fake": self.fake,
            "Content-Type": "application/json"})
        answer = connection.getresponse()
        self.status = answer.status
        self.name = answer.headers["x-purser-request-id"]
        pieces = []
        try:
            while piece := answer.read1(1 << 20):
                pieces.append(piece)
                self.began = True
        except http.client.IncompleteRead:
            self.broken = True
        connection.close()
        for line in b"".join(pieces).decode().split("\n"):
            if line.startswith("data: "):
                self.events.append(line[6:])
            elif line.startswith(":"):
                self.comments.append(line)

    def join(self):
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self

    def chunks(self):
        return [json.loads(event) for event in self.events if event != "[DONE]"]

    def finishes(self):
        return {choice["index"]: choice["finish_reason"] for chunk in self.chunks()
                for choice in chunk.get("choices", []) if choice["finish_reason"]}


def rivals(purser, count=2, **more):
    """Streams that together want more than there is."""
    streams = [Stream(purser, "output=3000,gap_ms=3", max_tokens=3000, **more)
               for _ in range(count)]
    return [stream.join() for stream in streams]


def stopped(purser, streams):
    """Those that purser ended."""
    return [stream for stream in streams
            if purser.booked(stream.name)["stop_reason"] == "budget"]


# ---- the budget ends a stream ----

def test_a_stream_ends_where_its_budget_does(start, provider):
    purser = start(provider, budgets=limited(0.0006), admission={"slice_tokens": 100})
    streams = rivals(purser, stream_options={"include_usage": True})
    ended = stopped(purser, streams)
    assert ended
    for stream in ended:
        assert stream.status == 200 and not stream.broken
        assert stream.finishes() == {0: "length"} and stream.events[-1] == "[DONE]"
        last = stream.chunks()[-1]
        line, _ = assert_bounded(purser, provider, stream.name, "counted", "budget")
        assert last["choices"] == []
        assert last["usage"]["completion_tokens"] == line["completion_tokens"]
        assert last["usage"]["prompt_tokens"] == line["prompt_tokens"]
        assert round(last["usage"]["cost"] * 10 ** 9) == line["cost_nano_usd"]
        first = stream.chunks()[0]
        for chunk in stream.chunks():
            assert [chunk[key] for key in ("id", "object", "created", "model")] == \
                [first[key] for key in ("id", "object", "created", "model")]
    row = purser.budgets()[("purse", "all", "usd")]
    assert row["reserved"] == 0 and row["used_percent"] >= 95
    assert provider.settled_bill(False)["cost_nano_usd"] <= 600_000
    assert "stop=budget by=purse" in purser.log()


def test_what_the_rest_would_have_cost_is_booked_as_saved(start, provider):
    purser = start(provider, budgets=limited(0.0006), admission={"slice_tokens": 100})
    streams = rivals(purser)
    ended = stopped(purser, streams)
    assert ended
    for stream in streams:
        line = purser.booked(stream.name)
        saved = (3000 - line["completion_tokens"]) * 600
        assert line.get("saved_nano_usd", {}) == \
            ({"early_stop": saved} if stream in ended else {}), line
    total = purser.costs()["total"]["saved_usd"]
    lines = [purser.booked(stream.name) for stream in ended]
    assert usd(total["early_stop"]) == sum(line["saved_nano_usd"]["early_stop"] for line in lines)


def test_who_named_no_maximum_claims_no_saving(start, provider):
    purser = start(provider, budgets=limited(0.0006), admission={"slice_tokens": 100})
    streams = [Stream(purser, "output=3000,gap_ms=3").join() for _ in range(2)]
    assert all("saved_nano_usd" not in purser.booked(stream.name) for stream in streams)


def test_without_asking_for_usage_none_is_told(start, provider):
    purser = start(provider, budgets=limited(0.0005), admission={"slice_tokens": 100})
    for stream in stopped(purser, rivals(purser)):
        assert not any(chunk.get("usage") for chunk in stream.chunks())
        assert stream.events[-1] == "[DONE]"


def test_completions_end_in_their_own_shape_with_each_choice(start, provider):
    purser = start(provider, budgets=limited(0.0006), admission={"slice_tokens": 100})
    streams = [Stream(purser, "output=1500,gap_ms=3", "completions", max_tokens=1500, n=2)
               for _ in range(2)]
    ended = stopped(purser, [stream.join() for stream in streams])
    assert ended
    for stream in ended:
        assert stream.finishes() == {0: "length", 1: "length"}
        assert {chunk["object"] for chunk in stream.chunks()} == {"text_completion"}
        assert stream.events[-1] == "[DONE]"
        assert_bounded(purser, provider, stream.name, "counted", "budget")


def test_an_error_event_says_why(start, provider):
    purser = start(provider, budgets=limited(0.0005), stream_cost_comment=True,
                   admission={"slice_tokens": 100, "early_stop": "error"})
    ended = stopped(purser, rivals(purser))
    assert ended
    for stream in ended:
        assert not stream.broken and stream.events[-1] == "[DONE]"
        error = stream.chunks()[-1]["error"]
        assert (error["type"], error["code"]) == ("insufficient_quota", "budget_exceeded")
        assert "\"purse\"" in error["message"] and "$0.0005" in error["message"]
        assert stream.finishes() == {}
        assert stream.comments == [stream.comments[0]]
        assert stream.comments[0].endswith("stopped_by=purse")


def test_amounts_can_be_kept_out_of_the_error(start, provider):
    purser = start(provider, budgets=limited(0.0005), hide_amounts=True,
                   admission={"slice_tokens": 100, "early_stop": "error"})
    for stream in stopped(purser, rivals(purser)):
        assert "0.0005" not in stream.chunks()[-1]["error"]["message"]


def test_how_a_stream_ends_is_reloaded(start, provider):
    purser = start(provider, budgets=limited(0.0005), admission={"slice_tokens": 100})
    purser.configure(admission={"slice_tokens": 100, "early_stop": "error"})
    assert purser.reload().status_code == 200
    ended = stopped(purser, rivals(purser))
    assert ended and all("error" in stream.chunks()[-1] for stream in ended)


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
def test_a_comment_tells_the_cost_of_every_stream(start, provider, path):
    purser = start(provider, budgets=RICH, stream_cost_comment=True)
    stream = Stream(purser, "output=5,prompt=7", path).join()
    line = purser.booked(stream.name)
    assert line["usage_source"] == "reported"
    (comment,) = stream.comments
    assert comment.startswith(": purser cost_usd=")
    assert usd(comment.rpartition("=")[2].strip()) == line["cost_nano_usd"]


# ---- many streams and one budget ----

def test_two_hundred_streams_use_a_budget_up_and_never_more(start, provider):
    count = 60 if SANITIZED else 200
    limit = count * 36_000  # nano-dollars: sixty tokens for each
    purser = start(provider, budgets=limited(limit / 10 ** 9), limits={"request_seconds": 60},
                   admission={"slice_tokens": 64, "min_output_tokens": 16, "wait_ms": 50})
    streams = [Stream(purser, "output=2000,gap_ms=20", max_tokens=2000) for _ in range(count)]
    for stream in streams:
        stream.join()
    assert not any(stream.broken for stream in streams)
    served = [stream for stream in streams if stream.status == 200]
    assert len(served) > count // 3
    purser.idle()
    for stream in stopped(purser, served):
        assert stream.finishes() == {0: "length"} and stream.events[-1] == "[DONE]"
    bill = provider.settled_bill(False)["cost_nano_usd"]
    booked = sum(purser.settled().values())
    row = purser.budgets()[("purse", "all", "usd")]
    assert bill <= booked <= limit
    assert row["reserved"] == 0 and row["used_percent"] >= 95


# ---- who may be stopped ----

STREAM = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":" word"}}]}\n\n'
ODD = {
    "a stream that turns to audio": STREAM + b'data: {"choices":[{"delta":{"audio":{"data":"A"}}}'
                                             b']}\n\n' + STREAM,
    "a plain answer": json.dumps({"choices": [{"message": {"content": "word"}}]}).encode(),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_turns_out_not_to_be_countable_is_held_in_full(start, odd):
    kind = "text/event-stream" if b"data: " in ODD[odd] else "application/json"
    with Upstream(lambda connection, head, got: connection.sendall(
            plain_answer(ODD[odd], content_type=kind))) as upstream:
        purser = start(None, budgets=RICH, upstreams=[upstream_of(upstream)],
                       admission={"slice_tokens": 16})
        stream = Stream(purser, "", max_tokens=1000).join()
        assert last_hold(purser.lines_of(stream.name)) >= 1000 * 600

def holds_of(purser, stream):
    return [line["kind"] for line in purser.lines_of(stream.name)]


def test_what_cannot_be_stopped_or_counted_is_held_in_full(start, provider):
    drainer = upstream_of(provider, name="drainer", cancel_saves="no", models=["gpt-4o-mini"])
    other = upstream_of(provider, models=["*"])
    purser = start(provider, budgets=RICH, upstreams=[drainer, other],
                   admission={"slice_tokens": 16})
    fake = "output=300,gap_ms=1"
    assert "extend" not in holds_of(purser, Stream(purser, fake, max_tokens=400).join())
    thinking = Stream(purser, fake, model="o4-mini", max_completion_tokens=400).join()
    assert "extend" not in holds_of(purser, thinking)
    best = Stream(purser, fake, "completions", model="gpt-4o", max_tokens=400, best_of=2)
    assert "extend" not in holds_of(purser, best.join())
    plain = Stream(purser, fake, model="gpt-4o", max_tokens=400).join()
    assert "extend" in holds_of(purser, plain)


def test_a_slice_of_nothing_holds_all(start, provider):
    purser = start(provider, budgets=RICH, admission={"slice_tokens": 0})
    stream = Stream(purser, "output=300,gap_ms=1", max_tokens=2000).join()
    assert holds_of(purser, stream) == ["reserve", "settle"]


def slow_reader(purser, megabytes):
    """Asks for a stream and does not read it."""
    body = json.dumps({"model": "gpt-4o-mini", "stream": True, "max_tokens": 600,
                       "messages": [{"role": "user", "content": "hi"}]}).encode()
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}"
            f"\r\nx-fake: output=600,gap_ms=1,big_mb={megabytes}\r\nContent-Type: application/json"
            f"\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    reader = socket.create_connection(("127.0.0.1", purser.port), 60)
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    reader.sendall(head + body)
    return reader


def read_all(reader):
    got = b""
    while piece := reader.recv(1 << 20):
        got += piece
    reader.close()
    return got


def test_a_slow_reader_gets_a_full_hold_before_its_upstream_waits(start, provider):
    purser = start(provider, budgets=RICH, admission={"slice_tokens": 64})
    reader = slow_reader(purser, 8)
    full = wait_until(lambda: [line for line in purser.ledger() if line["kind"] == "extend" and
                               line["hold_nano_usd"] >= 600 * 600], what="the full hold")
    assert full
    assert b"[DONE]" in read_all(reader)
    purser.idle()


def test_a_slow_reader_that_cannot_have_a_full_hold_is_ended(start, provider):
    purser = start(provider, budgets=limited(0.0004), admission={"slice_tokens": 64})
    other = Stream(purser, "output=30,gap_ms=100", max_tokens=3000)
    wait_until(lambda: other.began, what="the other stream")
    reader = slow_reader(purser, 8)
    wait_until(lambda: [line for line in purser.ledger() if line["kind"] == "settle"],
               what="the slow one to be ended")
    got = read_all(reader)
    assert b'"finish_reason":"length"' in got and b"[DONE]" in got
    other.join()
    purser.idle()
    assert provider.settled_bill(False)["cost_nano_usd"] <= sum(purser.settled().values())


# ---- what ends a call ----

PATHS = ["chat/completions", "completions"]
ENDS = {
    "a whole stream": ("output=50,prompt=9", "reported", "stop", False),
    "no usage": ("output=50,usage=missing", "counted", "stop", False),
    "a running usage and an end": ("output=50,usage=every", "reported", "stop", False),
    "died": ("output=500,gap_ms=2,die_after=40", "counted", "upstream", True),
    "died with a running usage": ("output=500,gap_ms=2,die_after=40,usage=every", "counted",
                                  "upstream", True),
    "half an event": ("output=500,gap_ms=2,half_chunk=1,die_after=30", "counted", "upstream", True),
    "died at once": ("output=50,die_after=1", "counted", "upstream", True),
}


@pytest.fixture(scope="module")
def rolling(shared_provider):
    with Purser(shared_provider, budgets=RICH, admission={"slice_tokens": 32}) as running:
        yield running


@pytest.fixture(scope="module")
def whole(shared_provider):
    """The same with full holds."""
    with Purser(shared_provider, budgets=RICH, admission={"slice_tokens": 0}) as running:
        yield running


@pytest.fixture(scope="module", params=["rolling", "whole"])
def either(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("end", ENDS)
def test_books_and_bill_of_every_end(either, shared_provider, path, end):
    fake, source, stop, broken = ENDS[end]
    stream = Stream(either, fake, path, max_tokens=600).join()
    assert stream.broken == broken
    line, bill = assert_bounded(either, shared_provider, stream.name, source, stop)
    if source == "reported":
        assert line["cost_nano_usd"] == bill["cost_nano_usd"]


def leave(purser, fake, path, events, **body):
    """Hangs up after so many events; the request's id."""
    prompt = {"prompt": "hi"} if path == "completions" else \
        {"messages": [{"role": "user", "content": "hi"}]}
    with purser.client.stream("POST", "/v1/" + path, headers={"x-fake": fake}, json={
            "model": "gpt-4o-mini", "stream": True, **prompt, **body}) as answer:
        seen = events_of(answer.iter_lines())
        for _ in range(events):
            next(seen)
        return answer.headers["x-purser-request-id"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("events", [3, 80])
def test_who_leaves_pays_for_what_was_generated(either, shared_provider, path, events):
    name = leave(either, "output=3000,gap_ms=5", path, events, max_tokens=3000)
    line, bill = assert_bounded(either, shared_provider, name, "counted", "client")
    assert bill["completion_tokens"] < 300 and line["completion_tokens"] < 600


@pytest.mark.parametrize("text", ["", ",dense=1"])
def test_who_leaves_fast_generated_text_pays_for_twice_what_came_at_once(whole, shared_provider,
                                                                        text):
    """However few bytes its tokens have. The provider bills 330 more that it generated meanwhile."""
    name = leave(whole, f"output=1000,chunks=6,gap_ms=20000,tail=330{text}", "chat/completions", 2,
                 max_tokens=1000)
    line, bill = assert_bounded(whole, shared_provider, name, "counted", "client")
    assert bill["completion_tokens"] > 490 and line["completion_tokens"] < 510


def stands_still(pid):
    states = [stat.read_text().rpartition(")")[2].split()[0]
              for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


def test_what_came_before_purser_looked_is_counted(whole, shared_provider):
    """A hundred tokens each 50 ms, while purser gets no time; then it finds that its client left."""
    body = json.dumps({"model": "gpt-4o-mini", "stream": True, "max_tokens": 10000,
                       "messages": [{"role": "user", "content": "hi"}]})
    with socket.create_connection(("127.0.0.1", whole.port), 30) as connection:
        connection.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                            f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
                            f"x-fake: output=10000,chunks=100,gap_ms=50\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        got = b""
        while b'"content":"the' not in got:
            got += connection.recv(65536)
        whole.process.signal(signal.SIGSTOP)
        wait_until(lambda: stands_still(whole.process.child.pid), what="the stop of all threads")
    name = re.search(rb"x-purser-request-id: (\S+)", got, re.I)[1].decode()
    try:
        wait_until(lambda: [call for call in shared_provider.bill()["calls"]
                            if call["purser_request_id"] == name
                            and call["completion_tokens"] >= 1500], what="fifteen events")
    finally:
        whole.process.signal(signal.SIGCONT)
    assert_bounded(whole, shared_provider, name, "counted", "client")


def test_an_answer_that_was_there_when_its_client_left_is_taken(whole, shared_provider):
    """Purser gets no time while its client leaves, and while all of a plain answer comes."""
    body = json.dumps({"model": "gpt-4o-mini", "max_tokens": 10000,
                       "messages": [{"role": "user", "content": "left, and all is here"}]})
    before = len(shared_provider.bill()["calls"])
    with socket.create_connection(("127.0.0.1", whole.port), 30) as connection:
        connection.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                            f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
                            f"x-fake: output=200,delay_ms=4000\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        wait_until(lambda: shared_provider.bill(False)["open"] == 1, what="the call")
        whole.process.signal(signal.SIGSTOP)
        wait_until(lambda: stands_still(whole.process.child.pid), what="the stop of all threads")
    try:
        wait_until(lambda: shared_provider.bill(False)["open"] == 0, what="the answer")
    finally:
        whole.process.signal(signal.SIGCONT)
    call = shared_provider.bill()["calls"][before]
    line, bill = assert_bounded(whole, shared_provider, call["purser_request_id"], "reported",
                                "client")
    assert line["cost_nano_usd"] == bill["cost_nano_usd"]


def test_a_tool_call_is_counted_by_its_arguments(either, shared_provider):
    name = leave(either, "output=300,gap_ms=5,tool=lookup", "chat/completions", 40, max_tokens=400)
    line, _ = assert_bounded(either, shared_provider, name, "counted", "client")
    assert line["completion_tokens"] < 300


def test_a_plain_answer_without_usage_is_counted_too(either, shared_provider):
    answer = either.chat(fake="usage=missing,output=70", max_tokens=100)
    line, bill = assert_bounded(either, shared_provider, answer.headers["x-purser-request-id"])
    assert bill["completion_tokens"] <= line["completion_tokens"] <= 75
