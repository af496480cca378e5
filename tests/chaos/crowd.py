"""Many clients at once, behaving as SDKs do, and the comparison of all books afterwards."""

import asyncio
import collections
import contextlib
import dataclasses
import json
import os

import httpx

from harness import KEY, events_of, usd, wait_until

# A sanitizer makes everything several times slower: the same with fewer clients.
SMALL = os.environ.get("BUILD") in ("asan", "tsan") or "CHAOS_SMALL" in os.environ


def size(full, small):
    return small if SMALL else full


@dataclasses.dataclass
class Outcome:
    code: str  # "ok", the error's code, or "broken"
    status: int = 0
    attempts: int = 1
    headers: httpx.Headers = None
    finish: str = None


@dataclasses.dataclass
class Ask:
    """One chat completion as a client wants it."""

    stream: bool = False
    fake: str = ""
    key: str = KEY
    session: str = ""
    body: dict = dataclasses.field(default_factory=dict)

    def headers(self):
        headers = {"Authorization": f"Bearer {self.key}", "x-fake": self.fake}
        return {**headers, "x-purser-session": self.session} if self.session else headers

    def json(self):
        return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}],
                "stream": self.stream, **self.body}


async def _stream(response):
    outcome = Outcome("broken", response.status_code, headers=response.headers)
    async for event in _events(response):
        if event == "[DONE]":
            outcome.code = "ok"
            continue
        for choice in json.loads(event).get("choices", []):
            outcome.finish = choice.get("finish_reason") or outcome.finish
    return outcome


async def _events(response):
    async for line in response.aiter_lines():
        for event in events_of([line]):
            yield event


async def attempt(client, ask):
    """One HTTP request. Raises httpx.TransportError when the connection breaks."""
    async with client.stream("POST", "/v1/chat/completions", headers=ask.headers(),
                             json=ask.json()) as response:
        if response.status_code == 200 and ask.stream:
            return await _stream(response)
        answer = json.loads(await response.aread())
        if response.status_code == 200:
            return Outcome("ok", 200, headers=response.headers,
                           finish=answer["choices"][0]["finish_reason"])
        return Outcome(answer["error"]["code"], response.status_code, headers=response.headers)


async def persist(client, ask, tries=200):
    """Tries again for as long as purser says that it makes sense, after the time it names."""
    for number in range(1, tries + 1):
        outcome = await attempt(client, ask)
        outcome.attempts = number
        if outcome.headers.get("x-should-retry") != "true":
            return outcome
        assert outcome.code == "budget_contention", outcome
        await asyncio.sleep(float(outcome.headers["retry-after"]))
    raise AssertionError(f"no end after {tries} tries")


def client_of(purser):
    return httpx.AsyncClient(base_url=purser.base, timeout=120,
                             limits=httpx.Limits(max_connections=None))


def all_at_once(purser, asks):
    """Each ask by a client of its own, all at the same time; their outcomes in order."""
    async def run():
        async with client_of(purser) as client:
            return await asyncio.gather(*(persist(client, ask) for ask in asks))
    return asyncio.run(run())


def count(outcomes):
    return collections.Counter(outcome.code for outcome in outcomes)


def billed_by_id(bill):
    """{purser's request id: what the provider billed for it, in nano-dollars}"""
    billed = collections.Counter()
    for call in bill["calls"]:
        billed[call["purser_request_id"]] += call["cost_nano_usd"]
    return billed


def lines_of(purser, *kinds):
    return [line for line in purser.ledger() if line["kind"] in kinds]


def spent(purser, name, unit="usd"):
    """{scope id: (spent, reserved, limit)} of a budget; USD in nano-dollars."""
    read = usd if unit == "usd" else int
    return {row_id: tuple(read(row[field]) for field in ("spent", "reserved", "limit"))
            for (row_name, row_id, row_unit), row in purser.budgets().items()
            if (row_name, row_unit) == (name, unit)}


def no_hold_is_left(purser):
    purser.idle()
    for (name, row_id, unit), row in purser.budgets().items():
        assert usd(row["reserved"]) == 0, (name, row_id, unit, row)


def booked_sum(purser):
    """What the ledger's lines add up to, and that /costs and the global USD budget agree."""
    booked = sum(line.get("cost_nano_usd", 0) for line in purser.ledger())
    assert sum(usd(line["cost_usd"]) for line in purser.ledger()) == booked
    wait_until(lambda: purser.costs()["total"]["cost_nano_usd"] == booked, 30,
               "/costs to agree with the ledger")
    return booked


def books_agree_to_the_nano_dollar(purser, provider):
    """No hold is left, and ledger = /costs = the provider's bill, in sum and by request id."""
    bill = provider.settled_bill()
    no_hold_is_left(purser)
    booked = booked_sum(purser)
    costly = {name: cost for name, cost in purser.settled().items() if cost > 0}
    assert costly == {name: cost for name, cost in billed_by_id(bill).items() if cost > 0}
    assert booked == bill["cost_nano_usd"]
    return booked


@contextlib.contextmanager
def unquiet(message):
    """Says what a failing comparison was about (a seed, a round)."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{message}: {error}") from error
