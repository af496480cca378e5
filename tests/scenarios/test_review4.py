"""Whoever asks, whatever is written: purser stays up and keeps count."""

import hashlib
import json
import os
import signal
import socket
import time

from harness import KEY, OUT, Purser, error_of, wait_until
from purses import Calls, amount, bound_of, budget
from reloading import by_request


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
        assert "2 lines replayed" in purser.log()
        assert purser.chat().status_code == 200


# ---- many who wait ----

def post(body, key=KEY, more=""):
    body = json.dumps(body, separators=(",", ":"))
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nConnection: close\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


CHAT = {"model": "gpt-4o-mini", "max_tokens": 100,
        "messages": [{"role": "user", "content": "hello"}]}


class Crowd:
    """Many calls at a time, each on a connection of its own."""

    def __init__(self, purser, count, key=KEY):
        self.sockets = []
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", purser.port), 60)
            one.sendall(post(CHAT, key, "x-fake: output=10\r\n"))
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
    calls = Calls(purser)
    calls.add("holds", fake="delay_ms=8000,output=10")
    wait_until(lambda: provider.bill()["open"] == 1, what="the call")
    crowd = Crowd(purser, 200)
    time.sleep(0.5)
    before = purser.resident_kb()
    for _ in range(60):
        by_request(purser)
    grown = purser.resident_kb() - before
    assert provider.bill()["requests"] == 1
    purser.configure(budgets=[budget(usd=amount(300 * bound))])
    by_request(purser)
    assert crowd.statuses() == {200: 200}
    assert calls.all()["holds"].status_code == 200
    purser.idle()
    assert sum(purser.settled().values()) == provider.settled_bill()["cost_nano_usd"]
    assert grown < 40000 or OUT.name != "release", grown
