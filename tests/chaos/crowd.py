"""Many clients at once, behaving as SDKs do, and the comparison of all books afterwards."""

import asyncio
import collections
import contextlib
import dataclasses
import json
import os

from harness import KEY, events_of, usd, wait_until

# A sanitizer makes everything several times slower: the same with fewer clients.
SMALL = os.environ.get("BUILD") in ("asan", "tsan") or "CHAOS_SMALL" in os.environ


def size(full, small):
    return small if SMALL else full


def grow_ceilings(purser, **ask):
    """For upstreams that are faster than any: a call that is refused and costs nothing, after which
    there is room for half a dollar, or all there is. So no stream ends because a disk is slow."""
    answer = purser.chat(model="gpt-4", fake="status=400", headers={"connection": "close"}, **ask)
    assert answer.status_code == 400


class Broken(Exception):
    """The connection ended before the answer did."""


@dataclasses.dataclass
class Outcome:
    code: str  # "ok", or the error's code
    status: int = 0
    attempts: int = 1
    headers: dict = None
    finish: str = None


@dataclasses.dataclass
class Ask:
    """One chat completion as a client wants it."""

    stream: bool = False
    fake: str = ""
    key: str = KEY
    session: str = ""
    body: dict = dataclasses.field(default_factory=dict)

    def request(self):
        """The bytes of the HTTP request."""
        body = json.dumps({"model": "gpt-4o-mini", "stream": self.stream,
                           "messages": [{"role": "user", "content": "hello"}], **self.body},
                          separators=(",", ":"))
        session = f"x-purser-session: {self.session}\r\n" if self.session else ""
        return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{session}"
                f"Authorization: Bearer {self.key}\r\nx-fake: {self.fake}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                f"{body}").encode()


# A client of 40 lines, because the pools of real ones take quadratic time with 200 connections.
class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, purser):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", purser.port, limit=1 << 24)
        except OSError as error:
            raise Broken("cannot connect") from error
        try:
            yield cls(reader, writer)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Broken(str(error)) from error
        finally:
            writer.close()

    async def send(self, ask):
        """Sends it and reads the head of its answer: status and headers."""
        self.writer.write(ask.request())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        return int(head[0].split()[1]), headers

    async def pieces(self, headers):
        """The body as it comes."""
        if "content-length" in headers:
            yield await self.reader.readexactly(int(headers["content-length"]))
            return
        assert headers.get("transfer-encoding") == "chunked", headers
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            yield (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)

    async def events(self, headers):
        """The data of each server-sent event."""
        rest = b""
        async for piece in self.pieces(headers):
            *lines, rest = (rest + piece).split(b"\n")
            for event in events_of(line.decode() for line in lines):
                yield event


async def attempt(purser, ask):
    """One HTTP request, on a connection of its own."""
    async with Connection.to(purser) as connection:
        status, headers = await connection.send(ask)
        outcome = Outcome("ok", status, headers=headers)
        if headers["content-type"].startswith("text/event-stream"):
            outcome.code = "no [DONE]"
            async for event in connection.events(headers):
                take_event(outcome, event)
            return outcome
        answer = json.loads(b"".join([piece async for piece in connection.pieces(headers)]))
        if status == 200:
            outcome.finish = answer["choices"][0]["finish_reason"]
        else:
            outcome.code = answer["error"]["code"]
        return outcome


def take_event(outcome, event):
    if event == "[DONE]":
        outcome.code = "ok"
        return
    for choice in json.loads(event).get("choices", []):
        outcome.finish = choice.get("finish_reason") or outcome.finish


async def persist(purser, ask, tries=200):
    """Tries again for as long as purser says that it makes sense, after the time it names."""
    for number in range(1, tries + 1):
        outcome = await attempt(purser, ask)
        outcome.attempts = number
        if outcome.headers.get("x-should-retry") != "true":
            return outcome
        assert outcome.code == "budget_contention", outcome
        await asyncio.sleep(float(outcome.headers["retry-after"]))
    raise AssertionError(f"no end after {tries} tries")


def all_at_once(purser, asks):
    """Each ask by a client of its own, all at the same time; their outcomes in order."""
    async def run():
        return await asyncio.gather(*(persist(purser, ask) for ask in asks))
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


def restart(purser):
    """Starts it again and waits until it serves: it listens before its ledger is replayed."""
    purser.start()
    assert purser.client.get("/readyz").status_code == 200


@contextlib.contextmanager
def unquiet(message):
    """Says what a failing comparison was about (a seed, a round)."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{message}: {error}") from error
