"""A storm over the cache: many clients with few questions, so that most answers are shared or
known; they hang up, read slowly, or cannot pay, while the upstream fails, the configuration is
reloaded and purser is killed. Whatever happens: every answer is the one to its question, bill ≤
booked ≤ limit, no hold is left and nobody waits for ever.

STORM_SEED and STORM_CALLS (of each client) come from the environment.
"""

import asyncio
import collections
import contextlib
import json
import math
import os
import random
import re
import signal

import httpx
import pytest
from crowd import (Ask, Broken, Connection, billed_by_id, booked_sum, lines_of, no_hold_is_left,
                   restart, size, spent, unquiet)
from harness import ADMIN, KEY, usd, upstream_of, wait_until

SEED = int(os.environ.get("STORM_SEED", random.SystemRandom().randrange(1 << 32)))
CALLS_EACH = int(os.environ.get("STORM_CALLS", size(16, 8)))
CLIENTS = size(50, 30)
QUESTIONS = 6
MODES = ["exact"] * 5 + ["normalized", "normalized", "off"]
PAID = 5 * 150 + 100 * 600

RICH = [KEY, "sk-test-bob-0123456789abcdef"]
POOR = ["sk-test-carol-0123456789abcdef", "sk-test-dave-0123456789abcdef"]
KEYS = [{"id": name, "key": key, "team": "research" if key in RICH + POOR[:1] else "sales"}
        for name, key in zip(("alice", "bob", "carol", "dave"), RICH + POOR)]
