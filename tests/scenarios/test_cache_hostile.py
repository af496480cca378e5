"""The cache under people who mean harm, or upstreams that do: bombs of keys and of bytes, nonsense
in headers. Memory stays within cache.max_mb, everybody gets what is right, nothing is left behind.
"""

import concurrent.futures
import hashlib
import itertools
import json
import os
import socket

import httpx
import pytest

from harness import KEY, Purser, error_of, wait_until

SANITIZED = os.environ.get("BUILD") in ("asan", "tsan")
BUDGETS = [{"name": "daily", "scope": "global", "window": "day", "usd": 1000}]
MB = 1024 * 1024


def request(content, fake="", stream=False, headers=(), **body):
    """The bytes of a request that is for the cache; `headers` are raw lines."""
    body = json.dumps({"model": "gpt-4o-mini", "temperature": 0, "max_tokens": 100,
                       "stream": stream, "messages": [{"role": "user", "content": content}],
                       **body}).encode()
    lines = b"".join(line + b"\r\n" for line in headers)
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            f"x-fake: {fake}\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n").encode() + lines + b"\r\n" + body


class Read:
    """One answer read to the end of its connection: its size and digest, not its bytes."""

    def __init__(self, purser, data):
        self.size, self.digest = 0, hashlib.sha256()
        with socket.create_connection(("127.0.0.1", purser.port), 60) as connection:
            connection.sendall(data)
            self.head = b""
            while b"\r\n\r\n" not in self.head:
                piece = connection.recv(4096)
                assert piece, self.head
                self.head += piece
            self.head, _, rest = self.head.partition(b"\r\n\r\n")
            self.end = b""
            self.take(rest)
            while piece := connection.recv(1 << 20):
                self.take(piece)

    def take(self, piece):
        self.size += len(piece)
        self.digest.update(piece)
        self.end = (self.end + piece)[-100:]

    @property
    def status(self):
        return int(self.head.split()[1])

    @property
    def word(self):
        lines = dict(line.lower().split(": ", 1) for line in self.head.decode().split("\r\n")[1:])
        return lines.get("x-purser-cache")

    @property
    def whole(self):
        """Its end was seen: no proxy in between may cut an answer so that nobody notices."""
        if b"chunked" in self.head.lower():
            return self.end.endswith(b"0\r\n\r\n")
        return self.size == int(self.head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])


def at_once(purser, datas):
    with concurrent.futures.ThreadPoolExecutor(len(datas)) as pool:
        return list(pool.map(lambda data: Read(purser, data), datas))


def alive_and_settled(purser):
    assert purser.chat("are you there").status_code == 200
    purser.idle()
    wait_until(lambda: all(row["reserved"] == 0 for row in purser.budgets().values()), 30,
               "all holds to be released")


# ---- bombs of keys ----

def test_thousands_of_questions_stay_within_the_memory_of_the_cache(provider, start):
    """Each answer takes 10 KB; together they are five times what may be kept."""
    purser = start(budgets=BUDGETS, cache={"max_mb": 4}, log={"access": False})
    numbers = itertools.count()

    def ask_many(_):
        with httpx.Client(timeout=60) as client:
            for number in itertools.takewhile(lambda number: number < 2000, numbers):
                answer = client.post(purser.url + "/chat/completions", json={
                    "model": "gpt-4o-mini", "temperature": 0, "stream": number % 2 == 0,
                    "messages": [{"role": "user", "content": f"question {number}"}]},
                    headers={"Authorization": f"Bearer {KEY}",
                             "x-fake": f"output={2000 if number % 2 else 40}"})
                assert answer.headers["x-purser-cache"] == "miss"

    assert purser.chat().status_code == 200
    before = purser.resident_kb()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(ask_many, range(4)))
    if not SANITIZED:
        assert purser.resident_kb() - before < (4 + 12) * 1024
    alive_and_settled(purser)


def test_hundred_thousands_of_inputs_stay_within_the_memory_of_the_cache(provider, start):
    """One request of 2,048 inputs makes as many entries."""
    batches = 20 if SANITIZED else 100
    purser = start(budgets=BUDGETS, cache={"max_mb": 4}, limits={"body_mb": 4})

    def embed(batch):
        answer = purser.client.post("/v1/embeddings", json={
            "model": "text-embedding-3-small",
            "input": [f"{batch} {number}" for number in range(2048)]})
        assert answer.status_code == 200, answer.text
        return answer.headers["x-purser-cache"]

    assert embed("first") == "miss"
    before = purser.resident_kb()
    assert {embed(batch) for batch in range(batches)} == {"miss"}
    assert embed(batches - 1) == "hit"
    assert embed("first") == "miss"
    if not SANITIZED:
        assert purser.resident_kb() - before < (4 + 12) * 1024
    alive_and_settled(purser)


# ---- bombs of bytes ----

