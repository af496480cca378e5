"""Clients that leave at every possible moment, or are too many: nothing stays behind them."""

import contextlib
import json
import socket
import struct

import pytest

from harness import KEY, OUT, upstream_of, wait_until

SANITIZED = "san" in str(OUT)
BUDGET = [{"name": "daily", "scope": "global", "window": "day", "usd": 100}]


def connect(purser):
    return socket.create_connection(("127.0.0.1", purser.port), 10)


def reset(connection):
    """Closes with RST, as a killed machine's kernel does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def request_of(fake, stream, model="gpt-4o-mini"):
    body = json.dumps({"model": model, "stream": stream, "max_tokens": 50,
                       "messages": [{"role": "user", "content": "x" * 300}]})
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"x-fake: {fake}\r\n\r\n{body}").encode()


def leave_after_connect(purser):
    return connect(purser)


def leave_in_head(purser):
    connection = connect(purser)
    connection.sendall(request_of("output=5", False)[:60])
    return connection


def leave_in_body(purser):
    connection = connect(purser)
    connection.sendall(request_of("output=5", False)[:-100])
    return connection


def leave_after_request(purser):
    connection = connect(purser)
    connection.sendall(request_of("output=5", False))
    return connection


def leave_before_first_byte(purser):
    connection = connect(purser)
    connection.sendall(request_of("delay_ms=200", True))
    return connection


def leave_before_answer(purser):
    connection = connect(purser)
    connection.sendall(request_of("delay_ms=100", False))
    return connection


def leave_in_stream(purser):
    connection = connect(purser)
    connection.sendall(request_of("output=50,gap_ms=5", True))
    connection.recv(65536)
    return connection


def leave_at_the_end(purser):
    connection = connect(purser)
    connection.sendall(request_of("output=3", True))
    data = b""
    while b"[DONE]" not in data:
        piece = connection.recv(65536)
        assert piece
        data += piece
    return connection


def leave_half_closed(purser):
    connection = connect(purser)
    connection.sendall(request_of("output=20,gap_ms=5", True))
    connection.shutdown(socket.SHUT_WR)
    return connection


def leave_unread(purser):
    connection = connect(purser)
    connection.sendall(request_of("big_mb=20,output=3", True))
    wait_until(lambda: purser.open_holds(), what="the call")
    return connection


MOMENTS = [leave_unread, leave_after_connect, leave_in_head, leave_in_body, leave_after_request,
           leave_before_first_byte, leave_before_answer, leave_in_stream, leave_at_the_end,
           leave_half_closed]


def hang_up(purser, rounds):
    for number in range(rounds):
        for moment in MOMENTS:
            connection = moment(purser)
            if number % 2:
                reset(connection)
            else:
                connection.close()


@pytest.mark.parametrize("saves", ["yes", "no"])
def test_hanging_up_at_any_moment_leaves_nothing_behind(provider, start, saves):
    purser = start(provider, budgets=BUDGET, upstreams=[upstream_of(provider, cancel_saves=saves)])

    def settled():
        purser.idle()
        wait_until(lambda: provider.bill(False)["open"] == 0, 30, "the provider's calls")
        wait_until(lambda: provider.stats()["streams_open"] == 0, 30, "the provider's streams")

    hang_up(purser, 10)
    settled()
    memory = purser.resident_kb()
    hang_up(purser, 35)
    settled()
    wait_until(lambda: purser.descriptors() < 150, what="descriptors to be closed")
    if not SANITIZED:
        assert purser.resident_kb() - memory < 8_000  # leaks are the sanitizers' to find
    lines = purser.ledger()
    reserved = [line["call"] for line in lines if line["kind"] == "reserve"]
    ended = [line["call"] for line in lines if line["kind"] == "settle"]
    assert sorted(reserved) == sorted(ended)
    assert len(set(ended)) == len(ended) >= provider.bill(False)["requests"]
    assert sum(purser.settled().values()) >= provider.bill(False)["cost_nano_usd"]
    row = purser.budgets()[("daily", "all", "usd")]
    assert row["reserved"] == 0
    assert round(row["spent"] * 10 ** 9) == sum(purser.settled().values())


def test_hanging_up_while_waiting_for_a_budget_makes_room_for_the_next(provider, start):
    purser = start(provider, budgets=[{"name": "one", "scope": "global", "window": "day",
                                       "usd": 0.00006}],
                   admission={"clamp": "never", "wait_ms": 8000})
    first = connect(purser)
    first.sendall(request_of("delay_ms=1500,output=1,prompt=20", False))
    wait_until(lambda: purser.budgets()[("one", "all", "usd")]["reserved"])
    waiters = [connect(purser) for _ in range(20)]
    for waiter in waiters:
        waiter.sendall(request_of("output=1,prompt=20", False))
    for waiter in waiters[:-1]:
        waiter.close()
    assert waiters[-1].recv(65536).startswith(b"HTTP/1.1 200")
    first.close()
    purser.idle()

    def refused():
        return [line["error"] for line in purser.ledger() if line["kind"] == "refuse"]

    wait_until(lambda: len(refused()) == 19, what="those who left to be booked")
    assert set(refused()) == {"client_gone"}
    assert provider.bill(False)["requests"] == 2


def test_too_many_connections_are_turned_away_with_json(start, shared_provider):
    purser = start(shared_provider, limits={"connections": 5})
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(connect(purser))
        wait_until(lambda: b"overloaded" in purser.request(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") or
            stack.enter_context(connect(purser)) is None, what="the limit")
    wait_until(lambda: b"\"ok\"" in purser.request(
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), what="room again")


def test_purser_ends_cleanly_while_clients_are_in_every_state(provider, start):
    purser = start(provider, budgets=BUDGET, limits={"drain_seconds": 1})
    connections = [moment(purser) for moment in MOMENTS for _ in range(3)]
    purser.end()
    for connection in connections:
        connection.close()
    assert not purser.open_holds()
    assert purser.ledger()[-1]["kind"] == "close"


def test_who_says_goodbye_and_reads_no_more_is_let_go(provider, start):
    purser = start(provider, budgets=BUDGET)
    purser.booked(purser.chat())  # it has opened all it needs
    before = purser.descriptors()
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            connection = stack.enter_context(connect(purser))
            connection.sendall(request_of("big_mb=20,output=3", True))
            wait_until(purser.open_holds, what="the call")
            connection.shutdown(socket.SHUT_WR)
        purser.idle()
        wait_until(lambda: purser.descriptors() <= before + 1, what="the connections to be closed")
