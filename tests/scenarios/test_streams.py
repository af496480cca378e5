"""Streams: every event leaves at once and unchanged, usage is asked for and taken out again, and a
slow reader or a dying upstream is handled."""

import contextlib
import json
import socket
import threading

import httpx
import pytest

from harness import (KEY, OUT, Purser, Upstream, events_of, upstream_of, usd, wait_until)

BUDGET = [{"name": "daily", "scope": "global", "window": "day", "usd": 100}]
USAGE = {"stream_options": {"include_usage": True}}
SANITIZED = "san" in str(OUT)


@pytest.fixture(scope="module")
def purser(shared_provider):
    with Purser(shared_provider, budgets=BUDGET) as running:
        yield running


def read(purser, fake=None, **body):
    """A whole stream: the answer and its events, [DONE] last and left out."""
    with purser.stream(fake=fake, **body) as answer:
        assert answer.status_code == 200, answer.read()
        events = list(events_of(answer.iter_lines()))
    assert events[-1] == "[DONE]"
    return answer, [json.loads(event) for event in events[:-1]]


def text_of(chunks):
    return "".join(choice["delta"].get("content") or "" for chunk in chunks
                   for choice in chunk["choices"] if choice["index"] == 0)


def test_each_event_arrives_before_the_next_is_made(purser, shared_provider):
    """On a busy machine a look at the bill may come an event or two late, but not five."""
    with purser.stream(fake="output=8,gap_ms=300", max_tokens=8) as answer:
        late = []
        for event in events_of(answer.iter_lines()):
            if '"content":"' in event and '"content":""' not in event:
                made = shared_provider.bill()["calls"][-1]["completion_tokens"]
                late.append(made - len(late) - 1)
    assert len(late) == 8 and min(late) >= 0 and late[0] < 5 and min(late[:5]) < 3


