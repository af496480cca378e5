"""The ledger: its lines, its chain, its files, what happens when it cannot be written; and /costs,
which sums it."""

import datetime
import decimal
import json
import resource
import subprocess
import sys
import threading

import httpx
import pytest

from harness import (ADMIN, KEY, NANO, OUT, ROOT, Process, Purser, error_of, free_port, usd,
                     wait_until)
from test_early_stop import Stream

BOB = "sk-test-bob-0123456789abcdef"
KEYS = [{"id": "alice", "key": KEY, "user": "ann", "team": "research"}, {"id": "bob", "key": BOB}]
BUDGET = [{"name": "daily", "scope": "global", "window": "day", "usd": 5},
          {"name": "calls", "scope": "key", "window": "total", "requests": 10000}]
ALWAYS = {"timestamp", "kind", "request_id", "model", "prompt_tokens", "completion_tokens",
          "total_tokens", "cost_usd", "seq", "node", "hash"}
CALL = ALWAYS | {"call", "attempt", "endpoint", "service", "upstream", "model_requested", "key",
                 "user", "team", "session", "tags", "label", "price_version", "accounts"}


@pytest.fixture(scope="module")
def purser(shared_provider):
    with Purser(shared_provider, keys=KEYS, budgets=BUDGET, node="node-7") as running:
        yield running


def files_of(purser):
    return sorted((purser.folder / "data/ledger").glob("*.jsonl"))


