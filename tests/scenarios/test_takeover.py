"""A stream that others follow outgrows the budget of who began it: one of those who follow takes it
over, whole, if its budgets allow; who began it reads on for nothing. Whatever happens then, one pays
for the call, no less than the provider bills, and everybody sees the same text."""

import json

import pytest

from harness import wait_until
from test_flights import Asker, check_calls, read_all

FAKE = "prompt=5,output=600,gap_ms=3"
WHOLE = 5 * 150 + 600 * 600  # what it costs
RIVAL = 5 * 150 + 601 * 600
KEYS = {name: f"sk-test-{name}-0123456789abcdef" for name in ("ann", "bob", "cat", "dan")}
OWN = {"ann": 0.0006, "dan": 0.0002}  # 1000 and 333 tokens of output; the others have more


def team(start, provider, own=OWN, **more):
    budgets = [{"name": "daily", "scope": "global", "window": "day", "usd": 10, "requests": 100},
               {"name": "own", "scope": "key", "window": "day", "usd": 1, "overrides": own}]
    purser = start(
        provider, budgets=budgets, cache={"namespace": "team"},
        keys=[{"id": name, "key": key, "team": "research"} for name, key in KEYS.items()],
        admission={"slice_tokens": 300, **more.pop("admission", {})}, **more)
    for key in KEYS.values():  # ceilings have grown: nobody is stopped because a disk is slow
        assert purser.chat(key=key, fake="status=400", max_tokens=1000).status_code == 400
    return purser


def ask(purser, name, usage=False):
    """Asks the same as everybody; has read its beginning."""
    more = {"stream_options": {"include_usage": True}} if usage else {}
    asker = Asker(purser, FAKE, key=KEYS[name], stream=True, max_tokens=600, **more)
    asker.read_until(b"content")
    return asker


def held_by(purser, name):
    return purser.budgets()[("own", name, "usd")]["reserved"]


def lead(purser, usage=False):
    """What is not the cache's holds 601 tokens of ann's budget for a while; then ann leads."""
    rival = Asker(purser, "output=5,delay_ms=60000", key=KEYS["ann"], max_tokens=601, temperature=1)
    wait_until(lambda: ("own", "ann", "usd") in purser.budgets() and held_by(purser, "ann") > 0,
               what="the rival's hold")
    return rival, ask(purser, "ann", usage)


def lines_of(purser, name, *kinds):
    """Of the call that is shared, or a part in it."""
    return [line for line in purser.ledger() if line["kind"] in kinds and line["key"] == name
            and line.get("hold_nano_usd") != RIVAL and line.get("status") != 400]


def taken_over(purser, name):
    wait_until(lambda: any(line["attempt"] == 2 for line in lines_of(purser, name, "reserve")), 20,
               f"{name} to take over")


class Read:
    def __init__(self, asker):
        lines = asker.body().decode().split("\n")
        events = [line[6:] for line in lines if line.startswith("data: ")]
        self.done = events[-1] == "[DONE]"
        self.chunks = [json.loads(event) for event in events if event != "[DONE]"]
        self.comments = [line for line in lines if line.startswith(":")]
        choices = [choice for chunk in self.chunks for choice in chunk.get("choices", [])]
        self.text = "".join(choice["delta"].get("content") or "" for choice in choices)
        self.finish = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


def read(*askers):
    read_all(askers)
    return [Read(asker) for asker in askers]


def check_whole(*answers):
    for answer in answers:
        assert answer.finish == ["stop"] and answer.done
        assert answer.text == answers[0].text


def check_payer(purser, provider, payer, *others):
    """Who pays what, once the rival is gone; the amount."""
    purser.idle()
    check_calls(purser)
    bill = provider.settled_bill(False)
    booked = sum(purser.settled().values())
    assert bill["cost_nano_usd"] <= booked
    paid = [line for line in lines_of(purser, payer, "settle") if line["cost_nano_usd"] > 0]
    assert len(paid) == 1 and paid[0]["attempt"] == 2
    for name in others:
        lines = lines_of(purser, name, "settle")
        assert lines and not any(line["cost_nano_usd"] for line in lines if line.get("attempt") != 1
                                 or line["stop_reason"] == "budget"), lines
    requests = purser.budgets()[("daily", "all", "requests")]
    assert requests["reserved"] == 0
    return paid[0]


def gone(rival, purser):
    rival.leave()
    wait_until(lambda: held_by(purser, "ann") == 0, 20, "the rival to go")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_follower_takes_over_what_outgrows_the_budget_of_who_began(start, provider, workers):
    purser = team(start, provider, workers=workers, stream_cost_comment=True)
    rival, ann = lead(purser, usage=True)
    bob = ask(purser, "bob")
    answers = read(ann, bob)
    check_whole(*answers)
    assert answers[0].chunks[-1]["usage"]["completion_tokens"] == 600
    assert answers[0].chunks[-1]["usage"]["cost"] == 0
    assert [line for line in answers[0].comments if "cost_usd" in line] == [": purser cost_usd=0"]
    gone(rival, purser)
    line = check_payer(purser, provider, "bob", "ann")
    assert line["cost_nano_usd"] == WHOLE and line["usage_source"] == "reported"
    assert line["stop_reason"] == "stop" and line["status"] == 200
    anns = [line for line in lines_of(purser, "ann", "settle") if line["stop_reason"] == "budget"]
    assert [(line["cost_nano_usd"], line["status"]) for line in anns] == [(0, 200)]
    assert purser.budgets()[("daily", "all", "requests")]["spent"] == len(KEYS) + 3
    calls = provider.bill()["requests"]
    ask(purser, "cat").leave()  # it was kept
    assert provider.bill()["requests"] == calls