def test_a_stream_is_settled_by_its_usage_and_named_by_its_hold(purser, shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    answer, chunks = read(purser, "prompt=20,cached=5,output=9", max_tokens=50)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-purser-model"] == "gpt-4o-mini"
    assert "x-purser-cost-usd" not in answer.headers
    reserve, settle = purser.lines_of(answer)
    assert usd(answer.headers["x-purser-hold-usd"]) == reserve["hold_nano_usd"]
    bill = shared_provider.settled_bill(False)["cost_nano_usd"] - before
    assert settle["cost_nano_usd"] == bill <= reserve["hold_nano_usd"]
    assert settle["usage_source"] == "reported" and settle["ttft_ms"] >= 0


# ---- usage ----

def test_usage_is_asked_for_and_its_chunk_taken_out_unless_the_client_asked(purser,
                                                                            shared_provider):
    answer, chunks = read(purser, "output=5", max_tokens=9)
    assert shared_provider.newest().json()["stream_options"] == {"include_usage": True}
    assert all(chunk["choices"] and not chunk.get("usage") for chunk in chunks)
    assert len(text_of(chunks)) > 5


@pytest.mark.parametrize("options", ['{"include_usage":false}', '{"include_obfuscation":false}',
                                     "{}", "null", '{"include_usage":null,"x":[1]}'])
def test_the_clients_other_stream_options_are_kept(purser, shared_provider, options):
    body = ('{"model":"gpt-4o-mini","stream":true,"messages":[],"stream_options":%s,"max_tokens":5}'
            % options).encode()
    answer = purser.client.post("/v1/chat/completions", content=body,
                                headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    sent = shared_provider.newest().json()["stream_options"]
    assert sent.pop("include_usage") is True
    wanted = json.loads(options) or {}
    wanted.pop("include_usage", None)
    assert sent == wanted
    assert '"choices":[]' not in answer.text
    assert purser.booked(answer)["usage_source"] == "reported"


def test_a_client_that_asks_gets_usage_with_the_exact_cost(purser, shared_provider):
    answer, chunks = read(purser, "prompt=11,output=7", max_tokens=9, **USAGE)
    assert chunks[-1]["choices"] == []
    assert usd(chunks[-1]["usage"]["cost"]) == 11 * 150 + 7 * 600
    assert chunks[-1]["usage"]["completion_tokens"] == 7
    assert b'"stream_options":{"include_usage":true}' in shared_provider.newest().body.replace(
        b": ", b":")


def test_usage_that_comes_with_choices_passes(purser):
    answer, chunks = read(purser, "usage=with_choices,output=6", max_tokens=9)
    with_usage = [chunk for chunk in chunks if chunk.get("usage")]
    assert with_usage and all(chunk["choices"] for chunk in with_usage)
    line = purser.booked(answer)
    assert (line["usage_source"], line["completion_tokens"]) == ("reported", 6)


def test_running_usage_passes_and_the_last_counts(purser):
    answer, chunks = read(purser, "usage=every,output=6", max_tokens=9)
    assert len([chunk for chunk in chunks if chunk.get("usage")]) >= 5
    line = purser.booked(answer)
    assert (line["usage_source"], line["completion_tokens"]) == ("reported", 6)


def test_running_usage_of_a_stream_that_dies_is_not_the_whole(purser):
    with purser.stream(fake="usage=every,output=9,die_after=4", max_tokens=9) as answer:
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    line = purser.booked(answer)
    assert line["usage_source"] == "counted" and line["completion_tokens"] > 4


def test_an_upstream_without_stream_usage_is_not_asked(start, shared_provider):
    purser = start(shared_provider, upstreams=[upstream_of(shared_provider, stream_usage=False)])
    answer, _ = read(purser, "output=3", max_tokens=9)
    assert b"stream_options" not in shared_provider.newest().body
    line = purser.booked(answer)
    assert (line["usage_source"], line["completion_tokens"]) == ("counted", 4)


def test_several_choices_are_passed_and_booked(purser, shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    answer, chunks = read(purser, "output=4", n=3, max_tokens=9)
    assert {choice["index"] for chunk in chunks for choice in chunk["choices"]} == {0, 1, 2}
    line = purser.booked(answer)
    assert line["completion_tokens"] == 12
    assert line["cost_nano_usd"] == shared_provider.settled_bill(False)["cost_nano_usd"] - before


def test_streams_of_completions_are_booked_too(purser, shared_provider):
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    answer = purser.client.post("/v1/completions", headers={"x-fake": "output=8"}, json={
        "model": "gpt-3.5-turbo-instruct", "prompt": ["a", "b"], "stream": True, "max_tokens": 9})
    assert answer.text.rstrip().endswith("[DONE]")
    line = purser.booked(answer)
    assert line["completion_tokens"] == 16
    assert line["cost_nano_usd"] == shared_provider.settled_bill(False)["cost_nano_usd"] - before


# ---- bytes ----

STREAM = (
    ": a comment\n\n"
    "event: message\r\nid: 7\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"é😀\"}}]}"
    "\r\n\r\n"
    "retry: 10\n\n"
    "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"two lines\"}}]}\n\n"
    ":\n\n"
    "data:{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n").encode()
LAST = (b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}'
        b"\n\n")
DONE = b"data: [DONE]\n\n"


def streaming(pieces, head="Transfer-Encoding: chunked\r\n", end=True):
    """An upstream that sends these pieces, each as a chunk (or bare) of its own."""
    chunked = "chunked" in head

    def answer(connection, *_):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{head}\r\n".encode())
        for piece in pieces:
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked and end:
            connection.sendall(b"0\r\n\r\n")
    return Upstream(answer)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_events_pass_unchanged_however_they_are_cut(start, size):
    whole = STREAM + LAST + DONE
    pieces = [whole[at:at + size] for at in range(0, len(whole), size)]
    with streaming(pieces) as upstream:
        purser = start(None, upstreams=[upstream_of(upstream)], budgets=BUDGET)
        with purser.stream(max_tokens=9) as answer:
            assert answer.read() == STREAM + DONE
        line = purser.booked(answer)
        assert (line["prompt_tokens"], line["completion_tokens"]) == (3, 2)
        assert line["cost_nano_usd"] == 3 * 150 + 2 * 600


def test_events_that_end_with_crlf_are_understood(purser):
    answer, chunks = read(purser, "output=4,events_crlf=1", max_tokens=9)
    assert purser.booked(answer)["completion_tokens"] == 4
    assert all(chunk["choices"] for chunk in chunks)


def test_a_compressed_stream_is_unpacked_event_by_event(purser):
    answer, chunks = read(purser, "output=6,gzip=1,gap_ms=20", max_tokens=9)
    assert "content-encoding" not in answer.headers
    assert purser.booked(answer)["completion_tokens"] == 6


def test_a_stream_without_its_last_blank_line_is_whole(start):
    with streaming([STREAM + LAST + DONE.rstrip()]) as upstream:
        purser = start(None, upstreams=[upstream_of(upstream)], budgets=BUDGET)
        with purser.stream(max_tokens=9) as answer:
            assert answer.read() == STREAM + DONE.rstrip()
        assert purser.booked(answer)["usage_source"] == "reported"


@pytest.mark.parametrize("head", ["Transfer-Encoding: chunked\r\n", "Connection: close\r\n"])
def test_a_missing_done_is_passed_on_if_the_usage_came(start, head):
    with streaming([STREAM, LAST], head) as upstream:
        purser = start(None, upstreams=[upstream_of(upstream)], budgets=BUDGET)
        with purser.stream(max_tokens=9) as answer, contextlib.suppress(httpx.RemoteProtocolError):
            answer.read()
        assert purser.booked(answer)["usage_source"] == "reported"


def test_a_stream_that_just_stops_is_broken_at_the_client(start):
    """Without lengths only [DONE] tells an end from a death."""
    with streaming([STREAM], "Connection: close\r\n") as upstream:
        purser = start(None, upstreams=[upstream_of(upstream)], budgets=BUDGET)
        with purser.stream(max_tokens=9) as answer:
            with pytest.raises(httpx.RemoteProtocolError):
                answer.read()
        line = purser.booked(answer)
        assert (line["usage_source"], line["stop_reason"]) == ("counted", "upstream")


def test_a_stream_with_done_and_without_lengths_is_whole(start):
    with streaming([STREAM, LAST, DONE], "Connection: close\r\n") as upstream:
        purser = start(None, upstreams=[upstream_of(upstream)], budgets=BUDGET)
        with purser.stream(max_tokens=9) as answer:
            assert answer.read() == STREAM + DONE
        line = purser.booked(answer)
        assert (line["usage_source"], line["stop_reason"]) == ("reported", "stop")


def test_a_death_after_done_is_no_death(start):
    with streaming([STREAM, LAST, DONE], end=False) as upstream:
        purser = start(None, upstreams=[upstream_of(upstream)], budgets=BUDGET)
        with purser.stream(max_tokens=9) as answer:
            assert answer.read() == STREAM + DONE
        assert purser.booked(answer)["usage_source"] == "reported"


def test_an_error_in_mid_stream_passes_and_books_more_than_was_seen(start):
    error = b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'
    with streaming([STREAM, error]) as upstream:
        purser = start(None, upstreams=[upstream_of(upstream)], budgets=BUDGET)
        with purser.stream(max_tokens=9) as answer:
            assert answer.read() == STREAM + error
        line = purser.booked(answer)
        assert line["usage_source"] == "counted"
        assert line["completion_tokens"] == 9  # the slack is up to the maximum


# ---- maximum ----

def test_a_reasoning_model_always_gets_a_maximum(purser, shared_provider):
    answer, _ = read(purser, "output=5,reasoning=2", model="o4-mini")
    assert shared_provider.newest().json()["max_completion_tokens"] > 0
    assert purser.booked(answer)["reasoning_tokens"] == 2


# ---- slow readers ----

def test_a_slow_reader_holds_the_upstream_and_not_our_memory(purser, provider, start):
    megabytes = 60
    purser = start(provider, budgets=BUDGET)
    body = json.dumps({"model": "gpt-4o-mini", "stream": True, "messages": []}).encode()
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"x-fake: big_mb={megabytes},output=3\r\nConnection: close\r\n\r\n").encode()
    read(purser, "big_mb=1,usage=missing")  # the tokeniser's tables are in memory from now on
    before = purser.resident_kb()
    with contextlib.ExitStack() as stack:
        readers = []
        for _ in range(5):
            reader = stack.enter_context(socket.create_connection(("127.0.0.1", purser.port), 60))
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            reader.sendall(head + body)
            readers.append(reader)
        wait_until(lambda: provider.stats()["streams_open"] == 5)
        assert purser.chat(fake="output=2").status_code == 200  # nobody else is held
        assert provider.bill(False)["open"] == 5
        if not SANITIZED:
            assert purser.resident_kb() - before < 5 * 1500
        for reader in readers:
            size = 0
            while got := len(reader.recv(1 << 20)):
                size += got
            assert size > megabytes * 10 ** 6
    purser.idle()
    assert [line["usage_source"] for line in purser.ledger() if line["kind"] == "settle"] == \
        ["counted"] + ["reported"] * 6


def test_a_slow_reader_is_not_taken_for_a_silent_upstream(provider, start):
    purser = start(provider, upstreams=[upstream_of(provider, timeouts={"idle_ms": 300})])
    with purser.stream(fake="big_mb=40,output=3") as answer:
        bytes_ = answer.iter_raw(65536)
        next(bytes_)
        held = threading.Event()
        held.wait(1.0)  # longer than idle_ms: the upstream is held, not silent
        assert sum(len(piece) for piece in bytes_) > 39_000_000
    assert purser.booked(answer)["usage_source"] == "reported"


def test_many_streams_at_once_are_all_whole_and_exact(provider, start):
    purser = start(provider, budgets=BUDGET)
    results = []

    def one():
        with httpx.Client(base_url=purser.base, timeout=60) as client:
            with client.stream("POST", "/v1/chat/completions",
                               headers={"Authorization": f"Bearer {KEY}",
                                        "x-fake": "output=20,gap_ms=5"},
                               json={"model": "gpt-4o-mini", "stream": True, "max_tokens": 20,
                                     "messages": []}) as answer:
                results.append(list(events_of(answer.iter_lines()))[-1])

    threads = [threading.Thread(target=one) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["[DONE]"] * 60
    purser.idle()
    assert sum(purser.settled().values()) == provider.settled_bill(False)["cost_nano_usd"]