@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fake", ["big_mb=30,delay_ms=100", "big_mb=30,gzip=1,delay_ms=100"])
def test_answers_of_30_mb_are_not_kept_and_those_who_follow_notice_a_cut(
        provider, start, stream, fake):
    """They are too large to be shared to their end by readers of any speed: who follows gets all
    of it, or sees that it did not."""
    purser = start(budgets=BUDGETS)
    assert purser.chat().status_code == 200
    before = purser.resident_kb()
    alone = Read(purser, request("alone", fake, stream))
    assert alone.status == 200 and alone.whole and alone.size > 30 * MB
    reads = at_once(purser, [request("together", fake, stream)] * 4)
    assert any(read.word == "miss" for read in reads)
    for read in reads:
        assert read.status == 200 or read.status == 502, read.head
        assert read.whole or read.word == "hit"
        if read.whole and read.status == 200:
            assert read.size > 30 * MB
    if not SANITIZED:
        assert purser.resident_kb() - before < 64 * 1024
    again = Read(purser, request("together", fake, stream))
    assert again.word == "miss" and again.whole and again.size > 30 * MB
    alive_and_settled(purser)
    assert purser.costs()["total"]["cost_nano_usd"] == provider.settled_bill()["cost_nano_usd"]


def test_a_cache_that_is_large_enough_keeps_answers_of_30_mb(provider, start):
    purser = start(budgets=BUDGETS, cache={"max_mb": 1024})
    for stream in (False, True):
        reads = [Read(purser, request(f"keep {stream}", "big_mb=30", stream)) for _ in range(2)]
        assert [read.word for read in reads] == ["miss", "hit"]
        assert reads[0].whole and reads[1].whole and reads[0].size > 30 * MB
        other = Read(purser, request(f"keep {stream}", "big_mb=30", not stream))
        assert other.status == 200 and other.whole and other.size > 30 * MB
    if not SANITIZED:
        assert purser.resident_kb() < 300 * 1024
    alive_and_settled(purser)


def test_a_slow_reader_of_something_large_holds_up_nobody_who_follows(provider, start):
    purser = start(budgets=BUDGETS)
    data = request("slowly", "big_mb=6,delay_ms=300", True)
    with socket.create_connection(("127.0.0.1", purser.port), 60) as slow:
        slow.sendall(data)
        wait_until(lambda: provider.bill(False)["open"] == 1, what="the call")
        for read in at_once(purser, [data] * 4):
            assert (read.status, read.word, read.whole) == (200, "hit", True)
            assert read.size > 6 * MB
        received = b""
        while piece := slow.recv(1 << 20):
            received += piece
    assert received.endswith(b"0\r\n\r\n") and len(received) > 6 * MB
    assert provider.settled_bill()["requests"] == 1
    alive_and_settled(purser)


# ---- nonsense in headers ----

NONSENSE = [b"", b",", b",,, ,;;", b"no-cach", b'"no-cache"', b"no-cache=1", b"max-age=", b"=", b"=,=",
            b'a="', b'a="b,no-cache', b"no-cache\tno-store", b"\xff\xfe", "nö-cäche".encode(),
            "\u2028,\ufeff".encode(), b"%s%s%n", b"a" * 8000, b"x," * 4000, b"no-cache " * 900]


@pytest.mark.parametrize("value", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_about_caching_does_no_harm(nonsensed, value):
    purser = nonsensed
    read = Read(purser, request("nonsense", headers=[b"Cache-Control: " + value]))
    assert read.status == 200 and read.word in ("hit", "miss")
    read = Read(purser, request("nonsense", headers=[b"x-purser-cache: " + value]))
    assert read.status == (200 if not value.strip(b", ") else 400), read.head
    if read.status == 400:
        assert b"x-purser-error: invalid_header" in read.head.lower()
    assert Read(purser, request("nonsense")).word == "hit"


@pytest.fixture(scope="module")
def nonsensed(shared_provider):
    with Purser(shared_provider, budgets=BUDGETS) as purser:
        assert Read(purser, request("nonsense")).word == "miss"
        yield purser
        alive_and_settled(purser)


@pytest.mark.parametrize("name", [b"Cache-Control", b"x-purser-cache"])
def test_wishes_in_several_lines_count_all(provider, start, name):
    """RFC 9110: lines of one name are one list."""
    purser = start(budgets=BUDGETS)

    def word(*values):
        return Read(purser, request("lines", headers=[name + b": " + value for value in values])).word

    assert word(b"", b"no-store") == "miss"
    assert word(b",", b"no-cache,no-store", b"") == "miss"
    assert word() == "miss"
    assert word(b"", b"no-cache") == "miss"
    assert word(b"", b"") == "hit"
    assert word(b"no-store", b"no-store", b"NO-STORE") == "hit"
    assert word(b"no-store", b"only-if-cached") == "hit"


def test_a_wish_for_a_known_answer_alone_makes_no_call(provider, start):
    purser = start(budgets=BUDGETS)
    answer = purser.chat(temperature=0, headers={"x-purser-cache": "only-if-cached, no-cache"})
    error_of(answer, 504, "cache_miss")
    error_of(purser.chat(headers={"Cache-Control": "only-if-cached"}), 504, "cache_miss")
    assert provider.bill(False)["requests"] == 0
