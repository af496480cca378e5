"""Clients that hang up, at every moment of a call, leave nothing behind: no hold, no call at the
provider, no descriptor, no line missing in the books."""

import os
import pathlib
import socket
import struct

import pytest
from crowd import (Ask, billed_by_id, booked_sum, books_agree_to_the_nano_dollar, grow_ceilings,
                   lines_of, no_hold_is_left, size, spent)
from harness import upstream_of, wait_until

CLIENTS = size(1000, 200)
WAVE = size(250, 100)  # so many at a time: test, purser and provider have their descriptors
BUDGETS = [{"name": "cap", "scope": "global", "window": "total", "usd": 10}]
LONG = "output=1000,gap_ms=60000"
MAXIMUM = {"max_tokens": 1000}


class Client:
    """A socket that sends a request and hangs up, politely (FIN) or not (RST)."""

    def __init__(self, purser, number, request):
        self.socket = socket.create_connection(("127.0.0.1", purser.port))
        self.socket.settimeout(60)
        self.rude = number % 2 == 0
        self.socket.sendall(request)

    def read_until(self, mark):
        got = b""
        while mark not in got:
            piece = self.socket.recv(65536)
            assert piece, got
            got += piece

    def hang_up(self):
        if self.rude:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def descriptors(purser):
    """purser's, but for those to the provider, of which it keeps some for later."""
    folder = pathlib.Path(f"/proc/{purser.process.pid}/fd")
    return len(os.listdir(folder))


class Scene:
    """purser with a count of its descriptors from before the storm."""

    def __init__(self, provider, purser):
        self.provider, self.purser = provider, purser
        assert purser.chat(fake="output=1").status_code == 200
        self.before = self.own_descriptors()

    def own_descriptors(self):
        asking = 1
        return descriptors(self.purser) - (self.provider.stats()["connections_open"] - asking)

    def all_is_gone(self):
        provider, purser = self.provider, self.purser
        wait_until(lambda: provider.stats()["streams_open"] == 0, 30, "streams at the provider")
        wait_until(lambda: provider.bill(False)["open"] == 0, 30, "calls at the provider")
        wait_until(lambda: self.own_descriptors() <= self.before, 30,
                   "purser to close descriptors")
        wait_until(lambda: clients_left(purser) <= 1, 30, "purser to forget its clients")
        no_hold_is_left(purser)


def clients_left(purser):
    """Connections to purser that the kernel knows as open on purser's side."""
    rows = [row.split() for row in open("/proc/net/tcp").read().splitlines()[1:]]
    return sum(row[1].endswith(f":{purser.port:04X}") and row[3] in ("01", "08") for row in rows)


def storm(purser, ask, ready, clients=CLIENTS):
    """Waves of clients: each asks, gets ready (the moment), and all of the wave hang up."""
    for first in range(0, clients, WAVE):
        wave = [Client(purser, number, ask.request())
                for number in range(first, min(first + WAVE, clients))]
        ready(wave)
        for client in wave:
            client.hang_up()


def booked_at_holds_or_bill(purser, provider):
    """Who hung up is booked at the hold, which covers what the provider billed."""
    billed = billed_by_id(provider.settled_bill())
    settled = purser.settled()
    assert not billed.keys() - settled.keys()
    for name, cost in billed.items():
        assert cost <= settled[name], name
    assert spent(purser, "cap")["all"][0] == booked_sum(purser) == sum(settled.values())


@pytest.fixture
def scene(provider, start):
    return lambda **options: Scene(provider, start(**{"budgets": BUDGETS, **options}))


def test_in_the_middle_of_a_stream(provider, scene):
    scene = scene()

    def first_event(wave):
        for client in wave:
            client.read_until(b"data: ")

    storm(scene.purser, Ask(True, LONG, body=MAXIMUM), first_event)
    scene.all_is_gone()
    assert provider.bill(False)["requests"] == CLIENTS + 1
    booked_at_holds_or_bill(scene.purser, provider)


