"""SIGTERM: streams may finish, connections close, and nothing is lost, whatever happens."""

import asyncio
import contextlib
import signal
import socket

import pytest
from crowd import (Ask, Broken, Connection, attempt, billed_by_id, booked_sum,
                   books_agree_to_the_nano_dollar, grow_ceilings, lines_of,
                   no_hold_is_left, restart, size, spent)
from harness import wait_until

STREAMS = size(200, 60)
BUDGETS = [{"name": "cap", "scope": "global", "window": "total", "usd": 10}]
SHORT = "output=20,chunks=10,gap_ms=100"
ENDLESS = "output=1000,gap_ms=500"


class Stream:
    """One open stream, read up to some point."""

    def __init__(self, events):
        self.events = events
        self.seen = []

    async def next(self):
        self.seen.append(await anext(self.events))

    async def rest(self):
        """True if it came to its end, False if it broke."""
        try:
            async for event in self.events:
                self.seen.append(event)
        except (Broken, OSError, asyncio.IncompleteReadError):
            return False
        return self.seen[-1] == "[DONE]"


@contextlib.asynccontextmanager
async def open_streams(purser, fake, number=STREAMS, **body):
    """So many streams, each of which has had its first event."""
    async def open_one(stack):
        connection = await stack.enter_async_context(Connection.to(purser))
        status, headers = await connection.send(Ask(stream=True, fake=fake, body=body))
        assert status == 200
        stream = Stream(connection.events(headers))
        await stream.next()
        return stream

    with contextlib.suppress(Broken):  # of a connection that is closed after its stream broke
        async with contextlib.AsyncExitStack() as stack:
            yield await asyncio.gather(*(open_one(stack) for _ in range(number)))


def ended_well(purser):
    """The exit status is 0 and the log's last word that all is booked."""
    status = purser.process.child.wait(60)
    assert status == 0, purser.log()[-3000:]
    assert "everything is booked" in purser.log().splitlines()[-1]


def drain(purser, fake, after=None, number=STREAMS, **body):
    """SIGTERM with open streams; `after` is awaited then. How each of them ended."""
    async def run():
        async with open_streams(purser, fake, number, **body) as streams:
            purser.process.signal(signal.SIGTERM)
            if after is not None:
                await after(streams)
            return await asyncio.gather(*(stream.rest() for stream in streams))
    endings = asyncio.run(run())
    ended_well(purser)
    return endings


def holds_are_booked(purser, provider):
    """Every call is booked within its hold, which covers the bill; a restart shows the same."""
    billed = billed_by_id(provider.settled_bill())
    holds = {line["request_id"]: line["hold_nano_usd"]
             for line in lines_of(purser, "reserve", "extend")}
    settled = purser.settled()
    assert settled.keys() == holds.keys()
    assert all(settled[name] <= holds[name] for name in holds)
    assert not billed.keys() - settled.keys()
    for name, cost in billed.items():
        assert cost <= settled[name]
    restart(purser)
    assert not lines_of(purser, "forfeit")
    no_hold_is_left(purser)
    assert spent(purser, "cap")["all"][0] == booked_sum(purser) == sum(settled.values())


def test_streams_finish_within_the_drain_time(provider, start):
    purser = start(budgets=BUDGETS)
    endings = drain(purser, SHORT)
    assert endings == [True] * STREAMS
    restart(purser)
    books_agree_to_the_nano_dollar(purser, provider)
    assert lines_of(purser, "close") and not lines_of(purser, "forfeit")


def test_streams_that_take_longer_break_visibly_and_are_booked(provider, start):
    purser = start(budgets=BUDGETS, limits={"drain_seconds": 1})
    endings = drain(purser, ENDLESS, max_tokens=1000)
    assert endings == [False] * STREAMS
    holds_are_booked(purser, provider)


def test_a_second_signal_hurries(provider, start):
    """The streams still flow after the first one."""
    purser = start(budgets=BUDGETS, limits={"drain_seconds": 3600})

    async def second(streams):
        # Two signals that come before the first is read are one.
        await asyncio.to_thread(wait_until, lambda: "stopping" in purser.log(), 30, "the stop")
        await asyncio.gather(*(stream.next() for stream in streams))
        assert purser.process.alive()
        purser.process.signal(signal.SIGTERM)

    endings = drain(purser, ENDLESS, after=second, max_tokens=1000)
    assert endings == [False] * STREAMS
    holds_are_booked(purser, provider)


@pytest.mark.parametrize("before", ["unused", "used"])
def test_idle_connections_are_closed_at_once(provider, start, before):
    """They end although a stream still runs."""
    purser = start(budgets=BUDGETS, limits={"drain_seconds": 3600})
    with socket.create_connection(("127.0.0.1", purser.port)) as idle:
        idle.settimeout(30)
        if before == "used":
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(4096).startswith(b"HTTP/1.1 200")

        async def look(streams):
            assert await asyncio.to_thread(idle.recv, 1) == b""
            assert purser.process.alive()

        assert drain(purser, SHORT, after=look, number=3) == [True] * 3


