"""Whoever asks, whatever is written: purser stays up and keeps count."""

import hashlib
import json
import os
import signal
import socket
import threading
import time
from random import Random

import httpx

from harness import KEY, OUT, Purser, error_of, usd, wait_until
from purses import BOB, Calls, amount, bound_of, budget
from reloading import BOTH, by_request


def test_a_call_counts_on_as_many_accounts_as_there_may_be(start):
    """Of scope tag one for each unit and tag. More than 64 would end purser: they are refused."""
    budgets = [budget(name=window, scope="tag", window=window, usd=10, tokens=10**6, requests=1000)
               for window in ("day", "week")]
    budgets += [budget(name=f"own-{at}", window="day", usd=10, tokens=10**6, requests=1000,
                       match={"model": f"gpt-{'*' * at}4o-*"}) for at in range(5)]
    purser = start(budgets=[*budgets, budget(name="last", usd=10)])
    answer = purser.chat(headers={"x-purser-tags": "a,b,c,d,e,f,g,h"})
    assert answer.status_code == 200
    assert len(purser.booked(answer)["accounts"]) == 64
    purser.configure(budgets=[*budgets, budget(name="last", usd=10, requests=10)])
    assert "count on 65 accounts" in purser.reload().json()["error"]["message"]


# ---- reloads ----

def test_a_pipe_in_place_of_the_file_does_not_hang_it(start):
    """Who is told a configuration through a pipe can read it once."""
    purser = start(budgets=[budget(usd=1)])
    purser.config_path.unlink()
    os.mkfifo(purser.config_path)
    purser.process.signal(signal.SIGHUP)
    wait_until(lambda: "nothing is changed" in purser.log(), 5, "the refusal")
    message = error_of(purser.reload(), 400, "invalid_configuration")["message"]
    assert "no regular file" in message
    assert purser.chat().status_code == 200


def test_a_pipe_in_place_of_a_price_file_does_not_hang_it(start):
    purser = start(budgets=[budget(usd=1)])
    pipe = purser.folder / "prices.json"
    os.mkfifo(pipe)
    purser.configure(prices=[str(pipe)])
    message = error_of(purser.reload(), 400, "invalid_configuration")["message"]
    assert "no regular file" in message
    assert purser.chat().status_code == 200


def test_signals_to_reload_without_end_do_not_keep_it_from_stopping(start):
    purser = start()
    deadline = time.monotonic() + 15
    purser.process.signal(signal.SIGHUP)
    purser.process.signal(signal.SIGTERM)
    while purser.process.alive() and time.monotonic() < deadline:
        purser.process.signal(signal.SIGHUP)
    assert not purser.process.alive()
    assert purser.process.child.returncode == 0
    assert purser.log().count("is in force") <= 2


# ---- ledgers by another hand ----

def write_ledger(folder, *lines):
    """A ledger with these lines, chained."""
    place, out = "", []
    for at, line in enumerate(lines):
        if line["kind"] == "open":
            line = {**line, "chained_to": place, "balances": line["balances"], "holds": []}
        sealed = json.dumps({"timestamp": "2026-11-21T20:15:00.123456+00:00", "kind": line["kind"],
                             "request_id": "", "model": "", "prompt_tokens": 0,
                             "completion_tokens": 0, "total_tokens": 0, "cost_usd": 0, **line},
                            separators=(",", ":"))[:-1] + f',"seq":{at + 1}'
        place = hashlib.sha256((place + sealed).encode()).hexdigest()
        out.append(f'{sealed},"hash":"{place}"}}\n')
    (folder / "data/ledger").mkdir(parents=True)
    (folder / "data/ledger/2026-11-21.one.1.jsonl").write_text("".join(out))


def charge(amount, account="0123456789abcdef"):
    return {"budget": "one", "scope": "global", "id": "all", "unit": "usd", "window": "total",
            "account": account, "amount": amount, "until": None}


