#!/usr/bin/env python3
"""The fake provider does what its README says. Usage: provider_test.py [PROVIDER]

The path may also come from PROVIDER in the environment; the default is the release build.
"""

import base64
import gzip
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import time
import unittest
import zlib

BINARY = os.environ.get("PROVIDER", "build/release/tests/fakes/provider")


def chat(text="hello there", **members):
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
    body.update(members)
    return json.dumps(body).encode()


class Provider:
    """A running fake provider."""

    def __init__(self, *options):
        command = [BINARY, "--port", "0", "--die-with-parent", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.line = self.process.stdout.readline()
        self.port = int(self.line.rsplit(":", 1)[1].split("/")[0])

    def close(self):
        self.process.terminate()
        self.process.stdout.close()
        return self.process.wait(timeout=10)

    def call(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.text = answer.read()
        connection.close()
        return answer

    def json(self, path):
        return json.loads(self.call("GET", path).text)

    def raw(self, body, path="/v1/chat/completions", headers=""):
        """Opens a connection and sends one call; the caller reads and closes."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        head = f"POST {path} HTTP/1.1\r\nHost: fake\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        connection.sendall(head.encode() + body)
        return connection


def read_all(connection):
    """What arrives until the end, and whether the end was a reset."""
    got = b""
    with connection:
        while True:
            try:
                part = connection.recv(65536)
            except ConnectionResetError:
                return got, True
            if not part:
                return got, False
            got += part


def events(text, end="\n\n"):
    return [part[6:] for part in text.decode().split(end) if part.startswith("data: ")]


def chunks(text, end="\n\n"):
    return [json.loads(event) for event in events(text, end) if event != "[DONE]"]


def words(parts):
    return " ".join(
        "".join(c["choices"][0]["delta"].get("content", "") for c in parts if c["choices"]).split())


class Fake(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fake = Provider()

    @classmethod
    def tearDownClass(cls):
        assert cls.fake.close() == 0

    def setUp(self):
        self.fake.call("POST", "/fake/reset")

    def chat(self, text="hello there", headers=None, **members):
        return self.fake.call("POST", "/v1/chat/completions", chat(text, **members), headers)

    def answer(self, *args, **members):
        return json.loads(self.chat(*args, **members).text)

    def bill(self):
        return self.fake.json("/fake/bill")

    def wait_for(self, count, state):
        """The calls on the bill once `count` of them are in that state."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            calls = [call for call in self.bill()["calls"] if call["state"] == state]
            if len(calls) == count:
                return calls
            time.sleep(0.01)
        self.fail(f"never {count} calls {state}: {self.bill()}")


class Answers(Fake):
    def test_says_where_it_listens(self):
        self.assertEqual(
            self.fake.line,
            f"fake provider listening on http://127.0.0.1:{self.fake.port}/v1\n")

    def test_answers_chat_with_sixteen_tokens(self):
        answer = self.chat()
        body = json.loads(answer.text)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["x-request-id"], body["id"])
        self.assertEqual(len(body["choices"][0]["message"]["content"].split()), 16)
        self.assertEqual(body["choices"][0]["finish_reason"], "stop")
        self.assertEqual(body["usage"]["completion_tokens"], 16)
        self.assertEqual(body["usage"]["prompt_tokens"], 2 + 3)

    def test_is_cut_by_either_maximum_and_obeys_the_larger(self):
        for members, tokens in (({"max_tokens": 5}, 5), ({"max_completion_tokens": 6}, 6),
                                ({"max_tokens": 3, "max_completion_tokens": 7}, 7)):
            body = self.answer(**members)
            self.assertEqual(body["usage"]["completion_tokens"], tokens)
            self.assertEqual(body["choices"][0]["finish_reason"], "length")

    def test_is_cut_by_the_models_own_maximum(self):
        self.assertEqual(self.answer("[fake output=20000]")["usage"]["completion_tokens"], 16384)

    def test_ignores_the_maximum_when_wished(self):
        body = self.answer("[fake ignore_max=1 output=40]", max_tokens=5)
        self.assertEqual(body["usage"]["completion_tokens"], 40)

    def test_honours_n_and_best_of(self):
        body = self.answer(n=3)
        self.assertEqual([c["index"] for c in body["choices"]], [0, 1, 2])
        self.assertEqual(body["usage"]["completion_tokens"], 48)
        ask = {"model": "gpt-3.5-turbo-instruct", "prompt": ["a", "b"], "n": 2, "best_of": 3}
        answer = self.fake.call("POST", "/v1/completions", json.dumps(ask))
        body = json.loads(answer.text)
        self.assertEqual(len(body["choices"]), 4)
        self.assertEqual(body["usage"]["completion_tokens"], 2 * 3 * 16)

    def test_reads_messages_in_parts_and_token_ids(self):
        parts = [{"type": "text", "text": "abcd"}, {"type": "text", "text": "efgh"}]
        self.assertEqual(self.answer(parts)["usage"]["prompt_tokens"], 2 + 3)
        ask = {"model": "text-embedding-3-small", "input": [1, 2, 3]}
        body = json.loads(self.fake.call("POST", "/v1/embeddings", json.dumps(ask)).text)
        self.assertEqual((len(body["data"]), body["usage"]["prompt_tokens"]), (1, 3))

    def test_embeds_as_floats_and_base64(self):
        ask = {"model": "text-embedding-3-small", "input": ["one", "two"]}
        floats = json.loads(self.fake.call("POST", "/v1/embeddings", json.dumps(ask)).text)
        ask["encoding_format"] = "base64"
        packed = json.loads(self.fake.call("POST", "/v1/embeddings", json.dumps(ask)).text)
        self.assertEqual(len(floats["data"]), 2)
        for plain, coded in zip(floats["data"], packed["data"]):
            self.assertEqual(plain["embedding"],
                             list(struct.unpack("<8f", base64.b64decode(coded["embedding"]))))

    def test_lists_models(self):
        names = [model["id"] for model in self.fake.json("/v1/models")["data"]]
        self.assertIn("gpt-4o-mini", names)

    def test_takes_azures_deployments(self):
        path = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
        body = json.loads(self.fake.call("POST", path, chat(model="ignored")).text)
        self.assertEqual(body["model"], "gpt-4o")

    def test_reads_directives_from_the_header_too(self):
        body = json.loads(self.chat(headers={"x-fake": "output=2,prompt=100,cached=60"}).text)
        self.assertEqual(body["usage"]["completion_tokens"], 2)
        self.assertEqual(body["usage"]["prompt_tokens"], 100)
        self.assertEqual(body["usage"]["prompt_tokens_details"]["cached_tokens"], 60)

    def test_obeys_the_last_directive_of_a_body(self):
        body = self.answer("[fake output=2] later [fake output=3]")
        self.assertEqual(body["usage"]["completion_tokens"], 3)

    def test_hides_reasoning(self):
        body = self.answer("[fake output=10 reasoning=7]")
        self.assertEqual(len(body["choices"][0]["message"]["content"].split()), 3)
        self.assertEqual(body["usage"]["completion_tokens"], 10)
        self.assertEqual(
            body["usage"]["completion_tokens_details"]["reasoning_tokens"], 7)

    def test_echoes_another_name_and_extra_headers(self):
        answer = self.chat("[fake name=gpt-x header=X-One:1 header=X-Two:2]")
        self.assertEqual(json.loads(answer.text)["model"], "gpt-x")
        self.assertEqual((answer.headers["x-one"], answer.headers["x-two"]), ("1", "2"))


class Streams(Fake):
    def stream(self, text="hi", **members):
        return self.chat(text, stream=True, **members).text

    def test_streams_one_event_per_token(self):
        text = self.stream()
        parts = chunks(text)
        self.assertEqual(events(text)[-1], "[DONE]")
        self.assertEqual(len(parts), 1 + 16 + 1)
        self.assertEqual(parts[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual(parts[-1]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(words(parts), self.answer()["choices"][0]["message"]["content"])
        self.assertNotIn("usage", parts[0])

    def test_adds_a_usage_event_when_asked(self):
        parts = chunks(self.stream(stream_options={"include_usage": True}))
        self.assertTrue(all(part["usage"] is None for part in parts[:-1]))
        self.assertEqual(parts[-1]["choices"], [])
        self.assertEqual(parts[-1]["usage"]["completion_tokens"], 16)

    def test_spreads_tokens_over_the_chunks_wished(self):
        parts = chunks(self.stream("[fake output=10 chunks=3]"))
        sizes = [len(p["choices"][0]["delta"]["content"].split()) for p in parts[1:-1]]
        self.assertEqual((len(sizes), sum(sizes)), (3, 10))

    def test_streams_several_choices(self):
        parts = chunks(self.stream("[fake output=2]", n=2))
        self.assertEqual(sum(1 for p in parts if p["choices"][0]["finish_reason"]), 2)
        self.assertEqual(len(parts), 2 + 4 + 2)

    def test_streams_completions(self):
        ask = {"model": "gpt-3.5-turbo-instruct", "prompt": "a", "stream": True}
        text = self.fake.call("POST", "/v1/completions", json.dumps(ask)).text
        joined = "".join(c["choices"][0]["text"] for c in chunks(text))
        self.assertEqual(len(joined.split()), 16)

    def test_waits_before_the_first_byte_and_between_chunks(self):
        begin = time.monotonic()
        self.stream("[fake output=4 delay_ms=100 gap_ms=50]")
        self.assertGreaterEqual(time.monotonic() - begin, 0.1 + 3 * 0.05 - 0.005)

    def test_leaves_usage_out(self):
        self.assertNotIn("usage", self.answer("[fake usage=missing]"))
        text = self.stream("[fake usage=missing]", stream_options={"include_usage": True})
        self.assertTrue(all("usage" not in part for part in chunks(text)))

    def test_lies_about_usage_but_not_to_its_bill(self):
        body = self.answer("[fake usage=lie:3]")
        self.assertEqual(body["usage"]["completion_tokens"], 3)
        self.assertEqual(self.bill()["completion_tokens"], 16)

    def test_gives_running_usage(self):
        parts = chunks(self.stream("[fake usage=every output=3]"))
        counts = [part["usage"]["completion_tokens"] for part in parts]
        self.assertEqual(counts, [0, 1, 2, 3, 3])

    def test_calls_a_tool(self):
        ask = "[fake tool=weather output=5 chunks=2]"
        choice = self.answer(ask)["choices"][0]
        whole = choice["message"]["tool_calls"][0]["function"]
        self.assertEqual((choice["finish_reason"], whole["name"]), ("tool_calls", "weather"))
        parts = [part["choices"][0] for part in chunks(self.stream(ask))]
        calls = [part["delta"]["tool_calls"][0] for part in parts[:-1]]
        self.assertEqual((calls[0]["type"], calls[0]["function"]["name"]), ("function", "weather"))
        self.assertEqual(parts[-1]["finish_reason"], "tool_calls")
        arguments = "".join(call["function"]["arguments"] for call in calls)
        self.assertEqual(arguments, whole["arguments"])
        self.assertEqual(len(json.loads(arguments)["words"].split()), 5)
        self.assertEqual(self.bill()["completion_tokens"], 10)

    def test_says_digits_and_commas_of_which_each_is_a_token(self):
        ask = "[fake dense=1 output=5 chunks=2]"
        self.assertEqual(self.answer(ask)["choices"][0]["message"]["content"], "7,7,7")
        said = [part["choices"][0]["delta"].get("content", "") for part in chunks(self.stream(ask))]
        self.assertEqual("".join(said), "7,7,7")
        self.assertEqual(self.bill()["completion_tokens"], 10)

    def test_gives_usage_together_with_choices(self):
        parts = chunks(self.stream("[fake usage=with_choices output=3]",
                                   stream_options={"include_usage": True}))
        self.assertEqual(parts[-1]["usage"]["completion_tokens"], 3)
        self.assertEqual(parts[-1]["choices"][0]["finish_reason"], "stop")

    def test_ends_lines_with_crlf(self):
        self.assertEqual(events(self.stream("[fake events_crlf=1]"), "\r\n\r\n")[-1], "[DONE]")

    def test_compresses_streams_and_answers(self):
        answer = self.chat("[fake gzip=1]", stream=True)
        self.assertEqual(answer.headers["content-encoding"], "gzip")
        self.assertEqual(len(chunks(gzip.decompress(answer.text))), 18)
        answer = self.chat("[fake gzip=1 big_mb=3]")
        self.assertLess(len(answer.text), 100000)
        body = json.loads(gzip.decompress(answer.text))
        self.assertGreater(len(body["choices"][0]["message"]["content"]), 3 << 20)

    def test_compressed_events_can_be_read_as_they_come(self):
        got, _ = read_all(self.fake.raw(chat("[fake gzip=1 die_after=2]", stream=True)))
        size, _, data = got.partition(b"\r\n\r\n")[2].partition(b"\r\n")
        first = zlib.decompressobj(31).decompress(data[:int(size, 16)])
        self.assertTrue(first.endswith(b"\n\n"))

    def test_sends_big_answers_and_big_streams(self):
        body = self.answer("[fake big_mb=20]")
        self.assertGreater(len(body["choices"][0]["message"]["content"]), 20 << 20)
        text = self.stream("[fake big_mb=20]")
        self.assertGreater(len(text), 20 << 20)
        self.assertEqual(events(text)[-1], "[DONE]")


class Faults(Fake):
    def test_answers_the_error_wished(self):
        answer = self.chat("[fake status=429 retry_after=7]")
        self.assertEqual((answer.status, answer.headers["retry-after"]), (429, "7"))
        self.assertEqual(set(json.loads(answer.text)["error"]),
                         {"message", "type", "param", "code"})
        self.assertEqual(self.bill()["cost_nano_usd"], 0)

    def test_refuses_bad_bodies(self):
        for body in (b"", b"{", b"[]", b'{"model":"x"', chat(max_tokens=-1), chat(n=10000),
                     b'{"messages":[]}', b'{"model":"m"}', chat("[fake colour=red]")):
            answer = self.fake.call("POST", "/v1/chat/completions", body)
            self.assertEqual(answer.status, 400, body)
            self.assertIn("error", json.loads(answer.text))

    def test_answers_unknown_paths_with_404(self):
        self.assertEqual(self.fake.call("POST", "/v1/nothing", b"{}").status, 404)
        self.assertEqual(self.fake.call("GET", "/fake/bill/chatcmpl-none").status, 404)

    def test_answers_with_a_page(self):
        answer = self.chat("[fake html=1]")
        self.assertTrue(answer.text.startswith(b"<!DOCTYPE html>"))
        self.assertEqual(self.chat("[fake html=1 status=502]").status, 502)
        self.assertEqual(self.bill()["cost_nano_usd"], 0)

    def test_closes_without_an_answer(self):
        self.assertEqual(read_all(self.fake.raw(chat("[fake no_answer=1]"))), (b"", False))

    def test_resets_a_stream_after_some_chunks(self):
        got, reset = read_all(self.fake.raw(chat("[fake die_after=3]", stream=True)))
        self.assertTrue(reset)
        self.assertEqual(got.count(b'"delta":{"content"'), 3)
        self.assertEqual(self.bill()["completion_tokens"], 3)

    def test_resets_a_plain_answer_after_some_bytes(self):
        got, reset = read_all(self.fake.raw(chat("[fake die_after=10]")))
        self.assertTrue(reset)
        self.assertEqual(len(got.split(b"\r\n\r\n", 1)[1]), 10)

    def test_sends_half_an_event_or_half_a_chunk_line(self):
        got, reset = read_all(self.fake.raw(chat("[fake half_chunk=1 die_after=2]", stream=True)))
        self.assertFalse(reset)
        self.assertEqual(got.count(b'"delta":{"content"'), 2)
        last = got.rsplit(b"\r\n", 2)
        self.assertLess(len(last[2]), int(last[1], 16))
        got, _ = read_all(self.fake.raw(chat("[fake half_chunk=2]", stream=True)))
        self.assertEqual(len(got.rsplit(b"\r\n", 1)[1]), 1)
        got, _ = read_all(self.fake.raw(chat("[fake half_chunk=1]")))
        head, body = got.split(b"\r\n\r\n", 1)
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        self.assertEqual(len(body), length // 2)

    def test_sends_its_head_slowly(self):
        connection = self.fake.raw(chat("[fake slow_head_ms=200]"))
        begin = time.monotonic()
        first = connection.recv(65536)
        self.assertNotIn(b"\r\n\r\n", first)
        self.assertIn(b"\r\n\r\n", first + connection.recv(65536))
        self.assertGreater(time.monotonic() - begin, 0.15)
        connection.close()


class Bills(Fake):
    def test_rounds_each_call_up_once(self):
        body = self.answer("[fake prompt=1001 cached=1000 output=1]", model="gpt-4.1-nano")
        # 1 × 100,000 + 1,000 × 25,000 + 1 × 400,000 pico-dollars
        call = self.fake.json("/fake/bill/" + body["id"])
        self.assertEqual(call["cost_nano_usd"], 25500)
        self.assertEqual(call["state"], "done")

    def test_bills_unknown_models_nothing(self):
        self.answer(model="house-blend")
        self.assertEqual((self.bill()["requests"], self.bill()["cost_nano_usd"]), (1, 0))

    def test_adds_up(self):
        for output in (1, 2, 3):
            self.answer(f"[fake output={output} prompt=10]")
        bill = self.bill()
        self.assertEqual((bill["requests"], bill["open"]), (3, 0))
        self.assertEqual((bill["prompt_tokens"], bill["completion_tokens"]), (30, 6))
        self.assertEqual(bill["cost_nano_usd"], 30 * 150 + 6 * 600)
        self.assertEqual(sum(c["cost_nano_usd"] for c in bill["calls"]), bill["cost_nano_usd"])
        self.assertNotIn("calls", self.fake.json("/fake/bill?calls=0"))

    def test_keeps_pursers_request_id(self):
        self.chat(headers={"x-client-request-id": "req_7"})
        self.assertEqual(self.bill()["calls"][0]["purser_request_id"], "req_7")

    def test_bills_a_cut_stream_for_what_it_had_generated(self):
        connection = self.fake.raw(chat("[fake gap_ms=50 output=100]", stream=True))
        got = b""
        while got.count(b'"delta":{"content"') < 3:
            got += connection.recv(65536)
        self.assertEqual(self.bill()["open"], 1)
        connection.close()
        call = self.wait_for(1, "client_gone")[0]
        self.assertGreaterEqual(call["completion_tokens"], 3)
        self.assertLess(call["completion_tokens"], 20)
        self.assertEqual(self.bill()["open"], 0)

    def test_bills_a_client_that_leaves_in_the_delay_by_the_time_passed(self):
        connection = self.fake.raw(chat("[fake delay_ms=10000 output=1000]"))
        self.wait_for(1, "open")
        connection.close()
        call = self.wait_for(1, "client_gone")[0]
        self.assertLess(call["completion_tokens"], 500)
        self.assertGreater(call["prompt_tokens"], 0)

    def test_goes_on_generating_when_cancelling_is_ignored(self):
        wish = "[fake cancel=ignore gap_ms=5 output=30]"
        connection = self.fake.raw(chat(wish, stream=True))
        connection.recv(65536)
        connection.close()
        self.assertEqual(self.wait_for(1, "client_gone")[0]["completion_tokens"], 30)

    def test_bills_an_answer_that_was_lost(self):
        read_all(self.fake.raw(chat("[fake no_answer=1]")))
        self.assertEqual(self.bill()["completion_tokens"], 16)

    def test_a_reset_forgets_calls_in_flight(self):
        connection = self.fake.raw(chat("[fake delay_ms=100]"))
        self.wait_for(1, "open")
        self.fake.call("POST", "/fake/reset")
        read = connection.recv(65536)
        connection.close()
        self.assertIn(b"200 OK", read)
        self.assertEqual((self.bill()["requests"], self.bill()["open"]), (0, 0))
        self.assertEqual(self.bill()["cost_nano_usd"], 0)


class Bytes(Fake):
    def test_keeps_the_exact_bytes_received(self):
        body = b'{ "model":"gpt-4o-mini" ,"messages":[{"content":"\xc3\xa9\\u00e9"}],"seed":1e400}'
        headers = {"X-B": "2", "x-a": "1"}
        self.fake.call("POST", "/v1/chat/completions?x=%20y", body, headers)
        seen = self.fake.json("/fake/requests?last=1")["requests"][0]
        self.assertEqual(seen["method"], "POST")
        self.assertEqual(seen["target"], "/v1/chat/completions?x=%20y")
        self.assertEqual(base64.b64decode(seen["body"]), body)
        ours = [header for header in seen["headers"] if header[0][0] in "xX"]
        self.assertEqual(ours, [["X-B", "2"], ["x-a", "1"]])

    def test_reads_chunked_bodies_in_small_pieces(self):
        body = chat()
        connection = socket.create_connection(("127.0.0.1", self.fake.port), timeout=20)
        whole = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for i in range(0, len(body), 7):
            whole += b"%x\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7])
        whole += b"0\r\n\r\n"
        for i in range(0, len(whole), 11):
            connection.sendall(whole[i:i + 11])
        self.assertIn(b"200 OK", connection.recv(65536))
        connection.close()
        seen = self.fake.json("/fake/requests?last=1")["requests"][0]
        self.assertEqual(base64.b64decode(seen["body"]), body)

    def test_answers_an_expectation(self):
        connection = self.fake.raw(b"", headers="")
        connection.close()
        body = chat()
        connection = socket.create_connection(("127.0.0.1", self.fake.port), timeout=20)
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body))
        self.assertEqual(connection.recv(65536), b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        self.assertIn(b"200 OK", connection.recv(65536))
        connection.close()

    def test_takes_large_bodies_and_refuses_larger_ones(self):
        self.assertEqual(self.chat("x" * (40 << 20)).status, 200)
        connection = socket.create_connection(("127.0.0.1", self.fake.port), timeout=20)
        connection.sendall(b"POST /v1/embeddings HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
        self.assertIn(b" 413 ", connection.recv(65536))
        connection.close()

    def test_keeps_connections_open_and_answers_pipelined_requests(self):
        body = chat("[fake delay_ms=20]")
        head = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection = socket.create_connection(("127.0.0.1", self.fake.port), timeout=20)
        connection.sendall((head + body) * 3)
        got = b""
        while got.count(b"200 OK") < 3 or not got.endswith(b"}}}"):
            got += connection.recv(65536)
        connection.close()

    def test_closes_when_asked_to(self):
        got, reset = read_all(self.fake.raw(chat(), headers="Connection: close\r\n"))
        self.assertIn(b"200 OK", got)
        self.assertFalse(reset)

    def test_refuses_what_is_not_http(self):
        connection = socket.create_connection(("127.0.0.1", self.fake.port), timeout=20)
        connection.sendall(b"hello\r\n\r\n")
        self.assertIn(b" 400 ", read_all(connection)[0])

    def test_counts_connections_and_streams(self):
        connection = self.fake.raw(chat("[fake delay_ms=5000]", stream=True))
        self.wait_for(1, "open")
        self.assertEqual(self.fake.json("/fake/stats")["streams_open"], 1)
        connection.close()
        self.wait_for(1, "client_gone")
        stats = self.fake.json("/fake/stats")
        self.assertEqual((stats["streams_open"], stats["connections_open"]), (0, 1))


class Options(unittest.TestCase):
    def test_wants_the_key_it_was_given(self):
        fake = Provider("--api-key", "sk-fake")
        try:
            path = "/v1/chat/completions"
            self.assertEqual(fake.call("POST", path, chat()).status, 401)
            for headers in ({"Authorization": "Bearer sk-fake"}, {"api-key": "sk-fake"},
                            {"x-api-key": "sk-fake"}):
                self.assertEqual(fake.call("POST", path, chat(), headers).status, 200)
            self.assertEqual(fake.call("GET", "/v1/models").status, 401)
        finally:
            self.assertEqual(fake.close(), 0)

    def test_listens_on_a_unix_socket_and_writes_its_port(self):
        name = f"/tmp/fake-provider-{os.getpid()}"
        fake = Provider("--unix", name + ".sock", "--port-file", name + ".port")
        try:
            with open(name + ".port", encoding="ascii") as file:
                self.assertEqual(int(file.read()), fake.port)
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(name + ".sock")
            connection.sendall(b"GET /fake/stats HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"200 OK", connection.recv(65536))
            connection.close()
        finally:
            fake.close()
            os.unlink(name + ".port")
        self.assertFalse(os.path.exists(name + ".sock"))


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-") and os.path.exists(sys.argv[1]):
        BINARY = sys.argv.pop(1)
    unittest.main()