@pytest.mark.parametrize("stream", [False, True])
def test_before_the_first_byte(provider, scene, stream):
    scene = scene()

    def provider_has_them(wave):
        wait_until(lambda: provider.bill(False)["open"] == len(wave), 30, "calls at the provider")

    storm(scene.purser, Ask(stream, "output=1000,delay_ms=3600000", body=MAXIMUM),
          provider_has_them)
    scene.all_is_gone()
    assert provider.bill(False)["requests"] == CLIENTS + 1
    booked_at_holds_or_bill(scene.purser, provider)


@pytest.mark.parametrize("stream", [False, True])
def test_at_once(provider, scene, stream):
    """Whatever purser has done by then: nothing, or a call that is just beginning."""
    scene = scene()
    storm(scene.purser, Ask(stream, LONG, body=MAXIMUM), lambda wave: None)
    scene.all_is_gone()
    booked_at_holds_or_bill(scene.purser, provider)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_within_the_request(provider, scene, part):
    """Half a head, a head and half a body, all but the last bytes."""
    scene = scene()
    request = Ask(True, LONG, body={"max_tokens": 1000, "user": "x" * 5000}).request()
    clients = [Client(scene.purser, number, request[:int(len(request) * part)])
               for number in range(WAVE)]
    for client in clients:
        client.hang_up()
    scene.all_is_gone()
    assert provider.bill(False)["requests"] == 1
    assert books_agree_to_the_nano_dollar(scene.purser, provider) > 0


def test_while_they_wait_for_a_budget(provider, scene):
    """One call holds all of it; those behind it leave the queue, and the last one gets in."""
    scene = scene(budgets=[{"name": "cap", "scope": "global", "window": "total", "usd": 10,
                            "requests": 2}],
                  admission={"wait_ms": 600000, "max_waiting": 1000})
    purser = scene.purser
    holder = Client(purser, 0, Ask(True, LONG, body=MAXIMUM).request())
    holder.read_until(b"data: ")

    def purser_has_them(wave):
        wait_until(lambda: nothing_unread(purser, len(wave)), 30, "purser to read them")

    storm(purser, Ask(fake="output=1"), purser_has_them)
    wait_until(lambda: len(lines_of(purser, "refuse")) == CLIENTS, 30, "waiters to leave")
    assert {line["error"] for line in lines_of(purser, "refuse")} == {"client_gone"}
    assert provider.bill(False)["requests"] == 2
    holder.hang_up()
    scene.all_is_gone()
    booked_at_holds_or_bill(purser, provider)


def nothing_unread(purser, least):
    rows = [row.split() for row in open("/proc/net/tcp").read().splitlines()[1:]]
    ours = [row for row in rows if row[1].endswith(f":{purser.port:04X}") and row[3] == "01"]
    return len(ours) >= least and all(row[4].endswith(":00000000") for row in ours)


def test_without_reading_what_they_asked_for(provider, scene):
    """The answer piles up behind a reader who never reads, then hangs up."""
    scene = scene()
    grow_ceilings(scene.purser, max_tokens=8000)

    def provider_has_them(wave):
        wait_until(lambda: provider.bill(False)["open"] == len(wave), 30, "calls at the provider")

    # Larger than all buffers on the way together: the provider cannot end before the client.
    storm(scene.purser, Ask(True, "output=16384,big_mb=20", body={"max_tokens": 16384}),
          provider_has_them, clients=size(20, 10))
    scene.all_is_gone()
    booked_at_holds_or_bill(scene.purser, provider)


@pytest.mark.parametrize("stream", [False, True])
def test_where_hanging_up_saves_nothing_the_call_is_drained(provider, scene, stream):
    """The provider bills to the end: so it is read to the end, and booked exactly."""
    scene = scene(upstreams=[upstream_of(provider, cancel_saves="no")])

    def provider_has_them(wave):
        provider_has_them.seen += len(wave)
        wait_until(lambda: provider.bill(False)["requests"] >= provider_has_them.seen, 30,
                   "calls at the provider")

    provider_has_them.seen = 1
    storm(scene.purser, Ask(stream, "output=50,chunks=5,delay_ms=100,gap_ms=20,cancel=ignore"),
          provider_has_them)
    scene.all_is_gone()
    books_agree_to_the_nano_dollar(scene.purser, provider)
    assert provider.bill(False)["requests"] == CLIENTS + 1