LIMITS = {"carol": 6 * PAID, "dave": 4 * PAID}
EVERYTHING = CLIENTS * CALLS_EACH * PAID * 2
CALLS = {"alice": 10 * CLIENTS * CALLS_EACH, "bob": CLIENTS * CALLS_EACH // 4}

# How an upstream may fail, or be strange. "metadata" does not count for what a question is.
MISHAPS = ["", "", "", "", "", "", "status=500", "status=429", "status=503,html=1", "no_answer=1",
           "", "", "die_after=2", "die_after=9", "half_chunk=1", "half_chunk=2", "usage=missing",
           "gzip=1", "cancel=ignore", "usage=with_choices", "usage=every", "events_crlf=1", "big_mb=1",
           "slow_head_ms=20"]
AS_ADMIN = {"Authorization": f"Bearer {ADMIN}"}


def dollars(nano):
    return f"{nano / 1e9:.9f}"


def budgets():
    return [
        {"name": "all", "scope": "global", "window": "total", "usd": dollars(EVERYTHING)},
        {"name": "own", "scope": "key", "window": "total", "usd": dollars(EVERYTHING),
         "overrides": {key: dollars(limit) for key, limit in LIMITS.items()}},
        {"name": "calls", "scope": "key", "window": "total", "requests": CALLS["alice"],
         "overrides": {"bob": CALLS["bob"]}},
    ]


def words_of_the_fake():
    """Its text, of which an answer is the beginning; see tests/fakes/answer.c."""
    source = (os.path.dirname(__file__), "..", "fakes", "answer.c")
    with open(os.path.join(*source)) as file:
        table = re.search(r"words\[\] = \{(.*?)\};", file.read(), re.DOTALL).group(1)
    return re.findall(r'"(\w+)"', table)


WORDS = words_of_the_fake()


def right_answer(number):
    return " ".join(WORDS[at % len(WORDS)] for at in range(12 + 7 * number))


def question(number, stream, mishap="", key=RICH[0], timing="gap_ms=1", turn="last"):
    fake = " ".join(["[fake", f"name=q{number}", f"output={12 + 7 * number}", timing,
                     *mishap.split(","), "prompt=5]"])
    ask = Ask(stream, key=key, body={
        "temperature": 0, "max_tokens": 100, "metadata": {"wish": fake},
        "messages": [{"role": "user", "content": f"question {number}, {turn}"}]})
    if stream and mishap != "usage=with_choices":
        ask.body["stream_options"] = {"include_usage": len(mishap) % 2 == 0}
    return ask


class Embeddings(Ask):
    """A batch of inputs, some of which somebody may have asked for before."""

    def request(self):
        return super().request().replace(b"/chat/completions", b"/embeddings", 1)


def embeddings(inputs, mishap, key, timing):
    fake = f"[fake {timing} {mishap.replace(',', ' ')} prompt=5]"
    return Embeddings(key=key, body={"model": "text-embedding-3-small", "input": inputs,
                                     "user": fake})


class Said:
    """What a client was told, as far as it came."""

    def __init__(self):
        self.status, self.headers, self.text, self.models = 0, {}, "", set()
        self.code, self.data, self.finish = "cut", None, None

    def take(self, event):
        if event.rstrip() == "[DONE]":  # events_crlf
            self.code = "ok"
            return
        event = json.loads(event)
        self.models.add(event.get("model"))
        for choice in event.get("choices", []):
            self.text += choice["delta"].get("content") or ""
            self.finish = choice["finish_reason"] or self.finish

    def take_whole(self, body):
        answer = json.loads(body)
        self.code = "ok" if self.status == 200 else answer["error"]["code"]
        if "data" in answer:
            self.data = [row["index"] for row in answer["data"] if row["embedding"]]
        elif self.status == 200:
            self.models.add(answer["model"])
            self.text = answer["choices"][0]["message"]["content"]

    def ends_early(self, key):
        """Where the budget of who pays ends, and nobody who follows took the stream over in time:
        the fake can be faster than any of them. Who can pay leads no such stream."""
        early = self.finish == "length" and "x-purser-clamped-max-tokens" not in self.headers
        assert not early or key in POOR or self.headers["x-purser-cache"] == "hit", self.headers
        return early

    def check(self, number, key):
        """It is the answer to this question, or the beginning of it."""
        if isinstance(number, list):
            assert self.code != "ok" or self.data == list(range(len(number))), self.data
            return
        right, said = right_answer(number), self.text.rstrip("x")  # big_mb
        if self.status != 200:
            assert not self.text
            return
        assert self.models <= {f"q{number}"}, (number, self.models)
        cut = "x-purser-clamped-max-tokens" in self.headers or self.ends_early(key)
        whole = self.code == "ok" and not cut
        assert said == right if whole else right.startswith(said), \
            (number, said, self.finish, self.headers)


async def attempt(purser, ask, said, pause):
    """Asks, reads (with a pause before each piece), and leaves what came in `said`."""
    async with Connection.to(purser) as connection:
        said.status, said.headers = await connection.send(ask)
        if said.headers["content-type"].startswith("text/event-stream"):
            async for event in connection.events(said.headers):
                said.take(event)
                await asyncio.sleep(pause)
        else:
            said.take_whole(b"".join([piece async for piece in connection.pieces(said.headers)]))


def some_question(dice, turn):
    number = dice.randrange(QUESTIONS)
    timing = f"gap_ms={dice.choice((0, 1, 5, 10))} delay_ms={dice.choice((0, 5, 50))}"
    key = dice.choice(RICH * 4 + POOR)
    if dice.random() < 0.2:
        inputs = [f"{turn} {dice.randrange(20)}" for _ in range(dice.randrange(1, 9))]
        return inputs, embeddings(inputs, dice.choice(MISHAPS), key, timing)
    ask = question(number, dice.random() < 0.6, dice.choice(MISHAPS), key, timing, turn)
    return number, ask


async def client(purser, number, tally):
    dice = random.Random(f"{SEED} {number}")
    for turn in range(CALLS_EACH):
        asked, ask = some_question(dice, turn // 4)  # new ones now and then: nobody knows them
        patience = dice.choice((60, dice.uniform(0, 0.15)))
        said = Said()
        try:
            await asyncio.wait_for(attempt(purser, ask, said, dice.choice((0, 0, 0, 0.02))),
                                   patience)
        except TimeoutError:
            assert patience < 60, "nobody waits for ever"
            said.code = "hung up"
        except Broken:
            said.code = "broken"
        except ValueError:  # a page of the upstream's
            said.code = "no answer of ours"
        said.check(asked, ask.key)
        tally[said.code] += 1
        tally[said.headers.get("x-purser-cache", "no word")] += 1


async def reload_now_and_then(purser, dice):
    while True:
        await asyncio.sleep(dice.uniform(0, 0.3))
        with_cache(purser, dice.choice(MODES))
        purser.process.signal(signal.SIGHUP)
        if dice.random() < 0.2:
            with contextlib.suppress(httpx.TransportError):
                await asyncio.to_thread(purser.client.delete, "/admin/cache", headers=AS_ADMIN)


def with_cache(purser, mode):
    purser.configure(cache={"namespace": "team", "max_mb": 4, "ttl": "1s", "mode": mode})


def storm(purser, kill_after=None):
    """All clients; killed when so many calls are over."""
    tally = collections.Counter()

    async def run():
        clients = [client(purser, number, tally) for number in range(CLIENTS)]
        reloads = asyncio.create_task(reload_now_and_then(purser, random.Random(SEED)))
        if kill_after is not None:
            clients.append(asyncio.to_thread(kill, purser, tally, kill_after))
        try:
            await asyncio.gather(*clients)
        finally:
            reloads.cancel()

    asyncio.run(run())
    print(f"STORM_SEED={SEED}: {dict(tally)}")
    return tally


def kill(purser, tally, after):
    wait_until(lambda: tally.total() / 2 > after, 120, "the storm to rage")
    purser.process.kill()


def is_cut(line):
    """Its stream was cut: it is booked by what came and the slack, and this fake makes more than
    that where it pays no heed to a cancellation (`cancel=ignore`) or has made all of it already."""
    return line.get("usage_source") == "counted"


def covers(settles, billed):
    """Each call on the bill is paid for by somebody: by who made it, or who took it over (that is
    not the first call of who did)."""
    made, taken = collections.Counter(), []
    for line in settles:
        paid = math.inf if is_cut(line) else line["cost_nano_usd"]
        if line.get("attempt", 1) > 1:
            taken.append(paid)
        else:
            made[line["request_id"]] += paid
    orphans = [cost for name, cost in billed.items() if cost > made[name]]
    taken = sorted(taken, reverse=True)
    assert len(orphans) <= len(taken), (orphans, taken)
    for owed, paid in zip(sorted(orphans, reverse=True), taken):
        assert owed <= paid, (orphans, taken)
    print(f"{len(taken)} calls were taken over, {len(orphans)} of them paid for")


def above_holds(purser, key):
    """What streams of a key were booked above what they held: they came faster than they could be
    stopped, and what came is a fact."""
    held, above = {}, 0
    for line in lines_of(purser, "reserve", "extend", "settle"):
        if line["kind"] != "settle":
            held[line["call"]] = line["hold_nano_usd"]
        elif line["key"] == key and is_cut(line):
            above += max(0, line["cost_nano_usd"] - held[line["call"]])
    return above


def check(purser, provider):
    assert purser.process.alive(), purser.log()[-3000:]
    bill = provider.settled_bill()
    no_hold_is_left(purser)
    wait_until(lambda: purser.client.get("/admin/cache", headers=AS_ADMIN).json()["flights"] == 0,
               30, "all flights to end")
    settles = lines_of(purser, "settle", "forfeit")
    covers(settles, billed_by_id(bill))
    total = booked_sum(purser)
    print(f"bill {bill['cost_nano_usd']} ≤ booked {total} ≤ limit {EVERYTHING}")
    assert bill["cost_nano_usd"] <= total == spent(purser, "all")["all"][0] <= EVERYTHING
    for key, (amount, _, limit) in spent(purser, "own").items():
        assert limit == LIMITS.get(key, EVERYTHING), key
        assert amount <= limit + above_holds(purser, key), key
    for key, (amount, _, limit) in spent(purser, "calls", "requests").items():
        assert amount <= limit == CALLS.get(key, CALLS["alice"]), key
        assert amount <= sum(line["key"] == key for line in settles)
    hits = [line for line in settles if line.get("cache") == "hit"]
    assert hits and all(line["cost_nano_usd"] == 0 for line in hits)
    saved = sum(line.get("saved_nano_usd", {}).get("cache", 0) for line in settles)
    wait_until(lambda: usd(purser.costs()["total"]["saved_usd"]["cache"]) == saved, 30,
               "/costs to say what was saved")


def every_question_has_its_answer(purser):
    """No flight was left behind that somebody could wait for."""
    async def run():
        for number in range(QUESTIONS):
            for stream in (True, False):
                said = Said()
                await asyncio.wait_for(attempt(purser, question(number, stream), said, 0), 30)
                assert (said.status, said.code) == (200, "ok"), (said.status, said.code)
                said.check(number, RICH[0])
    asyncio.run(run())


@pytest.mark.parametrize("cancel_saves", ["yes", "no"])
def test_every_answer_is_right_and_paid_for_by_somebody(provider, start, cancel_saves):
    purser = start(budgets=budgets(), keys=KEYS, cache={"namespace": "team", "max_mb": 4},
                   upstreams=[upstream_of(provider, cancel_saves=cancel_saves)],
                   admission={"wait_ms": 30, "min_output_tokens": 4})
    with unquiet(f"STORM_SEED={SEED}"):
        storm(purser)
        check(purser, provider)
        with_cache(purser, "exact")
        assert purser.reload().status_code == 200
        every_question_has_its_answer(purser)
        storm(purser, kill_after=CLIENTS * CALLS_EACH // 2)
        with_cache(purser, "exact")
        restart(purser)
        check(purser, provider)
        every_question_has_its_answer(purser)
        check(purser, provider)
