"""`purser budget reconcile`: an instance is gone with its data_dir, and the operator says what it has
really spent: bill ≤ booked ≤ limit, and what was stranded can be spent again. And `purser budget
list`, which shows where it is."""

import shutil
import subprocess

import pytest
from fleet import COST, Fleet, budget
from harness import NANO, OUT, wait_until
from redises import Redis
from test_honest import told

CALLS = 60


@pytest.fixture
def redis():
    with Redis(appendonly="yes") as server:
        yield server


def attempt(purser, *words):
    done = subprocess.run([OUT / "purser", "budget", *map(str, words), "--config",
                           purser.config_path], text=True, capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def fleet_of(provider, redis):
    """Leases of a minute, so that much is stranded; two that have spent."""
    fleet = Fleet(provider, redis, count=2, calls=CALLS)
    for purser in fleet.pursers:
        purser.end()
        purser.configure(store={"redis": redis.url, "lease_seconds": 60})
        purser.start()
    return fleet


def granted(redis):
    """Of all, in nano-dollars."""
    return sum(redis.granted().values()) * 1000


def spent(purser):
    return sum(purser.settled().values())


def lose(fleet, number=1):
    """kill -9, and it is let go; its folder is what an operator may still have of it."""
    purser = fleet.pursers[number]
    purser.process.kill()
    budget(fleet.pursers[0], "leave", f"node-{number}", "--force")
    return purser


def stranded(fleet, calls=6):
    """Both have spent, one is lost: what stays charged of it for nothing."""
    fleet.until(calls)
    fleet.calls(12, 6)
    lost = lose(fleet)
    fleet.pursers[0].idle()
    wait_until(lambda: "node-1" in budget(fleet.pursers[0], "list"), 5, "it to be listed")
    return lost


def use_up(fleet):
    """All that the one who is left can have; the last refusal says that it is spent."""
    refusals = []
    while len(refusals) < 5:
        status, code = fleet.call(0)
        assert status in (200, 429), (status, code)
        refusals = [*refusals, code] if status == 429 else []
    assert refusals[-1] == "budget_exceeded"
    fleet.pursers[0].idle()


def check(fleet, provider, booked_by_lost):
    """bill ≤ booked ≤ limit, and nearly all of it."""
    bill = provider.settled_bill(False)["cost_nano_usd"]
    assert bill <= spent(fleet.pursers[0]) + booked_by_lost <= fleet.limit
    assert bill >= fleet.limit * 0.95 - 2 * COST, (bill, fleet.limit)


def test_what_its_ledger_says_stays_and_the_rest_comes_back_once(provider, redis):
    with fleet_of(provider, redis) as fleet:
        lost = stranded(fleet)
        before = granted(redis)
        ledger = lost.folder / "data/ledger"
        status, out, err = attempt(fleet.pursers[0], "reconcile", "node-1", "--ledger", ledger)
        assert status == 0 and "goes back" in out and "nothing was given back yet" in out, err
        assert granted(redis) >= before
        status, out, err = attempt(fleet.pursers[0], "reconcile", "node-1", "--ledger", ledger,
                                   "--yes")
        assert status == 0 and "done" in out, err
        share = shares(redis, "node-1", fleet)
        assert spent(lost) <= share * 1000 < spent(lost) + 1000
        for _ in range(2):  # said again, nothing goes back
            assert attempt(fleet.pursers[0], "reconcile", "node-1", "--ledger", ledger,
                           "--yes")[0] == 0
            assert shares(redis, "node-1", fleet) == share
        use_up(fleet)
        check(fleet, provider, spent(lost))


def shares(redis, label, fleet):
    """g of an instance on the only account."""
    nodes = redis.pairs("{purser}:nodes")
    journal = [name[2:] for name, value in nodes.items() if name[:2] == "l:" and value == label][0]
    return sum(int(redis.pairs(key).get(f"g:{journal}", 0)) for key in redis.granted())


def test_what_the_bill_says_of_one_account(provider, redis):
    with fleet_of(provider, redis) as fleet:
        lost = stranded(fleet)
        account = list(redis.granted())[0][-16:]
        status, out, _ = attempt(fleet.pursers[0], "reconcile", "node-1")
        assert status == 0 and account in out and "granted $" in out and "goes back" not in out
        told = attempt(fleet.pursers[0], "reconcile", "node-1", "--account", account, "--spent",
                       "0.0000001", "--yes")
        assert told[0] == 1 and "told itself that it spent more" in told[2]
        shutil.rmtree(lost.folder / "data")
        paid = spent_by_bill(provider, fleet)
        status, out, err = attempt(fleet.pursers[0], "reconcile", "node-1", "--account", account,
                                   "--spent", f"{paid / NANO:.9f}", "--yes")
        assert status == 0 and "done" in out, err
        assert shares(redis, "node-1", fleet) * 1000 >= paid
        use_up(fleet)
        check(fleet, provider, paid)


def spent_by_bill(provider, fleet):
    """All that the provider billed but what the other one has booked."""
    fleet.pursers[0].idle()
    return provider.settled_bill(False)["cost_nano_usd"] - spent(fleet.pursers[0])


def test_what_would_give_back_too_much_is_refused(provider, redis):
    with fleet_of(provider, redis) as fleet:
        fleet.until(4)
        first, second = fleet.pursers
        ledger = second.folder / "data/ledger"
        status, _, err = attempt(first, "reconcile", "node-1", "--ledger", ledger, "--yes")
        assert status == 1 and "it has not left" in err
        assert attempt(first, "reconcile", "nobody")[0] == 1
        lose(fleet)
        before = shares(redis, "node-1", fleet)
        status, _, err = attempt(first, "reconcile", "node-1", "--ledger",
                                 first.folder / "data/ledger", "--yes")
        assert status == 1 and "another label" in err
        status, _, err = attempt(first, "reconcile", "node-1", "--ledger", second.folder, "--yes")
        assert status == 1 and "there is no ledger" in err
        newest = sorted(ledger.glob("*.jsonl"))[-1]
        whole = newest.read_bytes()
        newest.write_bytes(whole[:-20])
        status, _, err = attempt(first, "reconcile", "node-1", "--ledger", ledger, "--yes")
        assert status == 1 and "torn" in err
        lines = whole.splitlines(keepends=True)
        newest.write_bytes(lines[0])  # whole lines, and too few
        status, _, err = attempt(first, "reconcile", "node-1", "--ledger", ledger, "--yes")
        assert status == 1 and "tells of less" in err
        newest.write_bytes(whole)
        for words in (["--yes"], ["--account", "0" * 16], ["--spent", "1"],
                      ["--ledger", "x", "--account", "0" * 16, "--spent", "1"]):
            assert attempt(first, "reconcile", "node-1", *words)[0] == 2
        assert shares(redis, "node-1", fleet) == before
        redis.kill()
        redis.start()  # another fence; and of those that are registered nobody tells what it has
        first.process.kill()
        status, _, err = attempt(first, "reconcile", "node-1", "--ledger", ledger, "--yes")
        assert status == 1 and ("recovers" in err or "epoch" in err), err
        assert shares(redis, "node-1", fleet) == before


def test_who_comes_back_all_the_same_is_charged_what_it_has(provider, redis):
    with fleet_of(provider, redis) as fleet:
        lost = stranded(fleet)
        assert attempt(fleet.pursers[0], "reconcile", "node-1", "--ledger",
                       lost.folder / "data/ledger", "--yes")[0] == 0
        lost.start()
        wait_until(lambda: told(lost)[0] == "redis", 10, "the store to be open")
        assert shares(redis, "node-1", fleet) * 1000 >= spent(lost)
        status, _, err = attempt(fleet.pursers[0], "reconcile", "node-1", "--ledger",
                                 lost.folder / "data/ledger", "--yes")
        assert status == 1 and "it has not left" in err
        fleet.until_exhausted()
        fleet.check(redis)


def test_a_ledger_of_two_instances_gives_back_what_neither_has_spent(provider, redis):
    """Without its ceilings.db it went on as another one; what it disowned the first one spent."""
    with fleet_of(provider, redis) as fleet:
        lost = stranded(fleet)
        first = [name[2:] for name, label in redis.pairs("{purser}:nodes").items()
                 if name.startswith("l:") and label == "node-1"][0]
        paid = spent(lost)
        for path in (lost.folder / "data").glob("ceilings.db*"):
            path.unlink()
        lost.start()
        while spent(lost) <= paid + COST:
            fleet.call(1)
        lose(fleet)
        key, = redis.granted()
        had, told = (int(redis.pairs(key)[f"{of}:{first}"]) for of in "gu")
        # As leases go, `had` is less than both have spent.
        status, out, err = attempt(fleet.pursers[0], "reconcile", first[:12], "--ledger",
                                   lost.folder / "data/ledger", "--yes")
        assert status == 0 and "done" in out, err
        kept = int(redis.pairs(key)[f"g:{first}"])
        assert kept * 1000 >= min(had * 1000, spent(lost)) >= paid
        assert kept <= max(-(-spent(lost) // 1000), told)


def test_accounts_are_listed_with_what_they_are(provider, redis):
    with fleet_of(provider, redis) as fleet:
        fleet.until(3)
        for purser in fleet.pursers:
            purser.idle()
        out = budget(fleet.pursers[0], "list").splitlines()
        account = [line for line in out if "  all  global all  total  " in line]
        assert len(account) == 1, out
        assert f"limit ${fleet.limit / NANO:.6f}".rstrip("0") in account[0]
        rows = [line.split() for line in out if line.startswith("    ")]
        assert sorted(row[0] for row in rows) == ["node-0", "node-1"]
        assert all(row[2] == "granted" for row in rows)


def test_without_a_redis_the_running_purser_is_asked(provider, start):
    purser = start(provider, budgets=[{"name": "one", "scope": "key", "window": "day", "usd": 2,
                                       "requests": 9}])
    assert purser.chat().status_code == 200
    status, out, err = attempt(purser, "list")
    assert status == 0 and "one  key alice  day  limit $2, spent $" in out, out + err
    assert "limit 9, spent 1, " in out and " requests" in out