def test_a_balance_below_zero_is_no_reason_not_to_start(provider, tmp_path):
    write_ledger(tmp_path, {"kind": "open", "balances": [charge(-5)]},
                 {"kind": "settle", "request_id": "req_1", "cost_nano_usd": -7,
                  "accounts": [charge(-7)]})
    with Purser(provider, folder=tmp_path, node="one", budgets=[budget(usd=1)]) as purser:
        wait_until(lambda: "2 lines replayed" in purser.log(), what="the ledger to be read")
        assert purser.chat().status_code == 200


# ---- many who wait ----

def post(body, more):
    body = json.dumps(body, separators=(",", ":"))
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nConnection: close\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


CHAT = {"model": "gpt-4o-mini", "max_tokens": 100,
        "messages": [{"role": "user", "content": "hello"}]}


class Crowd:
    """Many calls at a time, each on a connection of its own."""

    def __init__(self, purser, count, fake="output=10"):
        self.sockets = []
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", purser.port), 60)
            one.sendall(post(CHAT, f"x-fake: {fake}\r\n"))
            self.sockets.append(one)

    def statuses(self):
        """How many were answered how."""
        found = {}
        for one in self.sockets:
            answer = b""
            while piece := one.recv(65536):
                answer += piece
            one.close()
            status = int(answer.split()[1])
            found[status] = found.get(status, 0) + 1
        return found


def test_two_hundred_who_wait_outlive_many_reloads(start, provider):
    """And what was said to them meanwhile is not kept."""
    bound = bound_of(max_tokens=100)
    purser = start(budgets=[budget(usd=amount(bound))],
                   admission={"clamp": "never", "wait_ms": 60000})
    holder = Crowd(purser, 1, fake="delay_ms=120000")
    wait_until(lambda: provider.bill()["open"] == 1, what="the call")
    crowd = Crowd(purser, 200)
    time.sleep(0.5)
    before = purser.resident_kb()
    for _ in range(40):
        by_request(purser)
    grown = purser.resident_kb() - before
    assert provider.bill()["requests"] == 1
    purser.configure(budgets=[budget(usd=amount(300 * bound))])
    by_request(purser)
    assert crowd.statuses() == {200: 200}
    holder.sockets[0].close()
    purser.idle()
    assert len(purser.settled()) == 201
    assert usd(purser.budgets()[("one", "all", "usd")]["reserved"]) == 0
    assert grown < 25000 or OUT.name != "release", grown


# ---- holds across reloads and a kill ----

def spent(purser):
    """{name: nano-dollars spent} of the budgets in force."""
    return {name: usd(row["spent"]) for (name, _, _), row in purser.budgets().items()}


def reserved_line(purser, count=1):
    wait_until(lambda: len(purser.open_holds()) == count, what="the hold")
    return [line for line in purser.ledger() if line["kind"] == "reserve"][-1]


def test_a_killed_purser_finds_holds_on_budgets_that_went_and_came_back(start, provider):
    """Before the kill: the budget goes and comes back under another name, in another place."""
    team = budget(name="team", scope="team", usd=3)
    purser = start(budgets=[budget(usd=1), team])
    first = purser.booked(purser.chat(max_tokens=100))["cost_nano_usd"]
    calls = Calls(purser)
    calls.add("slow", fake="delay_ms=60000,output=10")
    hold = reserved_line(purser)["hold_nano_usd"]
    purser.configure(budgets=[team])
    by_request(purser)
    assert spent(purser) == {"team": first}
    purser.configure(budgets=[{**team, "usd": 4}, budget(usd=2, name="other")])
    by_request(purser)
    rows = purser.budgets()
    assert spent(purser) == {"team": first, "other": first}
    assert usd(rows[("other", "all", "usd")]["reserved"]) == hold
    purser.process.kill()
    calls.all()
    for budgets in ([{**team, "usd": 4}, budget(usd=2, name="other")], [budget(usd=1), team]):
        purser.configure(budgets=budgets)
        purser.start()
        assert set(spent(purser).values()) == {first + hold}
        assert {row["reserved"] for row in purser.budgets().values()} == {0}
        purser.end()
    purser.start()


