"""`purser budget refund`: what was booked without knowing that it was used is given back."""

import subprocess

import httpx
import pytest
from harness import ADMIN, KEY, OUT, error_of, usd
from test_metrics import metrics
from test_recovery import ALL, BUDGETS, check_against_the_bill, cut_ledger, kill, some_calls


@pytest.fixture
def purser(provider, start):
    return start(provider, budgets=BUDGETS)


def command(purser, *words):
    done = subprocess.run([OUT / "purser", "budget", "refund", *words, "--config",
                           purser.config_path], text=True, capture_output=True, timeout=30,
                          env=purser.env)
    return done.returncode, done.stdout, done.stderr


def listed(purser):
    answer = purser.client.get("/admin/forfeits", headers={"Authorization": f"Bearer {ADMIN}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def die_with_a_call(purser):
    with purser.stream(fake="output=50,gap_ms=100", max_tokens=60) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        name = answer.headers["x-purser-request-id"]
        kill(purser)
        with pytest.raises(httpx.HTTPError):
            list(pieces)
    purser.start()
    return name


def booked(purser):
    """By /budget, by the books, by the sum of the lines: the same."""
    row = purser.budgets()[ALL]
    lines = sum(line.get("cost_nano_usd", 0) for line in purser.ledger())
    assert usd(row["spent"]) == purser.costs()["total"]["cost_nano_usd"] == lines
    return usd(row["spent"]), usd(row["forfeited"]), purser.costs()["total"]["requests"]


def test_a_call_that_was_in_flight_is_refunded_once(purser, provider):
    some_calls(purser, 2)
    before, _, _ = booked(purser)
    first = die_with_a_call(purser)
    second = die_with_a_call(purser)
    spent, forfeited, requests = booked(purser)
    assert [row["request_id"] for row in listed(purser)["data"]] == [first, second]
    status, out, _ = command(purser)
    assert status == 0 and first in out and "in flight when purser died" in out
    assert "forfeited and not refunded: 2, $" in out

    status, out, _ = command(purser, first)
    assert status == 0 and "refunded: 1, $" in out
    after, still, same = booked(purser)
    assert spent - after == forfeited - still == usd(listed(purser)["cost_usd"]) > 0
    assert (after - before, same) == (still, requests)
    tokens = purser.budgets()[("keys", "alice", "tokens")]
    assert tokens["forfeited"] == listed(purser)["data"][0]["accounts"][2]["amount"] > 0

    status, _, err = command(purser, first)
    assert status == 1 and "refunded before" in err
    error_of(purser.client.post(f"/admin/refunds/{first}",
                                headers={"Authorization": f"Bearer {ADMIN}"}), 404, "not_found")
    assert booked(purser) == (after, still, same)

    # It is remembered, what can be refunded too; also by another file.
    for end in (lambda: purser.end(), lambda: purser.process.kill()):  # the process of the moment
        end()
        purser.start()
        assert booked(purser) == (after, still, same)
        assert [row["request_id"] for row in listed(purser)["data"]] == [second]
    assert provider.settled_bill(False)["cost_nano_usd"] > 0


def test_a_part_is_given_back_once(purser, provider):
    first, second = die_with_a_call(purser), die_with_a_call(purser)
    spent, forfeited, _ = booked(purser)
    cost = usd(listed(purser)["data"][0]["cost_usd"])
    tokens = purser.budgets()[("keys", "alice", "tokens")]["spent"]
    status, out, err = command(purser, first, "--usd", "0.000001")
    assert status == 0 and "refunded: 1, $0.000001" in out, err
    assert booked(purser)[:2] == (spent - 1000, forfeited - cost)  # the rest was used, as is known
    assert purser.budgets()[("keys", "alice", "tokens")]["spent"] == tokens
    assert command(purser, first, "--usd", "0.000001")[0] == 1  # the rest was spent
    assert command(purser, first)[0] == 1
    before, cost = booked(purser), usd(listed(purser)["data"][0]["cost_usd"])
    written = f"{cost / 10**9:.9f}".rstrip("0")
    for words in (["--usd", "4"], ["--tokens", "3", "--usd", "4"], ["--tokens", "1000000"]):
        status, out, err = command(purser, second, *words)
        assert (status, out) == (1, "") and f"than was forfeited, ${written} and " in err, err
        assert "nothing was given back" in err and booked(purser) == before
    status, out, err = command(purser, second, "--tokens", "3", "--usd", written)
    assert status == 0, err
    after = booked(purser)[:2]
    assert after == (spent - 1000 - cost, 0)
    tokens_row = purser.budgets()[("keys", "alice", "tokens")]
    assert tokens_row["forfeited"] == 0
    assert metrics(purser)['purser_budget_forfeited{budget="all",scope="global",unit="usd"}'] == 0
    assert purser.budgets()[("keys", "alice", "tokens")]["spent"] == tokens - 3
    purser.end()
    purser.start()
    assert booked(purser)[:2] == after and listed(purser)["count"] == 0
    for words in (["--usd", "1"], [first, "--usd", "-1"], [first, "--tokens", "1.5"],
                  ["--all", "--usd", "1"], [first, "--usd"]):
        assert command(purser, *words)[0] == 2
    for body in ('{"usd": "1"}', '{"euro": 1}', '{}', '[1]', '{"tokens": -1}', '{"usd": 0}'):
        answer = purser.client.post(f"/admin/refunds/{first}", content=body, headers={
            "Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"})
        error_of(answer, 400, "invalid_value")


def test_what_a_power_loss_took_is_refunded_only_at_a_second_word(purser, provider):
    some_calls(purser)
    kill(purser, another_boot=True)
    cut_ledger(purser, 4)
    purser.start()
    bill = provider.settled_bill(False)["cost_nano_usd"]
    excess = check_against_the_bill(purser, provider)
    names = {row["request_id"] for row in listed(purser)["data"] if row["reason"] == "lost"}
    assert excess > 0 and len(names) == 3
    status, out, _ = command(purser, "--all")
    assert status == 0 and "nothing was refunded yet" in out and booked(purser)[0] == bill + excess
    status, out, _ = command(purser, "--all", "--yes")
    assert status == 0 and listed(purser)["count"] == 0
    assert purser.budgets()[ALL]["forfeited"] == 0
    assert command(purser, "--all", "--yes")[0] == 0
    some_calls(purser)
    purser.end()
    purser.start()
    booked(purser)


def test_only_the_operator_refunds(purser):
    for token in (KEY, "sk-nobody"):
        for method, path in (("GET", "/admin/forfeits"), ("POST", "/admin/refunds"),
                             ("POST", "/admin/refunds/req_1")):
            answer = purser.client.request(method, path,
                                           headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code in (401, 403)
    assert command(purser, "--yes")[0] == 2
    assert command(purser, "req_1", "--all")[0] == 2
    assert command(purser, "strange/../name%0a")[0] == 1
