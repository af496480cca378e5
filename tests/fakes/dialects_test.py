#!/usr/bin/env python3
"""The fake provider speaks Anthropic's Messages and OpenAI's Responses as its README says."""

import json
import time
import unittest

from provider_test import Fake, chat, read_all

VERSION = {"anthropic-version": "2023-06-01"}
SONNET = "claude-sonnet-4-5"


def typed_events(text, end="\n"):
    """(event, data) of each event."""
    got = []
    for block in text.decode().split(end + end):
        if not block:
            continue
        event, data = block.split(end)
        assert event.startswith("event: ") and data.startswith("data: "), block
        parsed = json.loads(data[6:])
        assert parsed["type"] == event[7:], block
        got.append(parsed)
    return got


def kinds(parts):
    return [part["type"] for part in parts]


class Messages(Fake):
    def post(self, text="hello there", path="/v1/messages", headers=VERSION, **members):
        body = {"model": SONNET, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
        body.update(members)
        return self.fake.call("POST", path, json.dumps(body), headers)

    def message(self, *args, **members):
        answer = self.post(*args, **members)
        self.assertEqual(answer.status, 200, answer.text)
        return json.loads(answer.text)

    def stream(self, *args, **members):
        return typed_events(self.post(*args, stream=True, **members).text)

    def test_answers_with_sixteen_tokens(self):
        answer = self.post(system="abcd")
        body = json.loads(answer.text)
        self.assertEqual((body["type"], body["role"], body["model"]),
                         ("message", "assistant", SONNET))
        self.assertEqual(answer.headers["request-id"], body["id"])
        self.assertEqual(len(body["content"][0]["text"].split()), 16)
        self.assertEqual(body["stop_reason"], "end_turn")
        self.assertEqual((body["usage"]["input_tokens"], body["usage"]["output_tokens"]), (6, 16))
        self.assertEqual(self.bill()["cost_nano_usd"], 6 * 3000 + 16 * 15000)

    def test_tells_cache_reads_and_writes_apart(self):
        body = self.message("[fake prompt=1000 cached=500 cache_write=200 cache_write_1h=100]")
        usage = body["usage"]
        self.assertEqual(usage["input_tokens"], 200)
        self.assertEqual(usage["cache_read_input_tokens"], 500)
        self.assertEqual(usage["cache_creation_input_tokens"], 300)
        self.assertEqual(usage["cache_creation"], {"ephemeral_5m_input_tokens": 200,
                                                   "ephemeral_1h_input_tokens": 100})
        call = self.fake.json("/fake/bill/" + body["id"])
        self.assertEqual(call["prompt_tokens"], 1000)
        self.assertEqual(call["cost_nano_usd"],
                         200 * 3000 + 500 * 300 + 200 * 3750 + 100 * 6000 + 16 * 15000)

    def test_a_long_prompt_has_other_prices_for_all_of_it(self):
        self.message("[fake prompt=200001 cached=1 output=2]")
        self.assertEqual(self.bill()["cost_nano_usd"], 200000 * 6000 + 600 + 2 * 22500)

    def test_bills_searches(self):
        body = self.message("[fake searches=2 prompt=0 output=0]")
        self.assertEqual(body["usage"]["server_tool_use"], {"web_search_requests": 2})
        self.assertEqual(self.bill()["cost_nano_usd"], 20000000)

    def test_streams(self):
        parts = self.stream("[fake output=3 prompt=40 cached=30]")
        self.assertEqual(kinds(parts), [
            "message_start", "content_block_start", "ping", *["content_block_delta"] * 3,
            "content_block_stop", "message_delta", "message_stop"])
        begun = parts[0]["message"]
        self.assertEqual((begun["usage"]["input_tokens"], begun["usage"]["output_tokens"],
                          begun["content"], begun["stop_reason"]), (10, 1, [], None))
        text = "".join(part["delta"]["text"] for part in parts[3:6])
        self.assertEqual(text, self.message("[fake output=3]")["content"][0]["text"])
        self.assertEqual(parts[-2]["delta"]["stop_reason"], "end_turn")
        self.assertEqual(parts[-2]["usage"], {
            "input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 30,
            "output_tokens": 3})

    def test_thinks(self):
        body = self.message("[fake output=10 reasoning=7]")
        self.assertEqual([block["type"] for block in body["content"]], ["thinking", "text"])
        self.assertEqual(len(body["content"][1]["text"].split()), 3)
        self.assertEqual(body["usage"]["output_tokens"], 10)
        parts = self.stream("[fake output=10 reasoning=7 chunks=1]")
        self.assertEqual(kinds(parts), [
            "message_start", "content_block_start", "ping", "content_block_delta",
            "content_block_delta", "content_block_stop", "content_block_start",
            "content_block_delta", "content_block_stop", "message_delta", "message_stop"])
        self.assertEqual([part.get("index") for part in parts[1:-2] if part["type"] != "ping"],
                         [0, 0, 0, 0, 1, 1, 1])
        self.assertEqual(self.bill()["completion_tokens"], 20)

    def test_uses_a_tool(self):
        body = self.message("[fake tool=weather output=4]")
        self.assertEqual((body["stop_reason"], body["content"][0]["name"]), ("tool_use", "weather"))
        parts = self.stream("[fake tool=weather output=4 chunks=2]")
        self.assertEqual(parts[1]["content_block"]["name"], "weather")
        joined = "".join(part["delta"]["partial_json"] for part in parts
                         if part["type"] == "content_block_delta")
        self.assertEqual(json.loads(joined), body["content"][0]["input"])

    def test_is_cut_by_the_maximum(self):
        self.assertEqual(self.message(max_tokens=5)["stop_reason"], "max_tokens")
        parts = self.stream(max_tokens=5)
        self.assertEqual((parts[-2]["delta"]["stop_reason"], parts[-2]["usage"]["output_tokens"]),
                         ("max_tokens", 5))
        self.assertEqual(self.message("[fake ignore_max=1]", max_tokens=5)["usage"]["output_tokens"],
                         16)

    def test_leaves_usage_out_and_lies(self):
        self.assertNotIn("usage", self.message("[fake usage=missing]"))
        parts = self.stream("[fake usage=missing]")
        self.assertTrue(all("usage" not in p and "usage" not in p.get("message", {}) for p in parts))
        self.assertEqual(self.message("[fake usage=lie:3]")["usage"]["output_tokens"], 3)

    def test_refuses_in_its_own_shape(self):
        answer = self.post("[fake status=529]")
        error = json.loads(answer.text)
        self.assertEqual((answer.status, error["type"], error["error"]["type"]),
                         (529, "error", "overloaded_error"))
        for members in ({"max_tokens": 0}, {"messages": None}, {"model": None},
                        {"thinking": {"type": "enabled", "budget_tokens": 100}}):
            self.assertEqual(self.post(**members).status, 400, members)
        self.assertEqual(self.post(headers={}).status, 400)

    def test_fails_in_mid_stream(self):
        parts = self.stream("[fake fail_after=2]")
        self.assertEqual(kinds(parts)[-3:], ["content_block_delta"] * 2 + ["error"])
        self.assertEqual(self.bill()["completion_tokens"], 2)

    def test_ends_lines_with_crlf(self):
        text = self.post("[fake events_crlf=1]", stream=True).text
        self.assertEqual(typed_events(text, "\r\n")[-1]["type"], "message_stop")

    def test_counts_tokens_for_nothing(self):
        answer = self.post("abcdefgh", path="/v1/messages/count_tokens")
        self.assertEqual(json.loads(answer.text), {"input_tokens": 4})
        bill = self.bill()
        self.assertEqual((bill["requests"], bill["prompt_tokens"], bill["cost_nano_usd"]), (1, 0, 0))

    def test_generates_a_tail_after_its_client_has_left(self):
        body = json.dumps({"model": SONNET, "max_tokens": 100, "stream": True, "messages": [
            {"role": "user", "content": "[fake output=50 tail=7 gap_ms=10000]"}]}).encode()
        connection = self.fake.raw(body, "/v1/messages", "anthropic-version: 2023-06-01\r\n")
        got = b""
        while b"text_delta" not in got:
            got += connection.recv(65536)
        connection.close()
        call = self.wait_for(1, "client_gone")[0]
        self.assertEqual(call["completion_tokens"], 1 + 7)

    def test_resets_a_stream(self):
        body = json.dumps({"model": SONNET, "max_tokens": 9, "stream": True, "messages": [
            {"role": "user", "content": "[fake die_after=3]"}]}).encode()
        got, reset = read_all(
            self.fake.raw(body, "/v1/messages", "anthropic-version: 2023-06-01\r\n"))
        self.assertTrue(reset)
        self.assertEqual(got.count(b"text_delta"), 3)


class Tails(Fake):
    def test_a_tail_is_never_longer_than_the_answer(self):
        connection = self.fake.raw(chat("[fake output=5 tail=100 gap_ms=10000]", stream=True))
        got = b""
        while b'"content":"' not in got:
            got += connection.recv(65536)
        connection.close()
        self.assertEqual(self.wait_for(1, "client_gone")[0]["completion_tokens"], 5)


class Responses(Fake):
    def post(self, text="hello there", path="/v1/responses", **members):
        body = {"model": "gpt-4o-mini", "input": text}
        body.update(members)
        return self.fake.call("POST", path, json.dumps(body))

    def response(self, *args, **members):
        answer = self.post(*args, **members)
        self.assertEqual(answer.status, 200, answer.text)
        return json.loads(answer.text)

    def stream(self, *args, **members):
        parts = typed_events(self.post(*args, stream=True, **members).text)
        self.assertEqual([part["sequence_number"] for part in parts], list(range(len(parts))))
        return parts

    def get(self, ident, what=""):
        answer = self.fake.call("GET", f"/v1/responses/{ident}{what}")
        return answer.status, json.loads(answer.text)

    def wait_for_status(self, ident, status):
        deadline = time.monotonic() + 10
        while self.get(ident)[1]["status"] != status:
            self.assertLess(time.monotonic(), deadline, self.get(ident))
            time.sleep(0.005)
        return self.get(ident)[1]

    def test_answers_with_sixteen_tokens(self):
        body = self.response(instructions="abcd")
        self.assertTrue(body["id"].startswith("resp_"))
        self.assertEqual((body["object"], body["status"]), ("response", "completed"))
        self.assertEqual(len(body["output"][0]["content"][0]["text"].split()), 16)
        self.assertEqual(body["usage"], {
            "input_tokens": 6, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 16,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 22})
        self.assertEqual(self.bill()["cost_nano_usd"], 6 * 150 + 16 * 600)

    def test_reads_items(self):
        items = [{"role": "user", "content": [{"type": "input_text", "text": "abcd"}]},
                 {"type": "function_call_output", "call_id": "c", "output": "efgh"}]
        self.assertEqual(self.response(items)["usage"]["input_tokens"], 5)

    def test_is_cut_by_its_maximum_of_at_least_sixteen(self):
        body = self.response("[fake output=40]", max_output_tokens=17)
        self.assertEqual((body["status"], body["incomplete_details"]["reason"]),
                         ("incomplete", "max_output_tokens"))
        self.assertEqual(body["usage"]["output_tokens"], 17)
        self.assertEqual(self.post(max_output_tokens=15).status, 400)

    def test_streams(self):
        parts = self.stream("[fake output=3 prompt=9]")
        self.assertEqual(kinds(parts), ["response." + name for name in (
            "created", "in_progress", "output_item.added", "content_part.added",
            *["output_text.delta"] * 3, "output_text.done", "content_part.done",
            "output_item.done", "completed")])
        text = "".join(part["delta"] for part in parts[4:7])
        self.assertEqual(parts[7]["text"], text)
        last = parts[-1]["response"]
        self.assertEqual(last["output"][0]["content"][0]["text"], text)
        self.assertEqual((last["status"], last["usage"]["total_tokens"]), ("completed", 12))
        self.assertEqual((parts[0]["response"]["status"], parts[0]["response"]["usage"]),
                         ("in_progress", None))

    def test_a_stream_is_cut(self):
        parts = self.stream("[fake output=40]", max_output_tokens=20)
        self.assertEqual(kinds(parts)[-1], "response.incomplete")
        self.assertEqual(parts[-1]["response"]["usage"]["output_tokens"], 20)

    def test_reasons_and_searches(self):
        body = self.response("[fake output=10 reasoning=7 searches=1]")
        self.assertEqual([item["type"] for item in body["output"]],
                         ["reasoning", "web_search_call", "message"])
        self.assertEqual(body["usage"]["output_tokens_details"]["reasoning_tokens"], 7)
        parts = self.stream("[fake output=10 reasoning=7 searches=1 chunks=1]")
        items = [(part["type"], part["output_index"], part["item"]["type"]) for part in parts
                 if "item" in part]
        self.assertEqual(items, [("response.output_item." + what, index, kind)
                                 for index, kind in enumerate(("reasoning", "web_search_call",
                                                               "message"))
                                 for what in ("added", "done")])
        self.assertEqual(self.bill()["cost_nano_usd"],
                         2 * 10000000 + self.bill()["prompt_tokens"] * 150 + 20 * 600)

    def test_calls_a_function(self):
        item = self.response("[fake tool=weather output=4]")["output"][0]
        self.assertEqual((item["type"], item["name"]), ("function_call", "weather"))
        self.assertEqual(len(json.loads(item["arguments"])["words"].split()), 4)
        parts = self.stream("[fake tool=weather output=4 chunks=2]")
        deltas = [part["delta"] for part in parts if part["type"].endswith("arguments.delta")]
        self.assertEqual("".join(deltas), item["arguments"])
        self.assertEqual(parts[-1]["response"]["output"][0]["arguments"], item["arguments"])

    def test_fails_in_mid_stream(self):
        parts = self.stream("[fake fail_after=2]")
        self.assertEqual(kinds(parts)[-1], "response.failed")
        self.assertEqual(parts[-1]["response"]["error"]["code"], "server_error")
        self.assertEqual(self.bill()["completion_tokens"], 2)

    def test_counts_input_tokens_for_nothing(self):
        answer = self.post("abcdefgh", path="/v1/responses/input_tokens")
        self.assertEqual(json.loads(answer.text),
                         {"object": "response.input_tokens", "input_tokens": 4})
        self.assertEqual(self.bill()["cost_nano_usd"], 0)

    def test_keeps_what_is_to_be_stored(self):
        body = self.response("abc")
        self.assertEqual(self.get(body["id"]), (200, body))
        status, items = self.get(body["id"], "/input_items")
        self.assertEqual((status, items["data"][0]["content"][0]["text"]), (200, "abc"))
        more = self.response("abc", previous_response_id=body["id"])
        self.assertEqual(more["usage"]["input_tokens"], 4 + 4 + 16)
        self.assertEqual(self.post(previous_response_id="resp_none").status, 400)
        answer = self.fake.call("DELETE", "/v1/responses/" + body["id"])
        self.assertTrue(json.loads(answer.text)["deleted"])
        self.assertEqual(self.get(body["id"])[0], 404)
        self.assertEqual(self.get(self.response(store=False)["id"])[0], 404)

    def test_works_in_the_background(self):
        body = self.response("[fake delay_ms=50 gap_ms=5 output=20]", background=True)
        self.assertEqual((body["status"], body["output"], body["usage"]), ("queued", [], None))
        self.wait_for_status(body["id"], "in_progress")
        done = self.wait_for_status(body["id"], "completed")
        self.assertEqual(done["usage"]["output_tokens"], 20)
        call = self.fake.json("/fake/bill/" + body["id"])
        self.assertEqual((call["state"], call["completion_tokens"]), ("done", 20))
        self.assertEqual(self.post(background=True, store=False).status, 400)

    def test_cancels_what_works_in_the_background(self):
        body = self.response("[fake gap_ms=20 output=500]", background=True)
        self.wait_for_status(body["id"], "in_progress")
        answer = self.fake.call("POST", f"/v1/responses/{body['id']}/cancel")
        self.assertEqual(json.loads(answer.text)["status"], "cancelled")
        call = self.wait_for(1, "done")[0]
        self.assertLess(call["completion_tokens"], 500)
        self.assertEqual(self.get(body["id"])[1]["status"], "cancelled")
        other = self.response()["id"]
        self.assertEqual(self.fake.call("POST", f"/v1/responses/{other}/cancel").status, 400)

    def test_fails_in_the_background(self):
        body = self.response("[fake fail_after=3]", background=True)
        self.assertEqual(self.wait_for_status(body["id"], "failed")["usage"], None)
        self.assertEqual(self.bill()["completion_tokens"], 3)

    def test_a_stream_in_the_background_outlives_its_client(self):
        body = json.dumps({"model": "gpt-4o-mini", "input": "[fake gap_ms=5 output=30]",
                           "stream": True, "background": True}).encode()
        connection = self.fake.raw(body, "/v1/responses")
        connection.recv(65536)
        connection.close()
        self.assertEqual(self.wait_for(1, "client_gone")[0]["completion_tokens"], 30)


if __name__ == "__main__":
    unittest.main()
