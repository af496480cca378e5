"""`purser budget set`: other limits for a budget of the running purser, and the configured ones again."""

import subprocess

import pytest
from fleet import COST, Fleet
from harness import ADMIN, NANO, OUT, error_of, wait_until
from purses import KEYS, budget
from redises import Redis


def limits(purser, *words):
    done = subprocess.run([OUT / "purser", "budget", "set", *map(str, words), "--config",
                           purser.config_path], text=True, capture_output=True, timeout=30,
                          env=purser.env)
    return done.returncode, done.stdout, done.stderr


def row(purser, unit="usd"):
    answer = purser.client.get("/budget", headers={"Authorization": f"Bearer {ADMIN}"}).json()
    return [row for row in answer["data"] if row["unit"] == unit][0]


def test_a_limit_is_lowered_raised_and_reset(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(usd=1, requests=3)])
    assert purser.chat().status_code == 200
    status, out, err = limits(purser, "one", 0.5, "--requests", 1)
    assert (status, err) == (0, "") and "in force here" in out
    assert (row(purser)["limit"], row(purser, "requests")["limit"]) == (0.5, 1)
    assert row(purser)["spent"] > 0
    error_of(purser.chat(), 429, "budget_exceeded")
    assert limits(purser, "one", "--requests", 2)[0] == 0
    assert purser.chat().status_code == 200
    purser.end()
    purser.start()
    assert row(purser, "requests")["limit"] == 2  # kept
    error_of(purser.chat(), 429, "budget_exceeded")
    assert limits(purser, "one", "--reset")[0] == 0
    assert (row(purser)["limit"], row(purser, "requests")["limit"]) == (1, 3)
    assert purser.chat().status_code == 200


def limit_of(purser, team):
    answer = purser.client.get("/budget", headers={"Authorization": f"Bearer {ADMIN}"}).json()
    return {row["unit"]: row["limit"] for row in answer["data"] if row["id"] == team}


def test_of_one_id(shared_provider, start):
    teams = budget(scope="team", usd=1, requests=5,
                   overrides={"research": {"usd": 0.5}, "sales": {"usd": 3}})
    purser = start(shared_provider, budgets=[teams, budget(name="two", usd=9)], keys=KEYS)
    assert purser.chat().status_code == 200
    assert limit_of(purser, "research") == {"usd": 0.5, "requests": 5}
    assert limits(purser, "one", "--id", "research", "--requests", 2)[0] == 0
    status, _, err = limits(purser, "one", "--id", 'a "b"/%c', 7)
    assert status == 0 and "matches nothing" in err
    status, _, err = limits(purser, "one", "--id", "caf\u00e9\u009b\u2028", 7)
    assert status == 0 and "caf\u00e9?\u2028" in err, err  # but what moves a cursor
    assert limits(purser, "one", "--id", "caf\u00e9\u009b\u2028", "--reset")[0] == 0
    assert limit_of(purser, "research") == {"usd": 0.5, "requests": 2}  # of the file, and set
    assert limits(purser, "one", "--requests", 4)[0] == 0  # of all: that one keeps its own
    assert limit_of(purser, "research") == {"usd": 0.5, "requests": 2}
    purser.end()
    purser.start()
    assert purser.chat().status_code == 200
    error_of(purser.chat(), 429, "budget_exceeded")
    listed = purser.client.get("/admin/budgets", headers={"Authorization": f"Bearer {ADMIN}"}).json()
    overrides = listed["data"][0]["overrides"]
    assert overrides["sales"]["usd"] == 3 and overrides['a "b"/%c']["usd"] == 7
    assert overrides["research"] == {"usd": 0.5, "tokens": None, "requests": 2}
    assert limits(purser, "one", "--id", "research", "--reset")[0] == 0
    assert limit_of(purser, "research") == {"usd": 0.5, "requests": 4}
    assert limits(purser, "one", "--id", "research", "--reset")[0] == 1  # nothing is set
    assert limits(purser, "one", "--id", "research", "--tokens", 1)[0] == 1  # no unit of this budget
    assert limits(purser, "two", "--id", "alice", 1)[0] == 1  # it has one id
    assert limits(purser, "one", "--reset")[0] == 0
    assert limit_of(purser, "research") == {"usd": 0.5, "requests": 5}


@pytest.mark.parametrize("words", [["one"], ["one", "much"], ["one", "-3"], ["one", "1", "2"],
                                   ["one", "1", "--reset"], ["one", "--tokens", "1.5"],
                                   ["one", "--tokens"], ["1"], ["one", "--id", "x"],
                                   ["one", "1", "--id"], []])
def test_what_is_no_limit_is_told_at_once(shared_provider, start, words):
    purser = start(shared_provider, budgets=[budget(usd=1)])
    status, _, err = limits(purser, *words)
    assert status == 2 and "usage: purser budget" in err


def test_a_session_that_is_named_with_its_key_is_doubted(shared_provider, start):
    sessions = budget(scope="session", window="total", usd=1)
    purser = start(shared_provider, budgets=[sessions], keys=KEYS)
    status, _, err = limits(purser, "one", 2, "--id", f"{KEYS[0]['id']}/run")  # as /budget shows it
    assert status == 0 and 'did you mean "run"?' in err  # as people write it, not as JSON
    assert limits(purser, "one", 2, "--id", "walk")[::2] == (0, "")


def test_a_budget_that_is_none_is_told(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(usd=1)])
    status, _, err = limits(purser, "tw/o", 1)
    assert status == 1 and "status 4" in err
    status, _, err = limits(purser, "two", 1)
    assert status == 1 and 'There is no budget "two".' in err  # as people write it, not as JSON
    assert row(purser)["limit"] == 1


def test_all_instances_follow(provider):
    with Redis() as redis, Fleet(provider, redis, calls=3) as fleet:
        fleet.until_exhausted()
        assert limits(fleet.pursers[0], "all", f"{30 * COST / NANO:.9f}")[0] == 0
        wait_until(lambda: all(round(row(purser)["limit"] * NANO) == 30 * COST // 1000 * 1000
                               for purser in fleet.pursers), 10, "all to have the limit")
        fleet.limit = 30 * COST
        fleet.until(4)
        fleet.check(redis)
