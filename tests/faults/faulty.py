"""purser as a process in which the n-th call of some kind fails (nth_call.c), a small workload for
it, and what must hold whatever fails."""

import contextlib
import dataclasses
import errno
import json
import mmap
import pathlib
import shutil
import sqlite3
import struct
import tempfile
import threading

import httpx

from crowd import billed_by_id
from fleet import budget
from harness import KEY, NANO, Purser, upstream_of, usd, wait_until
from preloading import library_of, preload

BOB = "sk-test-bob-0123456789abcdef"
ALL = ("all", "all", "usd")
LIMIT = NANO // 100
KEYS = [{"id": "alice", "key": KEY, "team": "research"}, {"id": "bob", "key": BOB, "team": "sales"}]


def budgets(more=0):
    return [{"name": "all", "scope": "global", "window": "total", "usd": f"{(LIMIT + more) / NANO:.9f}"},
            {"name": "keys", "scope": "key", "window": "day", "usd": 1, "tokens": 1000000,
             "overrides": {"bob": {"usd": "0.0004"}}}]


# One for all: to make one takes longer than many calls. Connections are not kept, for pursers die.
CLIENT = httpx.Client(timeout=30, limits=httpx.Limits(max_keepalive_connections=0))

_shim = None


def shim():
    global _shim
    if _shim is None:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="purser-faults-"))
        source = pathlib.Path(__file__).with_name("nth_call.c")
        _shim = library_of(source, folder / "nth_call.so")
    return _shim


class Control:
    """The shim's block: which call fails, and what happened."""

    FIELDS = ("at", "lasts", "count", "failed", "resynced")

    def __init__(self, path, call, place, error):
        self.path = path
        path.write_bytes(bytes(8 * len(self.FIELDS)))
        with open(path, "r+b") as file:
            self.block = mmap.mmap(file.fileno(), 8 * len(self.FIELDS))
        self.env = preload(shim(), FAULT_CONTROL=str(path), FAULT_CALL=call, FAULT_PLACE=place,
                           FAULT_ERROR=str(error))

    def __getattr__(self, name):
        return struct.unpack_from("q", self.block, 8 * self.FIELDS.index(name))[0]

    def set(self, **values):
        for name, value in values.items():
            struct.pack_into("q", self.block, 8 * self.FIELDS.index(name), value)

    def heal(self):
        self.set(at=0)