def test_nobody_new_is_taken_while_it_drains(provider, start):
    """A new connection is refused: a load balancer goes elsewhere at once."""
    purser = start(budgets=BUDGETS)

    async def knock(streams):
        await asyncio.to_thread(wait_until, lambda: is_refused(purser), 30, "the door to shut")
        assert purser.process.alive()

    assert drain(purser, SHORT, after=knock, number=3) == [True] * 3


def is_refused(purser):
    try:
        socket.create_connection(("127.0.0.1", purser.port)).close()
        return False
    except ConnectionRefusedError:
        return True


@pytest.mark.parametrize("delay_ms, code", [(500, "ok"), (3600000, "shutting_down")])
def test_plain_calls_are_answered_too(provider, start, delay_ms, code):
    """In time they get their answer, else an error that says why; either way they are booked."""
    purser = start(budgets=BUDGETS, limits={"drain_seconds": 2})
    ask = Ask(fake=f"output=100,delay_ms={delay_ms}", body={"max_tokens": 100})

    async def run():
        calls = [asyncio.create_task(attempt(purser, ask)) for _ in range(50)]
        await asyncio.to_thread(wait_until, lambda: provider.bill(False)["requests"] == 50, 30,
                                "the provider to have them all")
        purser.process.signal(signal.SIGTERM)
        return await asyncio.gather(*calls)

    outcomes = asyncio.run(run())
    ended_well(purser)
    assert {outcome.code for outcome in outcomes} == {code}
    if code == "ok":
        restart(purser)
        books_agree_to_the_nano_dollar(purser, provider)
    else:
        assert {outcome.status for outcome in outcomes} == {503}
        holds_are_booked(purser, provider)


@pytest.mark.parametrize("sent", ["half a head", "half a body", "all, and never reads"])
def test_clients_who_stand_still_do_not_hold_up_the_stop(provider, start, sent):
    purser = start(budgets=BUDGETS, limits={"drain_seconds": 1})
    grow_ceilings(purser, max_tokens=8000)
    request = Ask(True, "output=16384,big_mb=20", body={"max_tokens": 16384}).request()
    size_sent = {"half a head": 40, "half a body": len(request) - 10}.get(sent, len(request))
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", purser.port)))
            client.sendall(request[:size_sent])
        calls = 21 if size_sent == len(request) else 1
        wait_until(lambda: provider.bill(False)["requests"] == calls, what="the calls to begin")
        wait_until(lambda: all_are_read(purser, 20), what="purser to read them")
        purser.process.signal(signal.SIGTERM)
        ended_well(purser)
    holds_are_booked(purser, provider)


def test_those_who_wait_for_a_budget_are_answered(provider, start):
    """One call holds the whole budget, others wait for it: all get an answer, and it ends."""
    purser = start(budgets=[{"name": "cap", "scope": "global", "window": "total", "requests": 1}],
                   admission={"wait_ms": 600000}, limits={"drain_seconds": 1})

    async def run():
        async with open_streams(purser, ENDLESS, 1, max_tokens=1000) as (stream,):
            async with contextlib.AsyncExitStack() as stack:
                waiters = [await stack.enter_async_context(Connection.to(purser))
                           for _ in range(20)]
                answers = [asyncio.create_task(waiter.send(Ask())) for waiter in waiters]
                await asyncio.to_thread(wait_until, lambda: all_are_read(purser, 21), 30,
                                        "purser to read them")
                purser.process.signal(signal.SIGTERM)
                assert not await stream.rest()
                return await asyncio.gather(*answers, return_exceptions=True)

    for answer in asyncio.run(run()):
        assert isinstance(answer, Exception) or answer[0] in (429, 503), answer
    ended_well(purser)
    assert not purser.open_holds()


def all_are_read(purser, connections):
    """True if so many clients are connected and nothing they sent waits in the kernel."""
    rows = [row.split() for row in open("/proc/net/tcp").read().splitlines()[1:]]
    ours = [row for row in rows if row[1].endswith(f":{purser.port:04X}") and row[3] == "01"]
    return len(ours) == connections and all(row[4].endswith(":00000000") for row in ours)


def test_questions_about_the_books_may_be_open_when_it_stops(provider, start):
    """Askers who are gone before their answer: the clerk finds nobody, and disturbs nothing."""
    purser = start(budgets=BUDGETS)
    purser.chat()
    ask = (f"GET /costs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
           f"{'admin-token-0123456789abcdef'}\r\n\r\n").encode()
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", purser.port)) as asker:
            asker.sendall(ask)
    purser.process.signal(signal.SIGTERM)
    ended_well(purser)