def test_who_cannot_pay_is_passed_over(start, provider):
    purser = team(start, provider)
    rival, ann = lead(purser)
    dan, bob = ask(purser, "dan"), ask(purser, "bob")
    check_whole(*read(ann, dan, bob))
    gone(rival, purser)
    assert check_payer(purser, provider, "bob", "ann", "dan")["cost_nano_usd"] == WHOLE


def test_where_nobody_can_pay_it_ends_for_all(start, provider):
    purser = team(start, provider)
    rival, ann = lead(purser)
    dan = ask(purser, "dan")
    for answer in read(ann, dan):
        assert answer.finish == ["length"] and answer.done
    gone(rival, purser)
    purser.idle()
    check_calls(purser)
    assert purser.budgets()[("own", "ann", "usd")]["spent"] != "0"
    booked = sum(purser.settled().values())
    assert provider.settled_bill(False)["cost_nano_usd"] <= booked <= 0.0006 * 10 ** 9
    assert {line["cost_nano_usd"] for line in lines_of(purser, "dan", "settle")} == {0}


def test_who_comes_after_the_refusal_is_asked_too(start, provider):
    purser = team(start, provider)
    rival, ann = lead(purser)
    dan = ask(purser, "dan")
    while ann.got.count(b"content") < 140:  # it was refused, and dan has declined
        assert b"[DONE]" not in ann.read_some()
    bob = ask(purser, "bob")
    check_whole(*read(ann, dan, bob))
    gone(rival, purser)
    check_payer(purser, provider, "bob", "ann", "dan")


def test_when_who_took_over_leaves_the_next_one_does(start, provider):
    purser = team(start, provider)
    rival, ann = lead(purser)
    bob, cat = ask(purser, "bob"), ask(purser, "cat")
    taken_over(purser, "bob")
    bob.leave()
    taken_over(purser, "cat")
    check_whole(*read(ann, cat))
    gone(rival, purser)
    assert check_payer(purser, provider, "cat", "ann", "bob")["cost_nano_usd"] == WHOLE
    assert {line["stop_reason"] for line in lines_of(purser, "bob", "settle")} == {"client"}


@pytest.mark.parametrize("early_stop", ["length", "error"])
def test_when_all_who_could_pay_have_left_it_ends(start, provider, early_stop):
    purser = team(start, provider, admission={"early_stop": early_stop}, stream_cost_comment=True)
    rival, ann = lead(purser)
    bob = ask(purser, "bob")
    taken_over(purser, "bob")
    bob.leave()
    [answer] = read(ann)
    assert answer.done and answer.comments[-1] == ": purser cost_usd=0 stopped_by=own"
    if early_stop == "length":
        assert answer.finish == ["length"]
    else:
        error = answer.chunks[-1]["error"]
        assert error["code"] == "budget_exceeded" and '"own" (key ann' in error["message"], error
    gone(rival, purser)
    line = check_payer(purser, provider, "bob", "ann")
    assert line["cost_nano_usd"] < WHOLE and line["usage_source"] == "counted"


def test_who_began_may_leave_after_it_was_taken_over(start, provider):
    purser = team(start, provider)
    rival, ann = lead(purser)
    bob = ask(purser, "bob")
    taken_over(purser, "bob")
    ann.leave()
    check_whole(*read(bob))
    gone(rival, purser)
    line = check_payer(purser, provider, "bob", "ann")
    assert line["cost_nano_usd"] == WHOLE
    assert (line["stop_reason"], line["status"]) == ("stop", 200)


def test_when_everybody_leaves_what_was_taken_over_ends(start, provider):
    purser = team(start, provider)
    rival, ann = lead(purser)
    bob = ask(purser, "bob")
    taken_over(purser, "bob")
    ann.leave()
    bob.leave()
    gone(rival, purser)
    line = check_payer(purser, provider, "bob", "ann")
    assert line["cost_nano_usd"] < WHOLE and line["stop_reason"] == "client"


def test_what_was_taken_over_is_booked_after_a_kill(start, provider):
    purser = team(start, provider)
    rival, ann = lead(purser)
    bob = ask(purser, "bob")
    taken_over(purser, "bob")
    purser.process.kill()
    rival.leave()
    purser.start()
    purser.idle()
    check_calls(purser)
    bill = provider.settled_bill(False)["cost_nano_usd"]
    assert bill <= sum(purser.settled().values())
    bobs = lines_of(purser, "bob", "forfeit")
    assert [(line["attempt"], line["cost_nano_usd"] >= WHOLE) for line in bobs] == [(2, True)]
    for name, limit in (("ann", 0.0006), ("bob", 1)):
        row = purser.budgets()[("own", name, "usd")]
        assert row["spent"] <= limit
