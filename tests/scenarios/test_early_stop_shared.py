"""Streams that the cache shares hold slice by slice, too; where their budget ends, they end for
everybody who follows, regularly, and the books have what the provider bills."""

import threading

import pytest

from harness import wait_until
from test_early_stop import Stream, assert_bounded, limited
from test_flights import Asker

SLICES = {"slice_tokens": 100}
LIMIT = 0.0009  # 1500 tokens of output
FAKE = "output=1000,gap_ms=2"


class Rival:
    """A plain call that holds 600 tokens for seconds."""

    def __init__(self, purser):
        self.thread = threading.Thread(target=purser.chat, args=("something else",), kwargs={
            "max_tokens": 600, "fake": "output=5,delay_ms=4000"})
        self.thread.start()
        wait_until(lambda: purser.budgets()[("purse", "all", "usd")]["reserved"] > 0,
                   what="the rival's hold")


def shared(purser, **more):
    """A stream that others may follow."""
    return Stream(purser, FAKE, temperature=0, max_tokens=1000, **more)


def led(purser, **more):
    """The same, once it has begun: whoever asks then, follows."""
    leader = shared(purser, **more)
    wait_until(lambda: leader.began, what="the stream's beginning")
    return leader


def check_end(stream, finish="length"):
    assert stream.status == 200 and not stream.broken
    assert stream.finishes() == {0: finish} and stream.events[-1] == "[DONE]"


def text_of(stream):
    return "".join(choice["delta"].get("content") or "" for chunk in stream.chunks()
                   for choice in chunk.get("choices", []))


def check_budget(purser, provider, limit):
    bill = provider.settled_bill(False)["cost_nano_usd"]
    booked = sum(purser.settled().values())
    assert bill <= booked <= limit * 10 ** 9
    assert purser.budgets()[("purse", "all", "usd")]["reserved"] == 0


def test_a_stream_that_may_be_shared_begins_with_a_slice(start, provider):
    purser = start(provider, budgets=limited(LIMIT), admission=SLICES)
    stream = shared(purser).join()
    lines = purser.lines_of(stream.name)
    assert lines[0]["hold_nano_usd"] < 400 * 600
    assert "extend" in [line["kind"] for line in lines]
    assert lines[-1]["usage_source"] == "reported" and lines[-1]["completion_tokens"] == 1000
    assert shared(purser).join().finishes() == stream.finishes()  # it was kept
    assert provider.settled_bill()["requests"] == 1


@pytest.mark.parametrize("early_stop", ["length", "error"])
def test_when_its_budget_ends_a_stream_ends_for_all_who_follow(start, provider, early_stop):
    purser = start(provider, budgets=limited(LIMIT), admission={**SLICES, "early_stop": early_stop},
                   stream_cost_comment=True)
    rival = Rival(purser)
    leader = led(purser)
    followers = [shared(purser), shared(purser, stream_options={"include_usage": True})]
    for stream in [leader, *followers]:
        stream.join()
        assert stream.status == 200 and not stream.broken and stream.events[-1] == "[DONE]"
        assert text_of(stream) == text_of(leader) != ""
        if early_stop == "length":
            check_end(stream)
    line, _ = assert_bounded(purser, provider, leader.name, "counted", "budget")
    usage = followers[1].chunks()[-1]
    if early_stop == "length":
        assert usage["choices"] == [] and usage["usage"]["cost"] == 0
        assert usage["usage"]["completion_tokens"] == line["completion_tokens"]
        assert not any(chunk.get("usage") for chunk in followers[0].chunks())
    else:
        told = [stream.chunks()[-1]["error"] for stream in (leader, *followers)]
        assert {error["code"] for error in told} == {"budget_exceeded"}
        assert '"purse"' in told[0]["message"]
        assert all("purse" not in error["message"] and "$" not in error["message"]
                   for error in told[1:])
    for stream in followers:
        lines = purser.lines_of(stream.name)
        assert [(line["cache"], line["cost_nano_usd"]) for line in lines] == [("hit", 0)]
    rival.thread.join()
    check_budget(purser, provider, LIMIT)
    requests = provider.settled_bill()["requests"]
    shared(purser).join()  # what was cut is nobody else's
    assert provider.settled_bill()["requests"] == requests + 1


def test_a_follower_makes_it_hold_in_full_where_there_is_room(start, provider):
    purser = start(provider, budgets=limited(0.01), admission=SLICES)
    leader = led(purser)
    follower = shared(purser)
    for stream in (leader.join(), follower.join()):
        check_end(stream, "stop")
        assert text_of(stream) == text_of(leader)
    line = purser.booked(leader.name)
    assert line["usage_source"] == "reported" and line["completion_tokens"] == 1000
    extends = [line for line in purser.lines_of(leader.name) if line["kind"] == "extend"]
    assert extends and extends[-1]["hold_nano_usd"] >= 1000 * 600


def test_a_stream_whose_first_client_left_ends_for_those_who_stay(start, provider):
    purser = start(provider, budgets=limited(LIMIT), admission=SLICES)
    rival = Rival(purser)
    leader = Asker(purser, FAKE, stream=True, max_tokens=1000,
                   messages=[{"role": "user", "content": "hi"}])
    leader.read_until(b"content")
    follower = shared(purser)
    wait_until(lambda: follower.began, what="the follower's beginning")
    leader.leave()
    check_end(follower.join())
    rival.thread.join()
    purser.idle()
    check_budget(purser, provider, LIMIT)
    assert purser.booked(follower.name)["cost_nano_usd"] == 0
