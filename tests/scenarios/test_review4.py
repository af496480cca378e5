"""Whoever asks, whatever is written: purser stays up and keeps count."""

from purses import budget


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
