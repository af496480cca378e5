"""What purser says of itself and of its store: /budget, /readyz, /metrics, refusals."""

import pytest
from fleet import Fleet, budget
from harness import ADMIN, error_of, wait_until
from redises import Redis
from test_metrics import metrics

FIGURES = ("limit", "limit_configured", "spent", "reserved", "remaining", "forfeited", "ceiling",
           "spent_elsewhere")


@pytest.fixture
def redis():
    with Redis() as server:
        yield server


def told(purser):
    answer = purser.client.get("/budget", headers={"Authorization": f"Bearer {ADMIN}"}).json()
    row, = answer["data"]
    return answer["store"], row


def readiness(purser):
    answer = purser.client.get("/readyz")
    return answer.status_code, answer.text


def state(purser):
    states = {name: value for name, value in metrics(purser).items() if "store_state" in name}
    assert sum(states.values()) == 1 and len(states) == 6
    name, = [name for name, value in states.items() if value]
    return name


def test_while_the_store_is_away_what_is_leased_is_spent_and_then_it_is_not_ready(provider, redis):
    with Fleet(provider, redis, count=1, calls=1000) as fleet:
        purser = fleet.pursers[0]
        fleet.until(6)
        assert told(purser)[0] == "redis" and 'state="redis"' in state(purser)
        redis.kill()
        wait_until(lambda: told(purser)[0] == "away", 10, "the store to be missed")
        assert readiness(purser)[0] == 200 and told(purser)[1]["ceiling"] > told(purser)[1]["spent"]
        while (answer := fleet.ask(purser, 0)).status_code == 200:
            pass
        refused = error_of(answer, 503, "budget_store_unavailable")["budget"]
        store, row = told(purser)
        assert {name: refused[name] for name in FIGURES} == {name: row[name] for name in FIGURES}
        status, why = readiness(purser)
        assert (store, status) == ("away", 503) and "does not answer" in why
        seen = metrics(purser)
        assert seen["purser_budgets_grow"] == 0 and 'state="away"' in state(purser)
        labels = '{budget="all",scope="global",unit="usd"}'
        for name in ("spent", "ceiling", "forfeited"):
            assert seen[f"purser_budget_{name}{labels}"] == row[name]
        redis.start()
        wait_until(lambda: told(purser)[0] in ("away", "recovering"), 10)


def test_what_others_have_spent_counts_in_each_view(provider, redis):
    with Fleet(provider, redis, calls=200) as fleet:

        def heard():
            fleet.calls(4)
            rows = [told(purser)[1] for purser in fleet.pursers]
            return rows if all(row["spent_elsewhere"] for row in rows) else None
        for row in wait_until(heard, 20, "both to have heard of each other"):
            assert row["spent"] > row["spent_elsewhere"] > 0
            used = row["remaining"] + row["spent"] + row["reserved"]
            assert abs(used - row["limit"]) < 1e-9


def test_a_store_that_is_empty_is_told_until_it_is_set_up(provider, redis):
    with Fleet(provider, redis, count=1, init=False) as fleet:
        purser = fleet.pursers[0]
        wait_until(lambda: told(purser)[0] == "empty", 10, "the store to be asked")
        status, why = readiness(purser)
        assert status == 503 and "purser budget init" in why
        refused = error_of(fleet.ask(purser, 0), 503, "budget_store_unavailable")
        assert "not set up" in refused["message"]
        assert purser.log().count("the store of budgets is empty: `purser budget init") == 1
        budget(purser, "init")
        wait_until(lambda: told(purser)[0] == "redis", 10, "the store to be open")
        assert "the store of budgets is open (epoch" in purser.log()
        wait_until(lambda: readiness(purser)[0] == 200, 10, "keys of run time to be read")
