"""More clients than descriptors: some are refused or wait, none is lost, and it goes on after."""

import asyncio
import collections
import resource
import socket

import pytest
from crowd import Ask, Broken, attempt, books_agree_to_the_nano_dollar, size
from harness import wait_until

DESCRIPTORS = 100
CLIENTS = size(200, 100)
BUDGETS = [{"name": "cap", "scope": "global", "window": "total", "usd": 10}]


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


async def one(purser, ask):
    try:
        return (await attempt(purser, ask)).code
    except Broken:
        return "broken"


def all_of(purser, asks):
    async def run():
        return await asyncio.gather(*(one(purser, ask) for ask in asks))
    return collections.Counter(asyncio.run(run()))


@pytest.mark.parametrize("stream", [False, True])
def test_calls_beyond_them_fail_clearly_and_cost_nothing(provider, start, stream):
    purser = start(budgets=BUDGETS, preexec=few_descriptors)
    codes = all_of(purser, [Ask(stream, "output=10,chunks=2,delay_ms=100")] * CLIENTS)
    print(codes)
    assert sum(codes.values()) == CLIENTS
    assert set(codes) <= {"ok", "upstream_unreachable", "overloaded"}
    assert codes["ok"] > 0
    books_agree_to_the_nano_dollar(purser, provider)
    # idle connections to the upstream leave room for calls of the other workers
    wait_until(lambda: purser.descriptors() <= DESCRIPTORS // 2 + 5, what="descriptors to be freed")
    # and when the rush is over everything works as before
    assert all_of(purser, [Ask(stream, "output=10")] * 20) == {"ok": 20}


def test_idle_clients_that_take_all_of_them_do_not_stop_it_for_good(provider, start):
    purser = start(budgets=BUDGETS, preexec=few_descriptors)
    idle = [socket.create_connection(("127.0.0.1", purser.port)) for _ in range(DESCRIPTORS + 50)]
    wait_until(lambda: "cannot accept" in purser.log(), what="the limit to be reached")
    for client in idle:
        client.close()
    assert all_of(purser, [Ask(False, "output=10")] * 20) == {"ok": 20}
    books_agree_to_the_nano_dollar(purser, provider)
