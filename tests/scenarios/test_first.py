"""The shortest way through: one call, capped and booked."""

from harness import usd


def test_a_call_is_answered_and_booked_to_the_nano_dollar(provider, start):
    purser = start(budgets=[{"name": "daily", "scope": "global", "window": "day", "usd": 1}])
    answer = purser.chat(fake="prompt=5,output=7")
    assert answer.status_code == 200, answer.text
    cost = 5 * 150 + 7 * 600
    assert usd(answer.headers["x-purser-cost-usd"]) == cost
    assert provider.settled_bill()["cost_nano_usd"] == cost
    assert purser.costs()["total"]["cost_nano_usd"] == cost
    assert sum(purser.settled().values()) == cost
