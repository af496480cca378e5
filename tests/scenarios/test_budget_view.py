"""Budgets over restarts, and as GET /budget shows them."""

import json

import httpx

from harness import ADMIN, KEY, NANO, error_of, usd, wait_until
from purses import BOB, INPUT, KEYS, OUTPUT, Calls, bound_of, budget, held, reserved

# ---- restarts ----

def test_spend_survives_a_restart_and_a_changed_limit(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(requests=2), {
        "name": "money", "scope": "key", "window": "month", "usd": 1}])
    answer = purser.chat(fake="prompt=10,output=10")
    cost = purser.booked(answer)["cost_nano_usd"]
    purser.end()
    purser.start()
    rows = purser.budgets()
    assert rows[("one", "all", "requests")]["spent"] == 1
    assert usd(rows[("money", "alice", "usd")]["spent"]) == cost
    purser.end()
    config = json.loads(purser.config_path.read_text())
    config["budgets"][0]["requests"] = 3
    config["budgets"][1].update(name="renamed", usd=2)
    purser.config_path.write_text(json.dumps(config))
    purser.start()
    rows = purser.budgets()
    assert (rows[("one", "all", "requests")]["spent"],
            rows[("one", "all", "requests")]["limit"]) == (1, 3)
    assert usd(rows[("renamed", "alice", "usd")]["spent"]) == cost
    assert [purser.chat().status_code for _ in range(3)] == [200, 200, 429]


def test_a_limit_lowered_below_the_spend_refuses_and_stays_alive(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(requests=5)])
    for _ in range(3):
        purser.chat()
    purser.end()
    config = json.loads(purser.config_path.read_text())
    config["budgets"][0]["requests"] = 2
    purser.config_path.write_text(json.dumps(config))
    purser.start()
    row = purser.budgets()[("one", "all", "requests")]
    assert (row["spent"], row["remaining"], row["status"]) == (3, 0, "exhausted")
    error_of(purser.chat(), 429, "budget_exceeded")


def test_a_killed_purser_books_its_open_holds_in_full(provider, start):
    purser = start(provider, budgets=[budget(usd=1)])
    calls = Calls(purser)
    calls.add("lost", fake="delay_ms=3000,output=50")
    wait_until(lambda: reserved(purser))
    hold, = [line["hold_nano_usd"] for line in purser.ledger() if line["kind"] == "reserve"]
    purser.process.kill()
    for thread in calls.threads:
        thread.join()
    purser.start()
    row = purser.budgets()[("one", "all", "usd")]
    assert (usd(row["spent"]), row["reserved"]) == (hold, 0)
    assert usd(row["forfeited"]) == hold
    assert purser.costs()["total"]["cost_nano_usd"] == hold
    assert hold >= provider.bill(False)["cost_nano_usd"]
    assert [line["kind"] for line in purser.ledger()].count("forfeit") == 1


# ---- GET /budget ----

SHARED = [{"name": "team", "scope": "team", "window": "day", "usd": 1},
          {"name": "own", "scope": "key", "window": "day", "usd": 0.5, "tokens": 100000},
          {"name": "bobs", "scope": "key", "window": "day", "match": {"key": "bob"}, "usd": 2},
          {"name": "talk", "scope": "session", "window": "total", "usd": 0.25}]


def rows_of(purser, key, path="/budget", **headers):
    answer = purser.client.get(path, headers={"Authorization": f"Bearer {key}", **headers})
    assert answer.status_code == 200, answer.text
    return answer.json(), {row["name"]: row for row in answer.json()["data"]}


def test_a_key_sees_its_own_amounts_and_of_shared_budgets_percentages(shared_provider, start):
    purser = start(shared_provider, keys=KEYS, budgets=SHARED)
    purser.booked(purser.chat(fake="prompt=1000,output=500"))
    answer, rows = rows_of(purser, KEY)
    assert answer["object"] == "list" and answer["store"]
    assert set(rows) == {"team", "own", "talk"}
    assert "limit" not in rows["team"] and "spent" not in rows["team"]
    assert rows["team"]["status"] == "ok" and 0 < rows["team"]["used_percent"] < 1
    own = [row for row in answer["data"] if row["name"] == "own" and row["unit"] == "usd"][0]
    assert usd(own["spent"]) == 1000 * INPUT + 500 * OUTPUT
    assert usd(own["remaining"]) == usd(own["limit"]) - usd(own["spent"])
    assert (answer["limit_usd"], usd(answer["usage_usd"])) == (0.25, usd(own["spent"]))
    assert usd(answer["limit_remaining_usd"]) == NANO // 4 - usd(own["spent"])


def test_budget_knows_the_session_of_url_and_header(shared_provider, start):
    purser = start(shared_provider, keys=KEYS, budgets=SHARED)
    purser.booked(purser.chat(headers={"x-purser-session": "s1"}))
    for path, headers in (("/s/s1/v1/budget", {}), ("/v1/budget", {"x-purser-session": "s1"})):
        _, rows = rows_of(purser, KEY, path, **headers)
        assert rows["talk"]["id"] == "alice/s1" and rows["talk"]["spent"] > 0
    assert rows_of(purser, KEY)[1]["talk"]["spent"] == 0


def test_the_admin_sees_all_and_strangers_nothing(shared_provider, start):
    purser = start(shared_provider, keys=KEYS, budgets=SHARED)
    purser.booked(purser.chat())
    purser.booked(purser.chat(key=BOB))
    rows = purser.budgets(ADMIN)
    assert {("team", "research", "usd"), ("team", "sales", "usd"), ("own", "alice", "tokens"),
            ("bobs", "bob", "usd"), ("talk", "alice/alice", "usd")} <= set(rows)
    assert rows[("team", "research", "usd")]["spent"] > 0
    error_of(httpx.get(purser.base + "/budget"), 401, "invalid_api_key")


def test_shared_amounts_can_be_shown(shared_provider, start):
    purser = start(shared_provider, keys=KEYS, budgets=SHARED, show_shared=True)
    assert rows_of(purser, KEY)[1]["team"]["limit"] == 1


def test_reserved_is_shown_apart_from_spent(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(usd=1)])
    with held(purser, max_tokens=100):
        row = purser.budgets()[("one", "all", "usd")]
    assert row["spent"] == 0 and usd(row["reserved"]) == bound_of(max_tokens=100)
    assert usd(row["remaining"]) == NANO - usd(row["reserved"])


def test_a_budget_past_80_percent_is_a_warning(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(requests=5)])
    states = []
    for _ in range(5):
        purser.booked(purser.chat())
        row = purser.budgets()[("one", "all", "requests")]
        states.append((row["used_percent"], row["status"]))
    assert states == [(20, "ok"), (40, "ok"), (60, "ok"), (80, "warning"), (100, "exhausted")]


def test_many_sessions_meet_the_bound_of_accounts(shared_provider, start):
    purser = start(shared_provider, limits={"accounts": 100},
                   budgets=[budget(scope="session", usd=1)])
    statuses = [purser.chat(headers={"x-purser-session": f"s{number}"}).status_code
                for number in range(120)]
    assert statuses[:90] == [200] * 90 and statuses[-1] == 503
    error_of(purser.chat(headers={"x-purser-session": "another"}), 503, "budget_accounts_full")
    assert purser.chat(headers={"x-purser-session": "s1"}).status_code == 200
