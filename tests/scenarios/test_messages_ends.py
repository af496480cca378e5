"""Streams of Anthropic's Messages that hold their output slice by slice: each ends where its budget
does, in its own dialect; who thinks is held in full; and what is booked bounds what was billed."""

import json
import threading

import httpx
import pytest

from harness import KEY, Purser, upstream_of, usd, wait_until

MODEL = "claude-haiku-4-5"
RICH = [{"name": "daily", "scope": "global", "window": "day", "usd": 10}]
INPUT, OUTPUT = 1000, 5000  # nano-dollars a token


def start(provider, usd_limit, **admission):
    upstream = {**upstream_of(provider), "dialect": "anthropic", "provider": "anthropic"}
    return Purser(upstreams=[upstream], admission={"slice_tokens": 100, "wait_ms": 0, **admission},
                  budgets=[{"name": "purse", "scope": "global", "window": "day",
                            "usd": usd_limit}])


class Stream:
    """A stream read by a thread of its own."""

    def __init__(self, purser, fake, **body):
        self.purser, self.fake = purser, fake
        self.body = {"model": MODEL, "stream": True, "max_tokens": 3000,
                     "messages": [{"role": "user", "content": "hi"}], **body}
        self.events, self.broken, self.name, self.status = [], False, None, None
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        with httpx.stream("POST", f"{self.purser.base}/v1/messages", json=self.body, timeout=60,
                          headers={"x-api-key": KEY, "x-fake": self.fake}) as answer:
            self.status, self.name = answer.status_code, answer.headers["x-purser-request-id"]
            try:
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        self.events.append(json.loads(line[6:]))
            except httpx.HTTPError:
                self.broken = True

    def join(self):
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self

    def types(self):
        return [event["type"] for event in self.events]


def rivals(purser, fake="output=3000,gap_ms=3", count=2, **body):
    """Streams that together want more than there is; those that purser ended."""
    streams = [Stream(purser, fake, **body) for _ in range(count)]
    return [stream for stream in (stream.join() for stream in streams)
            if stream.status == 200 and purser.booked(stream.name)["stop_reason"] == "budget"]


def bill_of(provider, name):
    def found():
        calls = [call for call in provider.bill()["calls"] if call["purser_request_id"] == name]
        return calls and calls[0]["state"] != "open" and calls[0]
    return wait_until(found, what=f"the bill of {name}")


def test_a_stream_ends_where_its_budget_does(shared_provider):
    with start(shared_provider, 0.02) as purser:
        before = shared_provider.settled_bill(False)["cost_nano_usd"]
        ended = rivals(purser)
        assert ended
        for stream in ended:
            assert not stream.broken
            assert stream.types()[-3:] == ["content_block_stop", "message_delta", "message_stop"]
            assert stream.types().count("message_start") == 1
            last = stream.events[-2]
            line, bill = purser.booked(stream.name), bill_of(shared_provider, stream.name)
            assert last["delta"] == {"stop_reason": "max_tokens", "stop_sequence": None}
            assert last["usage"]["output_tokens"] == line["completion_tokens"]
            assert usd(last["usage"]["cost"]) == line["cost_nano_usd"]
            assert line["usage_source"] == "counted" and bill["state"] == "client_gone"
            assert line["prompt_tokens"] == bill["prompt_tokens"]  # was told in the beginning
            assert line["completion_tokens"] >= bill["completion_tokens"]
            assert line["cost_nano_usd"] >= bill["cost_nano_usd"]
        assert any(line["kind"] == "extend" for line in purser.ledger())
        assert purser.budgets()["purse", "all", "usd"]["reserved"] == 0
        assert shared_provider.settled_bill(False)["cost_nano_usd"] - before <= 20_000_000


def test_a_tool_call_is_cut_off_as_at_its_maximum(shared_provider):
    with start(shared_provider, 0.02) as purser:
        ended = rivals(purser, "output=3000,gap_ms=3,tool=look")
        assert ended
        for stream in ended:
            assert stream.types()[-3:] == ["content_block_stop", "message_delta", "message_stop"]
            started = [event for event in stream.events if event["type"] == "content_block_start"]
            assert stream.events[-3]["index"] == started[-1]["index"]