def verified(purser):
    """What the independent script says of the ledger's chain of hashes."""
    done = subprocess.run(
        [sys.executable, ROOT / "tests/unit/books/verify_chain.py", purser.folder / "data/ledger"],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines, _, amount, _ = done.stdout.replace(",", "").split()
    return int(lines), decimal.Decimal(amount)


def told(purser, **how):
    """A call that names everything a caller may name."""
    return purser.chat(headers={"x-purser-session": "s1", "x-purser-tags": "a,b",
                                "x-purser-label": "l"}, **how)


# ---- lines ----

def test_a_call_has_a_reserve_and_a_settle_line_with_the_documented_members(purser):
    answer = told(purser, fake="prompt=20,cached=5,output=9,reasoning=4", max_tokens=30)
    reserve, settle = purser.lines_of(answer)
    assert set(reserve) == CALL | {"kind", "hold_nano_usd"}
    assert set(settle) == CALL | {"cost_nano_usd", "cached_tokens", "reasoning_tokens",
                                  "usage_source", "stop_reason", "status", "ttft_ms",
                                  "duration_ms", "service_tier"}
    cost = 15 * 150 + 5 * 75 + 9 * 600
    assert settle["cost_nano_usd"] == cost == usd(settle["cost_usd"])
    assert (settle["prompt_tokens"], settle["cached_tokens"], settle["completion_tokens"],
            settle["reasoning_tokens"], settle["total_tokens"]) == (20, 5, 9, 4, 29)
    assert (reserve["cost_usd"], reserve["total_tokens"]) == (0, 0)
    assert settle["call"] == reserve["call"] == answer.headers["x-purser-request-id"] + ".1"
    assert (settle["node"], settle["endpoint"], settle["service"], settle["upstream"]) == \
        ("node-7", "chat.completions", "fake", "fake")
    assert (settle["key"], settle["user"], settle["team"], settle["session"], settle["tags"],
            settle["label"]) == ("alice", "ann", "research", "s1", ["a", "b"], "l")
    assert (settle["status"], settle["stop_reason"], settle["usage_source"]) == \
        (200, "stop", "reported")
    assert 0 <= settle["ttft_ms"] <= settle["duration_ms"]
    amounts = {charge["budget"]: charge["amount"] for charge in settle["accounts"]}
    assert amounts == {"daily": cost, "calls": 1}
    held = {charge["budget"]: charge["amount"] for charge in reserve["accounts"]}
    assert held == {"daily": reserve["hold_nano_usd"], "calls": 1}


def test_every_line_has_the_members_that_trackers_read(purser):
    told(purser)
    purser.chat(model="unknown-model")
    for line in purser.ledger():
        assert ALWAYS <= set(line), line
        moment = datetime.datetime.fromisoformat(line["timestamp"])
        assert moment.utcoffset() == datetime.timedelta(0) and len(line["timestamp"]) == 32
        assert line["total_tokens"] == line["prompt_tokens"] + line["completion_tokens"]
        if line["kind"] not in ("settle", "forfeit"):
            assert line["cost_usd"] == 0 and line["total_tokens"] == 0


def test_a_refusal_has_a_line_that_books_nothing(purser):
    answer = purser.chat(model="unknown-model", headers={"x-purser-label": "why"})
    line = purser.booked(answer)
    assert (line["kind"], line["error"], line["status"], line["model_requested"]) == \
        ("refuse", "model_not_priced", 400, "unknown-model")
    assert (line["key"], line["label"], line["cost_usd"]) == ("alice", "why", 0)


def test_lines_are_numbered_without_gaps_and_chained(purser):
    for _ in range(5):
        purser.booked(told(purser))
    numbers = [line["seq"] for line in purser.ledger()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    lines, _ = verified(purser)
    assert lines >= len(numbers)


def test_the_sum_of_cost_usd_is_what_was_spent(purser, shared_provider):
    purser.booked(told(purser, fake="prompt=3,output=11"))
    purser.idle()
    exact = sum(line.get("cost_nano_usd", 0) for line in purser.ledger())
    floats = sum(line["cost_usd"] for line in purser.ledger())
    assert abs(floats * NANO - exact) < 1
    assert purser.costs()["total"]["cost_nano_usd"] == exact
    assert usd(purser.budgets()[("daily", "all", "usd")]["spent"]) == exact
    assert exact == shared_provider.settled_bill(False)["cost_nano_usd"]
    assert verified(purser)[1] * NANO == exact


def test_ledger_and_its_folder_are_for_the_owner_only(purser):
    assert (purser.folder / "data").stat().st_mode & 0o077 == 0
    for path in [purser.folder / "data/ledger", *files_of(purser)]:
        assert path.stat().st_mode & 0o077 == 0, path


# ---- /costs ----

def test_costs_are_grouped_by_day_model_and_key(shared_provider, start):
    purser = start(shared_provider, keys=KEYS)
    for key, model, output in ((KEY, "gpt-4o-mini", 5), (KEY, "gpt-4o", 6), (BOB, "gpt-4o", 7),
                               (BOB, "gpt-4o", 8)):
        purser.booked(purser.chat(key=key, model=model, fake=f"prompt=10,cached=2,output={output}"))
    answer = purser.costs(group_by="day,model,key")
    assert answer["object"] == "costs" and answer["group_by"] == ["day", "model", "key"]
    assert answer["next"] is None
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    groups = {(row["group"]["day"], row["group"]["model"], row["group"]["key"]): row
              for row in answer["data"]}
    assert set(groups) == {(today, "gpt-4o-mini", "alice"), (today, "gpt-4o", "alice"),
                           (today, "gpt-4o", "bob")}
    bob = groups[(today, "gpt-4o", "bob")]
    assert (bob["requests"], bob["prompt_tokens"], bob["cached_tokens"], bob["completion_tokens"],
            bob["total_tokens"]) == (2, 20, 4, 15, 35)
    assert bob["cost_nano_usd"] == 16 * 2500 + 4 * 1250 + 15 * 10000 == usd(bob["cost_usd"])
    for member in ("requests", "cost_nano_usd", "total_tokens"):
        assert sum(row[member] for row in answer["data"]) == answer["total"][member]
    bobs = purser.client.get("/costs?key=bob", headers={"Authorization": f"Bearer {ADMIN}"})
    assert bobs.json()["total"]["requests"] == 2
    assert purser.costs(model="gpt-4o", group_by="key")["total"]["requests"] == 3
    assert purser.costs()["data"] == []


def test_costs_are_cut_by_from_and_to(shared_provider, start):
    purser = start(shared_provider)
    purser.booked(purser.chat())
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)

    def requests(**cut):
        return purser.costs(**cut)["total"]["requests"]

    assert requests(**{"from": (now - day).date().isoformat()}) == 1
    assert requests(**{"from": (now + day).date().isoformat()}) == 0
    assert requests(to=(now + day).date().isoformat()) == 1
    assert requests(to=(now - day).date().isoformat()) == 0
    hour = now.replace(minute=0, second=0, microsecond=0)
    bounds = {"from": hour.strftime("%Y-%m-%dT%H:%M:%SZ"),
              "to": (hour + datetime.timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert requests(**bounds) == 1
    answer = purser.costs(**bounds)
    assert datetime.datetime.fromisoformat(answer["from"]) == hour


def test_a_key_sees_its_own_costs_only(purser):
    theirs, own = told(purser), purser.chat(key=BOB)
    purser.booked(theirs), purser.booked(own)
    bobs = purser.costs(key=BOB)
    assert bobs["total"]["requests"] >= 1

    def as_bob(path):
        return purser.client.get(path, headers={"Authorization": f"Bearer {BOB}"})

    assert as_bob("/costs?key=alice").status_code == 403
    assert as_bob("/costs").json()["total"] == bobs["total"]
    groups = as_bob("/costs?group_by=key").json()["data"]
    assert [row["group"]["key"] for row in groups] == ["bob"]
    error_of(as_bob("/costs/" + theirs.headers["x-purser-request-id"]), 404, "not_found")
    assert as_bob("/costs/" + own.headers["x-purser-request-id"]).status_code == 200
    error_of(httpx.get(purser.base + "/costs"), 401, "invalid_api_key")


def test_one_requests_lines_can_be_asked_for(purser):
    answer = told(purser, fake="prompt=10,output=5")
    name = answer.headers["x-purser-request-id"]
    lines = purser.lines_of(answer)
    for key in (KEY, ADMIN):
        got = purser.client.get(f"/costs/{name}", headers={"Authorization": f"Bearer {key}"})
        assert got.status_code == 200, got.text
        assert [line["kind"] for line in got.json()["lines"]] == ["reserve", "settle"]
        assert got.json()["lines"] == lines
        assert got.json()["cost_nano_usd"] == lines[-1]["cost_nano_usd"]
    for unknown in ("req_000000000000000000000000", "nonsense", "req_zz", "%00", "a" * 3000):
        assert purser.client.get(f"/costs/{unknown}").status_code == 404


def test_an_unknown_question_is_refused(purser):
    for query in ("group_by=planet", "planet=x", "from=yesterday"):
        answer = purser.client.get("/costs?" + query)
        assert error_of(answer, 400, "invalid_request")["param"] == query.split("=")[0]


# ---- files ----

def test_a_full_file_is_followed_by_another_and_the_chain_goes_on(shared_provider, start):
    purser = start(shared_provider, budgets=BUDGET, ledger={"rotate_mb": 1})
    headers = {"x-purser-label": "l" * 256, "x-purser-session": "s" * 128,
               "x-purser-tags": ",".join(f"{number}" * 64 for number in range(8))}
    while len(files_of(purser)) < 3:
        for _ in range(50):
            assert purser.chat(headers=headers, fake="output=1").status_code == 200
    purser.idle()
    sizes = [path.stat().st_size for path in files_of(purser)]
    assert max(sizes) < 1.2 * 2 ** 20
    exact = sum(purser.settled().values())
    assert verified(purser)[1] * NANO == exact
    first = [json.loads(path.read_text().split("\n", 1)[0]) for path in files_of(purser)]
    assert {line["kind"] for line in first} == {"open"}
    purser.end()
    purser.start()
    assert usd(purser.budgets()[("daily", "all", "usd")]["spent"]) == exact
    assert purser.costs()["total"]["cost_nano_usd"] == exact
    for path in files_of(purser)[:-1]:  # the open lines carry all balances
        path.unlink()
    purser.end()
    purser.start()
    assert usd(purser.budgets()[("daily", "all", "usd")]["spent"]) == exact


@pytest.mark.parametrize("tail", [b'{"timestamp":"2026', b"\x00" * 4096, b"garbage\n",
                                  b'{"kind":"settle"}\n{"x":'])
def test_a_torn_tail_is_cut_and_kept_aside(shared_provider, start, tail):
    purser = start(shared_provider, budgets=BUDGET)
    for _ in range(3):
        purser.booked(purser.chat())
    spent = purser.budgets()[("daily", "all", "usd")]["spent"]
    purser.process.kill()
    path, = files_of(purser)
    with open(path, "ab") as file:
        file.write(tail)
    purser.start()
    wait_until(lambda: "torn" in purser.log(), what="the warning")
    aside = [found for found in path.parent.iterdir() if "torn" in found.name]
    assert [found.read_bytes() for found in aside] == [tail]
    assert purser.budgets()[("daily", "all", "usd")]["spent"] == spent
    purser.booked(purser.chat())
    verified(purser)
    assert purser.costs()["total"]["requests"] == 4


def test_a_half_written_last_line_is_cut_and_its_hold_booked(shared_provider, start):
    purser = start(shared_provider, budgets=BUDGET)
    answer = purser.chat(max_tokens=100)
    hold = purser.lines_of(answer)[0]["hold_nano_usd"]
    purser.process.kill()
    path, = files_of(purser)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    purser.start()
    assert usd(purser.budgets()[("daily", "all", "usd")]["spent"]) == hold
    assert [line["kind"] for line in purser.ledger()].count("forfeit") == 1
    verified(purser)


def failed_start(folder, config):
    path = folder / "purser.yaml"
    path.write_text(json.dumps(config))
    process = Process([OUT / "purser", "serve", "--config", path], folder / "log")
    assert process.child.wait(20) == 1, process.log()
    return process.log()


def test_a_changed_line_is_found_and_nothing_starts_on_it(shared_provider, start, tmp_path):
    purser = start(shared_provider, budgets=BUDGET)
    for _ in range(3):
        purser.booked(purser.chat(fake="prompt=10,output=5"))
    purser.end()
    path, = files_of(purser)
    path.write_text(path.read_text().replace('"completion_tokens":5', '"completion_tokens":4', 1))
    process = Process([OUT / "purser", "serve", "--config", purser.config_path], tmp_path / "log")
    assert process.child.wait(20) == 1
    assert path.name in process.log()


def test_a_second_purser_on_the_same_data_does_not_start(purser, shared_provider, tmp_path):
    config = json.loads(purser.config_path.read_text())
    config.update(listen=f"127.0.0.1:{free_port()}", data_dir=str(purser.folder / "data"))
    log = failed_start(tmp_path, config)
    assert "another purser" in log and str(purser.process.pid) in log
    assert purser.chat().status_code == 200


def test_a_data_dir_that_cannot_be_made_is_named(shared_provider, tmp_path, purser):
    config = json.loads(purser.config_path.read_text())
    config.update(listen=f"127.0.0.1:{free_port()}", data_dir="/proc/no/such")
    assert "/proc/no/such" in failed_start(tmp_path, config)


# ---- a disk that is full ----

class FullDisk:
    """Lets no file of the process grow, until the block ends."""

    def __init__(self, purser):
        self.pid = purser.process.pid
        self.size = files_of(purser)[-1].stat().st_size

    def __enter__(self):
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (self.size, resource.RLIM_INFINITY))

    def __exit__(self, *_):
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_a_full_disk_refuses_calls_until_there_is_room(provider, start):
    purser = start(provider, budgets=BUDGET)
    for _ in range(3):
        purser.booked(purser.chat())
    with FullDisk(purser):
        for _ in range(5):
            refused = purser.chat()
            error = error_of(refused, 503, "ledger_unavailable")
            assert error["type"] == "server_error" and refused.headers["retry-after"]
        assert purser.client.get("/readyz").status_code == 503
        assert httpx.get(purser.base + "/healthz").status_code == 200
        assert provider.bill(False)["requests"] == 3
        assert purser.budgets()[("daily", "all", "usd")]["reserved"] == 0
    wait_until(lambda: purser.chat().status_code == 200, what="the ledger to be written again")
    wait_until(lambda: purser.client.get("/readyz").status_code == 200, what="budgets to grow")
    purser.idle()
    verified(purser)
    exact = provider.settled_bill(False)["cost_nano_usd"]
    assert sum(purser.settled().values()) == exact
    wait_until(lambda: purser.costs()["total"]["cost_nano_usd"] == exact, what="/costs")


def test_calls_that_end_while_the_disk_is_full_are_booked_later(provider, start):
    purser = start(provider, budgets=BUDGET)
    answers = []
    running = threading.Thread(target=lambda: answers.append(
        purser.chat(fake="prompt=10,output=5,delay_ms=600")))
    running.start()
    wait_until(purser.open_holds)
    with FullDisk(purser):
        running.join()
        assert answers[0].status_code == 200
        assert purser.open_holds()
        row = purser.budgets()[("daily", "all", "usd")]
        assert (usd(row["spent"]), row["reserved"]) == (10 * 150 + 5 * 600, 0)
    purser.idle()
    assert purser.booked(answers[0])["cost_nano_usd"] == 10 * 150 + 5 * 600
    verified(purser)


def test_a_stream_whose_next_slice_cannot_be_written_ends_with_an_error(provider, start):
    purser = start(provider, budgets=BUDGET, admission={"slice_tokens": 100})
    purser.booked(purser.chat(max_tokens=16000))  # its ceiling has room for the stream
    stream = Stream(purser, "output=1000,gap_ms=2", max_tokens=1000)
    wait_until(lambda: stream.began, what="the stream's beginning")
    with FullDisk(purser):
        stream.join()
    assert stream.status == 200 and not stream.broken
    error = stream.chunks()[-1]["error"]
    assert (error["code"], error["type"]) == ("ledger_unavailable", "server_error")
    assert "ends early" in error["message"]
    purser.idle()
    verified(purser)
    bill = provider.settled_bill(False)["cost_nano_usd"]
    assert bill <= sum(purser.settled().values())
    assert purser.booked(stream.name)["stop_reason"] == "ledger"
