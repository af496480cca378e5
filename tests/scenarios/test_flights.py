"""Flights in bad weather: leaders and followers that leave, are slow or fail. Everybody gets a
clear end, and what the provider billed is booked once."""

import concurrent.futures
import contextlib
import json
import random
import socket
import threading
import time

import pytest

from harness import KEY, Upstream, plain_answer, upstream_of, usd, wait_until, \
    when_told

BUDGETS = [{"name": "daily", "scope": "global", "window": "day", "usd": 100, "requests": 100000},
           {"name": "own", "scope": "key", "window": "day", "usd": 10}]
KEYS = [{"id": name, "key": f"sk-test-{name}-0123456789abcdef", "team": "research"}
        for name in ("ann", "bob", "cat")]


class Asker:
    """A client with a connection of its own, read when the test wants to."""

    def __init__(self, purser, fake="", key=KEY, endpoint="chat/completions", headers=None, **body):
        if endpoint == "chat/completions":
            body = {"messages": [{"role": "user", "content": "hello"}], "temperature": 0,
                    "model": "gpt-4o-mini", **body}
        body = json.dumps(body).encode()
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.socket = socket.create_connection(("127.0.0.1", purser.port), 60)
        self.socket.sendall(
            f"POST /v1/{endpoint} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"x-fake: {fake or 'prompt=5'}\r\n{more}Connection: close\r\n\r\n".encode() + body)
        self.got = b""

    def read_some(self):
        """What came until now, once something has come."""
        self.got += self.socket.recv(65536)
        return self.got

    def read_until(self, mark):
        while mark not in self.got:
            piece = self.socket.recv(65536)
            assert piece, self.got[-2000:]
            self.got += piece
        return self.got

    def read(self):
        """All that comes until the other side closes."""
        with contextlib.suppress(ConnectionError):
            while piece := self.socket.recv(1 << 20):
                self.got += piece
        self.socket.close()
        return self.got

    @property
    def status(self):
        return int(self.got.split(b" ", 2)[1])

    def whole(self):
        """True if the answer ended as HTTP wants it to."""
        head, _, body = self.got.partition(b"\r\n\r\n")
        if b"chunked" in head.lower():
            return body.endswith(b"0\r\n\r\n")
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return len(body) == int(value)
        return False

    def body(self):
        """The body without its chunks."""
        head, _, rest = self.got.partition(b"\r\n\r\n")
        if b"chunked" not in head.lower():
            return rest
        body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body += rest[:int(size, 16)]
            rest = rest[int(size, 16) + 2:]
        return body

    def leave(self):
        self.socket.close()


def read_all(askers):
    with concurrent.futures.ThreadPoolExecutor(len(askers)) as pool:
        return list(pool.map(Asker.read, askers))


def check_books(purser, provider):
    """No hold is open, and the books are the provider's bill."""
    bill = provider.settled_bill()
    purser.idle()
    assert sum(purser.settled().values()) == bill["cost_nano_usd"]
    check_calls(purser)
    for row in purser.budgets().values():
        assert row["reserved"] == 0, row
    assert purser.costs()["total"]["cost_nano_usd"] == bill["cost_nano_usd"]
    return bill


def check_calls(purser):
    """Each call is announced once and ends once."""
    lines = purser.ledger()
    reserved = [line["call"] for line in lines if line["kind"] == "reserve"]
    ended = [line["call"] for line in lines
             if line["kind"] in ("settle", "forfeit") and line.get("call")]
    assert len(set(reserved)) == len(reserved)
    assert sorted(ended) == sorted(reserved)


# ---- answers that are too large to be kept ----

@pytest.mark.parametrize("megabytes", [2, 10])
@pytest.mark.parametrize("stream", [False, True])
def test_who_follows_gets_a_large_answer_or_a_clear_end(provider, start, megabytes, stream):
    purser = start(budgets=BUDGETS)
    askers = [Asker(purser, f"prompt=5,output=9,delay_ms=300,big_mb={megabytes}", stream=stream)
              for _ in range(6)]
    answers = read_all(askers)
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
    whole = [asker for asker in askers if asker.whole()]
    assert len(whole) == 6 or (stream and megabytes == 10)  # a stream that has begun breaks then
    calls = provider.settled_bill()["requests"]
    assert len({asker.body() for asker in whole}) <= calls <= (1 if megabytes == 2 else 6)
    check_books(purser, provider)


# ---- who is slow ----

def test_a_quick_follower_does_not_wait_for_a_slow_leader(provider, start):
    purser = start(budgets=BUDGETS, cache={"max_mb": 256})
    fake = "prompt=5,output=20000"
    leader = Asker(purser, fake, stream=True, max_tokens=20000)
    time.sleep(1)  # it reads nothing, and the upstream is held
    follower = Asker(purser, fake, stream=True, max_tokens=20000)
    follower.socket.settimeout(20)
    follower.read()
    assert b"x-purser-cache: hit" in follower.got
    assert follower.body().endswith(b"data: [DONE]\n\n")
    leader.read()
    assert leader.body() == follower.body()
    assert check_books(purser, provider)["requests"] == 1


def test_a_slow_follower_holds_nobody_up(provider, start):
    purser = start(budgets=BUDGETS)
    fake = "prompt=5,output=20000,delay_ms=300"
    askers = [Asker(purser, fake, stream=True, max_tokens=20000) for _ in range(4)]
    read_all(askers[:1] + askers[2:])
    assert all(asker.whole() for asker in askers[:1] + askers[2:])
    askers[1].read()
    assert askers[1].body() == askers[0].body()
    assert check_books(purser, provider)["requests"] == 1


# ---- who pays ----

def team(start, **options):
    return start(*([None] if "upstreams" in options else []), budgets=BUDGETS, keys=KEYS, cache={"namespace": "team"}, **options)


def spent(purser, name, unit="usd", budget="own"):
    row = purser.budgets().get((budget, name, unit), {"spent": 0})
    return usd(row["spent"]) if unit == "usd" else row["spent"]


def joined(purser):
    """What came before this question was taken before it, by the one worker that there is."""
    assert purser.client.get("/healthz").status_code == 200


def pays(purser, name):
    wait_until(lambda: [line for line in purser.ledger()
                        if line["kind"] == "reserve" and line["key"] == name], 30, f"{name} to pay")


def test_two_changes_of_the_payer_book_once(provider, start):
    purser = team(start)
    fake = "prompt=5,output=80,gap_ms=20"
    askers = []
    for key in KEYS:
        askers.append(Asker(purser, fake, key=key["key"], stream=True))
        askers[-1].read_until(b"data: ")
    for i in (0, 1):
        askers[i].leave()
        pays(purser, KEYS[i + 1]["id"])
    askers[2].read()
    assert askers[2].body().endswith(b"data: [DONE]\n\n")
    bill = check_books(purser, provider)
    assert bill["requests"] == 1 and bill["completion_tokens"] == 80
    assert [spent(purser, key["id"]) for key in KEYS] == [0, 0, bill["cost_nano_usd"]]
    assert purser.budgets()[("daily", "all", "requests")]["spent"] == 3
    total = purser.costs()["total"]
    assert total["requests"] == 3 and total["completion_tokens"] == 80
    assert usd(total["saved_usd"]["cache"]) == 0


def test_who_takes_over_needs_no_second_request(provider, start):
    one_each = [BUDGETS[0], {"name": "own", "scope": "key", "window": "day", "requests": 1}]
    purser = start(budgets=one_each, keys=KEYS, cache={"namespace": "team"},
                   admission={"wait_ms": 50})
    fake = "prompt=5,output=40,delay_ms=500,gap_ms=10"
    askers = []
    for key in KEYS[:2]:
        askers.append(Asker(purser, fake, key=key["key"], stream=True))
        wait_until(lambda: purser.budgets().get(("own", key["id"], "requests"), {}).get("reserved"))
    askers[0].leave()
    askers[1].read()
    assert askers[1].status == 200, askers[1].got
    bill = check_books(purser, provider)
    assert bill["requests"] == 1
    assert [line["key"] for line in purser.ledger() if line["kind"] == "reserve"] == ["ann", "bob"]
    assert [spent(purser, key["id"], "requests") for key in KEYS[:2]] == [1, 1]


def test_who_took_over_a_call_that_fails_makes_its_own(provider, start):
    over = threading.Event()
    with Upstream(when_told(over, plain_answer("{}", "401 Unauthorized"))) as upstream:
        purser = team(start, upstreams=[upstream_of(upstream)], workers=1)
        askers = []
        for key in KEYS:
            askers.append(Asker(purser, key=key["key"], stream=True))
            wait_until(lambda: upstream.asked, what="the call")
            joined(purser)
        askers[0].leave()
        pays(purser, "bob")
        over.set()
        for asker in askers[1:]:
            asker.read()
            assert asker.status == 502
        assert len(upstream.asked) == 2
    purser.idle()
    check_calls(purser)
    assert purser.costs()["total"]["cost_nano_usd"] == 0
    assert {line["call"].partition(".")[2] for line in purser.ledger()
            if line["kind"] == "reserve"} == {
        "1", "2"}


def test_who_does_not_want_to_be_kept_leads_nobody(start):
    over = threading.Event()
    answers = [plain_answer("{}", "401 Unauthorized", more="Connection: close\r\n")] + 5 * [
        plain_answer(json.dumps({"choices": [{
            "index": 0, "message": {"role": "assistant", "content": "yes"},
            "finish_reason": "stop"}]}), more="Connection: close\r\n")]

    def answer(connection, head, body):
        when_told(over, answers.pop(0))(connection, head, body)

    with Upstream(answer) as upstream:
        purser = team(start, upstreams=[upstream_of(upstream)], workers=1)
        askers = []
        for key, wish in zip(KEYS, ("", "no-store")):
            askers.append(Asker(purser, key=key["key"], headers={"x-purser-cache": wish}))
            wait_until(lambda: upstream.asked, what="the call")
            joined(purser)
        askers[0].leave()
        pays(purser, "bob")
        over.set()
        askers[1].read()
        assert askers[1].status == 200 and b"x-purser-cache: miss" in askers[1].got
        third = Asker(purser, key=KEYS[2]["key"])
        third.read()
        assert third.status == 200 and b"x-purser-cache: miss" in third.got


def test_nobody_pays_for_more_when_the_payer_leaves_last(provider, start):
    purser = team(start)
    fake = "prompt=5,output=200,gap_ms=20"
    askers = []
    for key in KEYS[:2]:
        askers.append(Asker(purser, fake, key=key["key"], stream=True))
        askers[-1].read_until(b"data: ")
    askers[0].leave()
    pays(purser, "bob")
    askers[1].leave()
    bill = provider.settled_bill()
    assert bill["calls"][0]["state"] == "client_gone" and bill["completion_tokens"] < 200
    purser.idle()
    check_calls(purser)
    assert spent(purser, "ann") == 0
    assert spent(purser, "bob") >= bill["cost_nano_usd"]
    assert purser.budgets()[("daily", "all", "requests")]["spent"] == 2


# ---- calls that fail ----

@pytest.mark.parametrize("fake,status,stream", [
    ("status=401", 502, False), ("status=401", 502, True), ("html=1", 502, False),
    ("html=1", 502, True), ("no_answer=1", 502, False), ("no_answer=1", 502, True),
    ("status=429,retry_after=7", 429, False), ("status=500", 500, True),
    ("die_after=10", 502, False), ("die_after=3", 200, True), ("half_chunk=1", 200, True),
    ("big_mb=6,die_after=4000000", 200, False), ("status=302", 502, False)])
def test_all_who_follow_a_call_that_fails_get_a_clear_end(provider, start, fake, status, stream):
    purser = start(budgets=BUDGETS)
    askers = [Asker(purser, f"prompt=5,output=9,delay_ms=500,{fake}", stream=stream)
              for _ in range(50)]
    read_all(askers)
    assert {asker.status for asker in askers} <= {status, 502}  # 502: it was over before a head
    assert provider.settled_bill()["requests"] == 1
    assert not any(b"[DONE]" in asker.got for asker in askers)
    assert all(asker.whole() == (asker.status != 200) for asker in askers)
    if "retry_after" in fake:
        assert all(b"retry-after: 7" in asker.got.lower() for asker in askers)
    purser.idle()
    check_calls(purser)
    assert sum(purser.settled().values()) >= provider.bill()["cost_nano_usd"]
    assert purser.budgets()[("daily", "all", "requests")]["reserved"] == 0
    again = Asker(purser, f"prompt=5,output=9,{fake}", stream=stream)
    again.read()
    assert provider.settled_bill()["requests"] == 2


def test_a_slow_upstream_ends_all_who_wait(provider, start):
    purser = start(config=None, budgets=BUDGETS, limits={"request_seconds": 2})
    askers = [Asker(purser, "delay_ms=8000", stream=i % 2 == 0) for i in range(20)]
    read_all(askers)
    assert {asker.status for asker in askers} <= {502, 504}
    assert sum(asker.status == 504 for asker in askers) == 2
    purser.idle()
    check_calls(purser)


# ---- who hangs up ----

def test_followers_that_hang_up_disturb_nobody(provider, start):
    purser = start(budgets=BUDGETS)
    fake = "prompt=5,output=50,delay_ms=1000,gap_ms=10"
    askers = [Asker(purser, fake, stream=i % 2 == 0) for i in range(300)]
    time.sleep(0.3)
    for asker in askers[2:]:
        asker.leave()
    read_all(askers[:2])
    assert all(asker.whole() for asker in askers[:2])
    bill = check_books(purser, provider)
    assert bill["requests"] == 2 and bill["completion_tokens"] == 100


def test_when_all_hang_up_the_call_ends(provider, start):
    purser = start(budgets=BUDGETS)
    fake = "prompt=5,output=400,gap_ms=20"
    for delay in (0, 0.01, 0.2, 0.5):
        askers = [Asker(purser, fake, stream=True) for i in range(60)]
        time.sleep(delay)
        for asker in askers:
            asker.leave()
        assert all(call["completion_tokens"] < 400 for call in provider.settled_bill()["calls"])
        purser.idle()
    check_calls(purser)
    assert sum(purser.settled().values()) >= provider.bill()["cost_nano_usd"]
    assert purser.budgets()[("daily", "all", "requests")]["reserved"] == 0


# ---- budgets of requests ----

def test_followers_count_as_requests(provider, start):
    purser = start(budgets=[{"name": "few", "scope": "global", "window": "day", "requests": 5}])
    askers = [Asker(purser, "prompt=5,output=9,delay_ms=300") for _ in range(9)]
    read_all(askers)
    assert sorted(asker.status for asker in askers) == [200] * 5 + [429] * 4
    purser.idle()
    row = purser.budgets()[("few", "all", "requests")]
    assert row["spent"] == 5 and row["reserved"] == 0
    assert purser.costs()["total"]["requests"] == 5


# ---- stopping and dying ----

@pytest.mark.parametrize("signals", [1, 2])
def test_a_stop_ends_leaders_and_followers_and_books_them(provider, start, signals):
    purser = start(budgets=BUDGETS, limits={"drain_seconds": 30 if signals == 2 else 1})
    askers = [Asker(purser, f"prompt=5,output=900,gap_ms=20,cached={i % 3}", stream=i % 2 == 0)
              for i in range(30)]
    askers += [Asker(purser, f"delay_ms=9000,cached={i % 3}") for i in range(30)]
    time.sleep(0.5)
    for asker in askers[:3]:
        asker.leave()
    purser.process.signal(15)
    if signals == 2:
        time.sleep(0.2)
        purser.process.signal(15)
    read_all(askers[3:])
    assert purser.process.child.wait(20) == 0, purser.log()[-3000:]
    check_calls(purser)
    assert sum(purser.settled().values()) >= provider.settled_bill()["cost_nano_usd"]


def test_a_kill_forgets_no_payer(provider, start):
    purser = team(start)
    fake = "prompt=5,output=200,gap_ms=20"
    askers = []
    for key in KEYS:
        askers.append(Asker(purser, fake, key=key["key"], stream=True))
        askers[-1].read_until(b"data: ")
    askers[0].leave()
    pays(purser, "bob")
    purser.process.kill()
    bill = provider.settled_bill()
    purser.start()
    purser.idle()
    check_calls(purser)
    assert sum(purser.settled().values()) >= bill["cost_nano_usd"]
    assert spent(purser, "ann") == 0 and spent(purser, "bob") >= bill["cost_nano_usd"]


# ---- all at once ----

@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_comes_and_goes_what_was_billed_is_booked(provider, start, seed):
    """Calls whose client left are drained here: so the books are the bill, to the nano-dollar."""
    dice = random.Random(seed)
    budgets = [BUDGETS[0], {**BUDGETS[1], "overrides": {"cat": "0.0000001"}}]
    purser = start(budgets=budgets, keys=KEYS, cache={"namespace": "team"},
                   upstreams=[upstream_of(provider, cancel_saves="no")])
    wishes = ["", "", "", "no-cache", "no-store", "only-if-cached"]

    def come_and_go(plan):
        fake, key, stream, wish, patience, pause = plan
        time.sleep(pause)
        asker = Asker(purser, fake, key=key, stream=stream,
                      headers={"x-purser-cache": wish} if wish else None)
        if patience is None:
            asker.read()
            return asker
        time.sleep(patience)
        asker.leave()
        return None

    plans = [(f"prompt=5,output={dice.choice((3, 30))},delay_ms={dice.choice((0, 80))},gap_ms=3,"
              f"cached={dice.randrange(3)}{dice.choice(('', '', '', ',status=401'))}",
              dice.choice(KEYS)["key"], dice.random() < 0.7, dice.choice(wishes),
              dice.choice((None, dice.random() * 0.2)), dice.random() * 1.5) for _ in range(600)]
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        runs = [pool.submit(come_and_go, plan) for plan in plans]
        for turn in range(5):
            time.sleep(0.2)
            purser.configure(keys=KEYS + [{"id": f"new{turn}", "key": f"sk-new-{turn}-0123456789"}])
            assert purser.reload().status_code == 200
        read = [run.result() for run in runs if run.result() is not None]
    assert all(asker.whole() for asker in read)
    assert {asker.status for asker in read} <= {200, 400, 502, 504}
    bill = check_books(purser, provider)
    assert bill["requests"] > 10
    lines = [line for line in purser.ledger() if line["kind"] == "settle"]
    assert purser.costs()["total"]["requests"] == len(
        [line for line in lines if line.get("attempt", 0) < 2])
    assert len({line["request_id"] for line in lines}) >= purser.costs()["total"]["requests"] - sum(
        line.get("attempt", 0) == 2 for line in lines)


def test_an_event_that_is_too_large_ends_the_stream_of_all(start):
    huge = b"data: " + b"x" * (5 << 20)
    head = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')

    def answer(connection, _, body):
        time.sleep(0.3)
        connection.sendall(head + huge)

    with Upstream(answer) as upstream:
        purser = start(None, budgets=BUDGETS, upstreams=[upstream_of(upstream)])
        askers = [Asker(purser, stream=True) for _ in range(20)]
        read_all(askers)
        assert {asker.status for asker in askers} <= {200, 502}
        assert all(asker.whole() == (asker.status != 200) for asker in askers)
        assert len(upstream.asked) == 1
        purser.idle()
        check_calls(purser)