def test_it_may_end_with_an_error_event(shared_provider):
    with start(shared_provider, 0.02, early_stop="error") as purser:
        ended = rivals(purser)
        assert ended
        for stream in ended:
            error = stream.events[-1]
            assert error["type"] == "error" and error["error"]["type"] == "rate_limit_error"
            assert error["error"]["code"] == "budget_exceeded"
            assert error["error"]["message"].startswith("Budget has been exceeded!")
            assert "message_stop" not in stream.types()


def test_who_thinks_is_held_in_full_and_never_cut(shared_provider):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    with start(shared_provider, 0.05) as purser:
        stream = Stream(purser, "output=200,reasoning=100,prompt=10", thinking=thinking).join()
        assert stream.types()[-1] == "message_stop"
        reserve, settle = purser.lines_of(stream.name)  # nothing was extended
        assert reserve["hold_nano_usd"] >= 3000 * OUTPUT
        assert settle["cost_nano_usd"] == 10 * INPUT + 200 * OUTPUT
        assert rivals(purser, "output=300,gap_ms=3", thinking=thinking, count=3) == []


def test_thinking_that_nobody_asked_for_is_held_in_full_once_it_shows(shared_provider):
    with start(shared_provider, 0.05) as purser:
        stream = Stream(purser, "output=300,reasoning=200,gap_ms=1,prompt=10").join()
        lines = purser.lines_of(stream.name)
        assert [line["kind"] for line in lines] == ["reserve", "extend", "settle"]
        assert lines[0]["hold_nano_usd"] < 3000 * OUTPUT <= lines[1]["hold_nano_usd"]
        assert lines[2]["cost_nano_usd"] == 10 * INPUT + 300 * OUTPUT


def test_who_hangs_up_on_a_text_pays_for_it_and_a_little_more(shared_provider):
    with start(shared_provider, 5) as purser:
        with httpx.stream("POST", f"{purser.base}/v1/messages", headers={
                "x-api-key": KEY, "x-fake": "output=2000,gap_ms=10,prompt=50,cached=40"}, json={
                "model": MODEL, "stream": True, "max_tokens": 3000, "messages": []}) as answer:
            lines = answer.iter_lines()
            for _ in range(30):
                next(lines)
        name = answer.headers["x-purser-request-id"]
        line, bill = purser.booked(name), bill_of(shared_provider, name)
        assert line["usage_source"] == "counted" and line["stop_reason"] == "client"
        assert (line["prompt_tokens"], line["cached_tokens"]) == (50, 40)
        assert bill["cost_nano_usd"] <= line["cost_nano_usd"] < 1000 * OUTPUT


def test_who_hangs_up_on_thinking_has_it_read_to_its_end(shared_provider):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    with start(shared_provider, 5) as purser:
        with httpx.stream("POST", f"{purser.base}/v1/messages", headers={
                "x-api-key": KEY, "x-fake": "output=200,reasoning=50,gap_ms=5,prompt=50"}, json={
                "model": MODEL, "stream": True, "max_tokens": 3000, "messages": [],
                "thinking": thinking}) as answer:
            lines = answer.iter_lines()
            while "text_delta" not in next(lines):
                pass
        name = answer.headers["x-purser-request-id"]
        line, bill = purser.booked(name), bill_of(shared_provider, name)
        assert (line["usage_source"], line["stop_reason"]) == ("reported", "client")
        assert line["cost_nano_usd"] == bill["cost_nano_usd"] == 50 * INPUT + 200 * OUTPUT


@pytest.mark.parametrize("fake", ["die_after=20,output=90,gap_ms=5",
                                  "half_chunk=1,die_after=20,output=90",
                                  "fail_after=20,output=90,gap_ms=5"])
def test_a_stream_that_breaks_off_is_counted(shared_provider, fake):
    with start(shared_provider, 5) as purser:
        stream = Stream(purser, fake + ",prompt=50").join()
        assert stream.broken and "message_stop" not in stream.types()
        line, bill = purser.booked(stream.name), bill_of(shared_provider, stream.name)
        assert line["usage_source"] == "counted" and line["stop_reason"] == "upstream"
        assert bill["cost_nano_usd"] <= line["cost_nano_usd"] < 1500 * OUTPUT
