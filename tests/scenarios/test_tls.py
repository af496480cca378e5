"""Calls over TLS, where bytes wait in the library as well as in the socket."""

import contextlib
import json
import socket

import httpx
import pytest

from harness import KEY, OUT, Upstream, plain_answer, read_message, upstream_of, wait_until

SANITIZED = "san" in str(OUT)
USAGE = '"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}'
DONE = b"data: [DONE]\n\n"
LAST = b'data: {"choices":[],%s}\n\n' % USAGE.encode()


@pytest.fixture
def over_tls(start, certificate, tls_context):
    """over_tls(answer) starts purser in front of an upstream with TLS: both."""
    with contextlib.ExitStack() as stack:
        def begin(answer, **more):
            upstream = stack.enter_context(Upstream(answer, tls_context))
            return upstream, start(None, workers=1, upstreams=[
                upstream_of(upstream, ca=str(certificate / "cert.pem"), **more)])
        yield begin


def send_events(connection, pieces):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\n")
    for piece in pieces:
        connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    connection.sendall(b"0\r\n\r\n")


def test_large_bodies_go_both_ways(over_tls):
    filler = "x" * 3_000_000
    answer_body = '{"choices":[],"filler":"%s",%s}' % (filler, USAGE)
    upstream, purser = over_tls(
        lambda connection, *_: connection.sendall(plain_answer(answer_body)))
    content = "y" * 4_000_000
    answer = purser.chat(content)
    assert answer.text == answer_body
    assert json.loads(upstream.asked[0][1])["messages"][0]["content"] == content
    assert purser.booked(answer)["usage_source"] == "reported"


def test_a_connection_is_kept_and_used_again(over_tls):
    met = []

    def answer(connection, head, body):
        met.append(connection)
        while head:
            connection.sendall(plain_answer('{"choices":[],%s}' % USAGE))
            head, body = read_message(connection)

    _, purser = over_tls(answer)
    assert [purser.chat().status_code for _ in range(10)] == [200] * 10
    assert len(met) == 1


def test_events_arrive_one_by_one_and_whole(over_tls):
    events = [b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % at for at in range(2000)]
    _, purser = over_tls(lambda connection, *_: send_events(connection, [*events, LAST, DONE]))
    with purser.stream() as answer:
        assert answer.read() == b"".join(events) + DONE
    assert purser.booked(answer)["usage_source"] == "reported"


def test_a_slow_reader_of_a_large_stream_gets_all_of_it(over_tls):
    event = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % (b"z" * 4000)
    _, purser = over_tls(
        lambda connection, *_: send_events(connection, [event] * 8000 + [LAST, DONE]))
    body = b'{"model":"gpt-4o-mini","stream":true,"messages":[]}'
    before = purser.resident_kb()
    with socket.create_connection(("127.0.0.1", purser.port), 60) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        reader.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                       f"{KEY}\r\nContent-Type: application/json\r\nConnection: close\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        wait_until(purser.open_holds, what="the call")
        size = 0
        while got := len(reader.recv(100_000)):
            size += got
            if not SANITIZED and size < 2_000_000:
                assert purser.resident_kb() - before < 10_000
    assert size > 8000 * len(event)
    purser.idle()
    assert purser.ledger()[-1]["usage_source"] == "reported"


def test_an_answer_without_a_length_that_is_cut_is_refused(over_tls):
    """The end of the connection is its only end: but not in the middle of its JSON."""
    def answer(connection, *_):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
                           b'{"choices":[],%s,"more":[' % USAGE.encode())
        socket.socket(fileno=connection.detach()).close()  # no close_notify

    _, purser = over_tls(answer)
    refused = purser.chat(max_tokens=5)
    assert refused.status_code == 502, refused.text
    assert purser.booked(refused)["usage_source"] == "bound"


def test_a_client_that_leaves_ends_the_upstreams_connection(over_tls):
    ended = []

    def answer(connection, *_):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
                           b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
        with contextlib.suppress(OSError):
            connection.recv(1)
        ended.append(True)

    _, purser = over_tls(answer)
    with purser.stream(max_tokens=5) as answer:
        next(answer.iter_lines())
    wait_until(lambda: ended, 2, "the upstream to be left")
    assert purser.booked(answer)["stop_reason"] == "client"


def test_a_greeting_that_never_ends_is_given_up(start):
    held = []
    with Upstream(None) as upstream:
        upstream._serve = held.append  # accepts and says nothing
        purser = start(None, upstreams=[upstream_of(
            upstream, base_url=f"https://127.0.0.1:{upstream.port}/v1",
            timeouts={"connect_ms": 500})])
        answer = purser.chat()
        assert answer.status_code == 502 and "upstream_unreachable" in answer.text
        assert purser.booked(answer)["cost_nano_usd"] == 0
        with pytest.raises(httpx.ReadTimeout):  # and one whose client leaves meanwhile
            purser.client.get("/healthz")
            purser.client.post("/v1/chat/completions", timeout=0.1,
                               json={"model": "gpt-4o-mini", "messages": []})
        purser.idle()
        assert purser.ledger()[-1]["cost_nano_usd"] == 0