class Answers:
    """What clients were told: never half of an answer, never a refusal without its reason."""

    def __init__(self, purser):
        self.purser = purser
        self.whole = []     # request ids of answers that came to their end
        self.refusals = []  # codes
        self.broken = 0     # connections that the process did not answer on, or not to the end

    def take_head(self, answer):
        name = answer.headers.get("x-purser-request-id", "")
        if answer.status_code == 200:
            return name
        error = json.loads(answer.read())["error"]
        assert answer.status_code >= 400 and error["message"], answer.text
        assert error["type"] if "anthropic" in answer.request.url.path else "code" in error
        self.refusals.append(answer.headers.get("x-purser-error", str(answer.status_code)))
        return None

    def take_stream(self, answer):
        events = [line[6:] for line in answer.iter_lines() if line.startswith("data: ")]
        last = events[-1] if events else ""
        if last == "[DONE]":
            return True
        last = json.loads(last)
        assert last.get("type") in ("message_stop", "error", "response.completed",
                                    "response.incomplete", "response.failed") or "error" in last, last
        return "error" not in last

    @contextlib.contextmanager
    def asked(self):
        try:
            yield
        except httpx.TransportError:
            self.broken += 1

    def ask(self, path, body, fake, key=KEY):
        headers = {"Authorization": f"Bearer {key}", "x-fake": fake, "x-api-key": key,
                   "anthropic-version": "2023-06-01"}
        url = self.purser.base + path
        with self.asked(), CLIENT.stream("POST", url, headers=headers, json=body) as answer:
            name = self.take_head(answer)
            if name is None:
                return
            if body.get("stream"):
                whole = self.take_stream(answer)
            else:
                whole = bool(json.loads(answer.read()))
            if whole:
                self.whole.append(name)

    def chat(self, output=100, stream=False, more="", key=KEY, **body):
        self.ask("/v1/chat/completions", {"model": "gpt-4o-mini", "stream": stream,
                                          "messages": [{"role": "user", "content": "hello"}], **body},
                 f"prompt=5,output={output}{more}", key)

    def message(self, stream=False):
        self.ask("/v1/messages", {"model": "claude-sonnet-4-5", "stream": stream, "max_tokens": 20,
                                  "messages": [{"role": "user", "content": "hello"}]}, "output=10")

    def response(self):
        self.ask("/v1/responses", {"model": "gpt-4o-mini", "input": "hello",
                                   "max_output_tokens": 50}, "output=16")

    def rivals(self):
        """Two streams that want more than is left: at least one is ended early."""
        threads = [threading.Thread(target=self.chat, kwargs={
            "stream": True, "output": 600, "more": ",gap_ms=1", "key": BOB, "max_tokens": 600})
            for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def short_work(answers):
    answers.chat(max_tokens=500)
    answers.message(stream=True)
    answers.response()


def workload(answers):
    short_work(answers)
    answers.chat(stream=True, output=30)
    answers.rivals()
    purser = answers.purser
    purser.configure(budgets=budgets(1))
    with contextlib.suppress(httpx.TransportError):
        purser.reload()
    answers.message()
    answers.chat(max_tokens=20)


class Run:
    """Lives of purser in one folder, those with the fault and those without."""

    def __init__(self, provider, sweep, redis=None):
        self.provider = provider
        self.redis = redis
        self.sweep = sweep
        provider.reset()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="purser-fault-"))
        (self.folder / "home").mkdir()
        place = f"port:{redis.port}" if sweep.place == "redis" else sweep.place
        self.control = Control(self.folder / "control", sweep.call, place, sweep.error)
        self.control.set(lasts=sweep.lasts)
        messages = {**upstream_of(provider), "name": "messages", "dialect": "anthropic",
                    "provider": "anthropic"}
        options = {"store": {"redis": redis.url}} if redis else {}
        self.purser = Purser(provider, folder=self.folder / "home", start=False,
                             env=self.control.env, budgets=budgets(), keys=KEYS,
                             cache={"mode": "off"}, upstreams=[upstream_of(provider), messages],
                             admission={"slice_tokens": 100, "wait_ms": 1000}, **options)
        self.answers = Answers(self.purser)
        if redis:
            redis.do("FLUSHALL")
            budget(self.purser, "init")

    def refused_to_start(self):
        """It listens before it has opened its books, and says why it ends."""
        process, log = self.purser.process, self.log()
        return process.child.poll() == 1 and self.control.failed and \
            (" error " in log or ": error: " in log) and "listens on" not in log

    def start(self):
        """False: it did not, for the fault."""
        with contextlib.suppress(AssertionError):
            self.purser.start()
        wait_until(lambda: "listens on" in self.log() or not self.purser.process.alive(),
                   what="purser to serve")
        return self.purser.process.alive()

    def stop(self, kill):
        process = self.purser.process
        if process.alive() and kill:
            process.kill()
        elif process.alive():
            process.end()

    def log(self):
        """Of this life."""
        return self.purser.log()[self.begun:]

    begun = 0

    def work(self, at):
        """A life with the fault in it."""
        if self.sweep.again:
            self.purser.start()
            short_work(self.answers)
            self.purser.process.kill()
            self.begun = len(self.purser.log())
            if self.sweep.again == "another boot":
                self.lose_power()
        if not self.sweep.late:
            self.control.set(at=at, count=0)
        if self.start():
            self.control.set(at=at, **({"count": 0} if self.sweep.late else {}))
            (short_work if self.sweep.again else workload)(self.answers)

    def lose_power(self):
        """What was synced is there, and the last lines were not."""
        with sqlite3.connect(self.folder / "home/data/ceilings.db") as database:
            database.execute("UPDATE journal SET boot = 'of another day'")
        database.close()

    def check_process(self):
        """It is there, or it said why it is not. Whatever began has an end."""
        log, process = self.log(), self.purser.process
        said = self.refused_to_start() or "assertion failed" in log
        if self.sweep.dies:
            assert process.alive() or said or "hiredis" in self.sweep.place, log[-3000:]
            return
        assert "assertion" not in log, log[-3000:]
        assert said or process.alive(), log[-3000:]
        assert said or self.answers.broken == 0, log[-3000:]

    def goes_on(self):
        """Once the fault is over."""
        self.control.set(at=0)

        def served():
            before = len(self.answers.whole)
            self.answers.chat(max_tokens=20)
            dead = self.sweep.dies and not self.purser.process.alive()
            return len(self.answers.whole) > before or dead
        wait_until(served, 20, f"it to serve again: {self.answers.refusals[-3:]}")

    def restart(self):
        self.control.set(at=0)
        self.purser.start()
        wait_until(lambda: self.purser.client.get("/readyz").status_code == 200, 20,
                   "purser to be ready")

    def check_books(self):
        """bill ≤ booked ≤ limit; settled ids agree; who was answered has paid."""
        purser = self.purser
        purser.idle()
        bill = self.provider.settled_bill()
        billed, booked = billed_by_id(bill), purser.settled()
        for name, cost in billed.items():
            assert cost <= booked.get(name, 0), f"{name}: billed {cost}, booked {booked.get(name)}"
        for name in filter(None, self.answers.whole):  # no memory for a header: none with the id
            assert name in booked, f"{name} was answered and is not in the books"
            assert self.is_bounded(name) or booked[name] == billed[name], \
                (name, booked[name], billed[name])
        row = purser.budgets()[ALL]
        spent = usd(row["spent"])
        assert bill["cost_nano_usd"] <= spent <= LIMIT + 1 and usd(row["reserved"]) == 0
        wait_until(lambda: purser.costs()["total"]["cost_nano_usd"] >= spent, 10,
                   f"/costs to have {spent}: {purser.costs()['total']}")
        assert purser.costs()["total"]["cost_nano_usd"] == sum(booked.values())
        if self.redis:
            granted = max(self.redis.granted().values(), default=0) * 1000
            assert spent <= granted <= LIMIT + 1, (spent, granted)

    def is_bounded(self, name):
        """Its usage is not known from the provider: it was ended early, or by a death."""
        return any(line["kind"] == "forfeit" or line.get("usage_source") in ("counted", "bound")
                   for line in self.purser.ledger()
                   if line["request_id"] == name and line["kind"] in ("settle", "forfeit"))

    def close(self):
        process = self.purser.process
        if process is not None and process.alive():
            process.kill()
        self.purser.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and self.purser.process is not None:
            print(self.purser.log()[-6000:])
        self.close()


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One kind of call, which fails at its first time, or at its second, ..."""

    call: str
    place: str
    error: int         # 0: half of the bytes
    calls: int         # so many there are, about
    lasts: int = 0     # so many calls after it fail as well
    again: str = ""    # in a life that begins after one that died: in this boot, or in another
    dies: bool = False  # the process may end, with an assertion (hiredis falls over its own feet)
    late: bool = False  # counted only once it serves

    def name(self):
        error = errno.errorcode.get(self.error, "short")
        return "-".join([self.call, self.place.strip("/").replace("/", "."), error,
                         *(["lasting"] if self.lasts else []),
                         *([self.again.replace(" ", "-")] if self.again else [])])


def is_reached(provider, sweep, at, redis=None):
    """Lets the call fail and checks all that must hold. False: there were fewer such calls."""
    with Run(provider, sweep, redis) as run:
        run.work(at)
        failed = run.control.failed
        run.check_process()
        if run.purser.process.alive():
            run.goes_on()
        run.stop(kill=at % 2 == 1)
        run.restart()
        run.check_books()
        assert run.control.resynced == 0, "a sync that failed was tried again"
        run.goes_on()
        return failed > 0
