"""Clients that go on calling while processes are killed, and the comparison of the books of several
pursers with the provider's one bill."""

import asyncio
import collections
import random
import threading
import time

import httpx
from crowd import Ask, Broken, attempt, billed_by_id, no_hold_is_left
from harness import KEY, NANO, wait_until

CALL_COST = 5 * 150 + 100 * 600  # of gpt-4o-mini: the largest call that some_ask makes
ENDS = ("settle", "forfeit")
WHO_USES_UP = "sk-test-bob-0123456789abcdef"
KEYS = [{"id": "alice", "key": KEY}, {"id": "bob", "key": WHO_USES_UP}]


def some_ask(dice, session):
    output = dice.choice((1, 20, 100))
    return Ask(stream=dice.random() < 0.5, session=session,
               fake=f"output={output},chunks={min(output, 5)},delay_ms={dice.choice((0, 1, 30))},"
                    f"gap_ms={dice.choice((0, 2, 20))}",
               body={"max_tokens": dice.choice((output, 100, 200))})


class Herd(threading.Thread):
    """`count` clients that call one after the other until they are told to stop, each time one of
    the pursers. One that is not there, or goes away meanwhile, is tried again a little later.
    `ask(dice, session)` makes a call; `flock`, in the sessions' names, may be changed at any time."""

    def __init__(self, pursers, ask, seed, count=20):
        super().__init__(daemon=True)
        self.pursers, self.ask, self.seed, self.count = pursers, ask, seed, count
        self.outcomes = collections.Counter()
        self.flock = 0
        self.stopping = False
        self.broken = None  # what ended it

    def run(self):
        try:
            asyncio.run(self._all())
        except BaseException as error:  # told by stop()
            self.broken = error

    async def _all(self):
        await asyncio.gather(*(self._client(number) for number in range(self.count)))

    async def _client(self, number):
        dice = random.Random(f"{self.seed} {number}")
        while not self.stopping:
            ask = self.ask(dice, f"f{self.flock}-{dice.randrange(8)}")
            try:
                self.outcomes[(await attempt(dice.choice(self.pursers), ask)).code] += 1
            except Broken:
                self.outcomes["broken"] += 1
                await asyncio.sleep(0.02)

    def goes_on(self, calls=20):
        """Waits until so many more were paid."""
        paid = self.outcomes["ok"]
        before = collections.Counter(self.outcomes)
        try:
            wait_until(lambda: self.broken or self.outcomes["ok"] >= paid + calls, 30, "calls")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.outcomes - before}") from error
        assert self.broken is None, self.broken

    def stop(self):
        self.stopping = True
        self.join(60)
        assert not self.is_alive() and self.broken is None, self.broken

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.join(60)


def start_and_serve(purser):
    """It listens before its ledger is replayed, and before Redis has answered."""
    purser.start()
    wait_until(lambda: httpx.get(purser.base + "/readyz", timeout=30).status_code == 200, 30,
               "it to be ready")


def kill_and_restart(purser, dice):
    """kill -9; sometimes once more while it starts. Serves again afterwards."""
    purser.process.kill()
    while dice.random() < 0.3:
        purser.launch()
        time.sleep(dice.uniform(0, 0.15))
        purser.process.kill()
    start_and_serve(purser)


def use_up(pursers, seconds=60):
    """Calls, ever smaller ones, until nothing is left of what they share."""
    deadline = time.monotonic() + seconds
    for output in (16000, 1600, 160):
        refused = 0
        while refused < 3:
            assert time.monotonic() < deadline, "the budget has no end"
            answers = [purser.chat(key=WHO_USES_UP, fake=f"prompt=5,output={output}",
                                   max_tokens=output) for purser in pursers]
            # 503: what Redis or a disk did before is not over yet.
            assert {answer.status_code for answer in answers} <= {200, 429, 503}, answers[0].text
            refused = refused + 1 if all(answer.status_code == 429 for answer in answers) else 0


def ends_of(pursers):
    """All settle and forfeit lines."""
    return [line for purser in pursers for line in purser.ledger() if line["kind"] in ENDS]


def agree_with_the_bill(pursers, provider, limit, lost=()):
    """With all pursers alive: bill ≤ booked ≤ limit; every settled id agrees to the nano-dollar;
    the rest is what forfeits hold above the bill. `lost`: ledgers' lines of folders that are gone.
    Returns (bill, booked)."""
    for purser in pursers:
        no_hold_is_left(purser)
    bill = provider.settled_bill()
    billed = billed_by_id(bill)
    lines = [*(line for line in lost if line["kind"] in ENDS), *ends_of(pursers)]
    calls = [line["call"] for line in lines if "call" in line]
    assert len(set(calls)) == len(calls), "a call was booked twice"
    booked, forfeits = collections.Counter(), set()
    for line in lines:
        booked[line["request_id"]] += line["cost_nano_usd"]
        if line["kind"] == "forfeit":
            forfeits.add(line["request_id"])
    for name in booked.keys() | billed.keys():
        if name in forfeits:
            assert booked[name] >= billed[name], (name, booked[name], billed[name])
        else:
            assert booked[name] == billed[name], (name, booked[name], billed[name])
    excess = sum(booked[name] - billed[name] for name in forfeits)
    total = sum(booked.values())
    assert total - bill["cost_nano_usd"] == excess >= 0
    assert bill["cost_nano_usd"] <= total <= limit, (bill["cost_nano_usd"], total, limit)
    return bill["cost_nano_usd"], total


def usd_text(nano):
    return f"{nano // NANO}.{nano % NANO:09d}"