def test_a_killed_purser_keeps_what_was_spent_on_a_budget_that_was_gone(start, provider):
    """Its hold was open when it went, and when purser was killed."""
    other = budget(name="other", scope="key", usd=3)
    purser = start(budgets=[budget(usd=1), other])
    first = purser.booked(purser.chat(max_tokens=100))["cost_nano_usd"]
    calls = Calls(purser)
    calls.add("slow", fake="delay_ms=60000,output=10")
    hold = reserved_line(purser)["hold_nano_usd"]
    purser.configure(budgets=[other])
    by_request(purser)
    second = purser.booked(purser.chat(max_tokens=100))["cost_nano_usd"]
    purser.process.kill()
    calls.all()
    purser.start()
    assert spent(purser) == {"other": first + hold + second}
    purser.configure(budgets=[budget(usd=1), other])
    by_request(purser)
    assert spent(purser) == {"one": first + hold, "other": first + hold + second}


def test_names_that_are_swapped_keep_each_its_spend(start, provider):
    key, team = budget(name="a", scope="key", usd=1), budget(name="b", scope="team", usd=2)
    purser = start(budgets=[key, team], keys=BOTH)
    mine = purser.booked(purser.chat())["cost_nano_usd"]
    calls = Calls(purser)
    calls.add("slow", fake="delay_ms=1500,output=10")
    reserved_line(purser)
    purser.configure(budgets=[{**team, "name": "a"}, {**key, "name": "b"}])
    by_request(purser)
    purser.chat(key=BOB)
    assert calls.all()["slow"].status_code == 200
    purser.idle()
    rows = purser.budgets()
    slow = provider.settled_bill()["cost_nano_usd"]
    assert {(name, place) for name, place, _ in rows} == {
        ("a", "research"), ("a", "sales"), ("b", "alice"), ("b", "bob")}
    assert rows[("a", "research", "usd")]["spent"] == rows[("b", "alice", "usd")]["spent"]
    assert usd(rows[("a", "research", "usd")]["spent"]) > mine
    assert usd(rows[("a", "research", "usd")]["spent"]) + \
        usd(rows[("a", "sales", "usd")]["spent"]) == slow


def everything():
    """Budgets of every scope in every unit that may be together."""
    windows = {"global": "total", "key": "day", "team": "month", "session": "total",
               "model": "day", "upstream": "total", "service": "week"}
    return [budget(name=scope, scope=scope, window=window, usd=1000, tokens=10**9, requests=10**6)
            for scope, window in windows.items()] + \
        [budget(name="tag", scope="tag", window="week", usd=100, requests=10**6)]


def test_random_reloads_under_load_lose_no_account_and_neither_does_a_kill(start, provider):
    """Budgets come, go, shrink and change places under calls that are on their way or wait."""
    random = Random(4)
    all_of_them = everything()
    purser = start(budgets=all_of_them, keys=BOTH, log={"access": False},
                   admission={"clamp": "never", "wait_ms": 200})
    calls, over = [], threading.Event()

    def run():
        with httpx.Client(base_url=purser.base, timeout=60) as client:
            while not over.is_set():
                calls.append(client.post("/v1/chat/completions", json=CHAT, headers={
                    "Authorization": f"Bearer {random.choice([KEY, BOB])}",
                    "x-purser-session": random.choice("pqr"),
                    "x-purser-tags": ",".join(random.sample("abcdefgh", 3)),
                    "x-fake": random.choice(["output=3", "output=5,delay_ms=50"])}).status_code)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        some = random.sample(all_of_them, random.randint(0, len(all_of_them)))
        purser.configure(budgets=[{**one, "usd": random.choice([1000, 0.0002])} for one in some])
        by_request(purser)
    over.set()
    for thread in threads:
        thread.join()
    purser.configure(budgets=all_of_them)
    by_request(purser)
    assert set(calls) <= {200, 429} and 200 in calls
    purser.idle()
    assert sum(purser.settled().values()) == provider.settled_bill()["cost_nano_usd"]
    before = purser.budgets()
    assert {row["reserved"] for row in before.values()} == {0}
    purser.process.kill()
    purser.start()
    after = purser.budgets()
    assert {row: after[row]["spent"] for row in after} == \
        {row: before[row]["spent"] for row in before}
