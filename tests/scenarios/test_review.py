"""What a reviewer found: each was a hole, and stays closed by its test."""

import contextlib
import json
import os
import re
import socket
import struct
import threading
import time

import httpx
import pytest

from harness import KEY, Purser, Upstream, error_of, plain_answer, usd, wait_until, when_told

JSON = {"content-type": "application/json"}
ANSWER = json.dumps({"id": "x", "choices": [{"message": {"content": "hi"}}],
                     "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}})
BUDGET = [{"name": "daily", "scope": "global", "window": "day", "usd": 100}]
CHUNKED = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def answers(connection, _head, _body):
    connection.sendall(plain_answer(ANSWER))


@pytest.fixture
def plain():
    with Upstream(answers) as upstream:
        yield upstream


def upstream(url, **more):
    return {"name": "own", "base_url": url, "api_key": "sk-upstream", "cancel_saves": "yes",
            "provider": "openai", **more}


def event(data):
    text = f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
    return f"{len(text):x}\r\n".encode() + text + b"\r\n"


CHAT = b'{"model":"gpt-4o-mini","messages":[],"max_tokens":5}'


def bytes_of(headers, body=CHAT):
    head = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Authorization: Bearer " + KEY.encode() + b"\r\n")
    return head + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


def raw(purser, headers, body=CHAT):
    return purser.request(bytes_of(headers, body))


# ---- what reaches the upstream ----

@pytest.mark.parametrize("line", [
    b"Transfer-Encoding : chunked\r\n", b"Content-Length : 3\r\n",
    b"Transfer-Encoding\x0b: chunked\r\n", b"Transfer\xadEncoding: chunked\r\n", b"x y: 1\r\n",
    b": nothing\r\n"])
def test_a_header_whose_name_is_none_never_reaches_the_upstream(start, plain, line):
    with start(upstreams=[upstream(plain.url)]) as purser:
        raw(purser, b"Content-Type: application/json\r\n" + line)
        for head, _ in plain.asked:
            names = [name.split(b":")[0] for name in head.split(b"\r\n")[1:]]
            assert all(re.fullmatch(rb"[A-Za-z0-9-]+", name) for name in names), names
            assert b"chunked" not in head and head.lower().count(b"content-length") == 1, head


@pytest.mark.parametrize("kinds", [
    ["application/json; charset=utf-7"], ["application/json; charset=utf-16"],
    ["application/json;charset=\"utf-7\""], ["application/json", "application/json; charset=utf-7"],
    ["application/json; a=b; CHARSET*=utf-7''utf-7"], ["application/jsonx"],
    ["application/json, text/plain"]])
def test_a_body_cannot_be_read_in_another_encoding_upstream(start, plain, kinds):
    """In UTF-7 `+ACI-` is a quote: one reader's text is the other's max_tokens."""
    with start(upstreams=[upstream(plain.url)]) as purser:
        lines = b"".join(b"Content-Type: %s\r\n" % kind.encode() for kind in kinds)
        got = raw(purser, lines, b'{"model":"gpt-4o-mini","messages":[],"max_tokens":5,'
                                 b'"x":"+ACI-,+ACI-max_tokens+ACI-:99999,+ACI-y+ACI-:+ACI-"}')
        assert got.startswith(b"HTTP/1.1 400 "), got
        assert b"invalid_content_type" in got
        assert not plain.asked


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=UTF-8",
                                  "application/json;charset=\"utf-8\"",
                                  "application/json; odata=verbose; charset=utf8;"])
def test_json_in_utf_8_by_any_spelling_passes(start, plain, kind):
    with start(upstreams=[upstream(plain.url)]) as purser:
        assert raw(purser, b"Content-Type: %s\r\n" % kind.encode()).startswith(b"HTTP/1.1 200 ")


def test_a_header_of_the_operator_cannot_be_sent_by_a_client_too(start, plain):
    with start(upstreams=[upstream(plain.url, headers={"X-Data-Policy": "private"})]) as purser:
        assert purser.chat(headers={"x-data-policy": "open"}).status_code == 200
        head = plain.asked[0][0].decode().lower()
        assert re.findall(r"x-data-policy: (.*)", head.replace("\r", "")) == ["private"]


# ---- bounds ----

@pytest.mark.parametrize("path, body", [
    ("chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
    ("completions", {"prompt": "x"})])
def test_a_maximum_the_upstream_does_not_know_is_sent_under_the_name_it_knows(start, plain, path,
                                                                              body):
    """Most providers pay no heed to members they do not know: the hold would bound nothing."""
    config = upstream(plain.url, max_tokens_field="max_tokens")
    with start(upstreams=[config], budgets=BUDGET) as purser:
        answer = purser.client.post("/v1/" + path, json={
            "model": "gpt-4o-mini", "max_completion_tokens": 7, **body})
        assert answer.status_code == 200, answer.text
        assert json.loads(plain.asked[0][1])["max_tokens"] == 7


@pytest.mark.parametrize("path, member, value", [
    ("chat/completions", "n_predict", 100000), ("chat/completions", "max_new_tokens", 100000),
    ("chat/completions", "max_output_tokens", 100000), ("chat/completions", "candidate_count", 8),
    ("chat/completions", "num_return_sequences", 8), ("chat/completions", "prompt", ["a"] * 50),
    ("completions", "messages", [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "http://x/y"}}]}])])
def test_members_that_multiply_the_cost_elsewhere_are_refused_under_a_budget(start, plain, path,
                                                                             member, value):
    body = {"prompt": "x"} if path == "completions" else {"messages": []}
    with start(upstreams=[upstream(plain.url)], budgets=BUDGET) as purser:
        answer = purser.client.post("/v1/" + path, json={
            "model": "gpt-4o-mini", "max_tokens": 5, **body, member: value})
        assert error_of(answer, 400, "unbounded_tool")["param"] == member


def test_a_header_that_should_save_money_is_not_passed_over(start, plain):
    with start(upstreams=[upstream(plain.url)]) as purser:
        error_of(purser.chat(headers={"x-purser-dry-run": "true"}), 400, "unsupported_header")
        assert not plain.asked


def test_only_if_cached_makes_no_call(start, plain):
    with start(upstreams=[upstream(plain.url)]) as purser:
        answer = purser.chat(headers={"x-purser-cache": "only-if-cached"})
        error_of(answer, 504, "cache_miss")
        assert answer.headers["x-should-retry"] == "false"
        assert not plain.asked


# ---- usage ----

def test_a_usage_that_more_output_follows_is_not_the_whole_calls(start):
    def early(connection, _head, _body):
        connection.sendall(CHUNKED.encode())
        connection.sendall(event({"choices": [], "usage": {"prompt_tokens": 5,
                                                           "completion_tokens": 0}}))
        for _ in range(20):
            connection.sendall(event({"choices": [{"delta": {"content": "word "}}]}))
        time.sleep(0.1)

    with Upstream(early) as own, start(upstreams=[upstream(own.url)], budgets=BUDGET) as purser:
        with contextlib.suppress(Exception), purser.stream(max_tokens=50) as answer:
            name = answer.headers["x-purser-request-id"]
            answer.read()
        line = purser.booked(name)
        assert line["usage_source"] == "counted" and line["completion_tokens"] >= 20


# ---- time and memory ----

def cpu_seconds(purser):
    fields = open(f"/proc/{purser.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_an_upstream_that_resets_while_its_client_does_not_read_costs_no_time(start):
    gone = []

    def reset(connection, _head, _body):
        connection.sendall(CHUNKED.encode())
        with contextlib.suppress(OSError):
            connection.settimeout(1)
            for _ in range(2000):
                connection.sendall(event({"choices": [{"delta": {"content": "x" * 4000}}]}))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        gone.append(True)

    body = b'{"model":"gpt-4o-mini","messages":[],"max_tokens":5,"stream":true}'
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    with Upstream(reset) as own, start(upstreams=[upstream(own.url)]) as purser:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", purser.port))
            client.sendall(head + body)
            wait_until(lambda: gone, what="the upstream's reset")
            before = cpu_seconds(purser)
            time.sleep(1)
            assert cpu_seconds(purser) - before < 0.3


def test_bodies_of_strangers_are_not_kept(start, plain):
    """Nobody without a key can fill the memory."""
    with start(upstreams=[upstream(plain.url)]) as purser, contextlib.ExitStack() as stack:
        before = purser.resident_kb()
        head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n"
                f"Content-Type: application/json\r\nContent-Length: {8 << 20}\r\n\r\n").encode()
        clients = []
        for _ in range(8):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", purser.port)))
            client.sendall(head + b" " * (7 << 20))
            clients.append(client)
        time.sleep(0.5)
        grown = purser.resident_kb() - before
        assert grown < 30_000, f"{grown} KiB"
        clients[0].sendall(b" " * (1 << 20))
        assert clients[0].recv(100).startswith(b"HTTP/1.1 401 ")


def test_calls_whose_clients_have_left_are_limited_too(provider, start):
    over = threading.Event()
    with Upstream(when_told(over, plain_answer(ANSWER))) as own, start(
            upstreams=[upstream(own.url, cancel_saves="no")], limits={"connections": 10}) as purser:
        for number in range(10):
            with socket.create_connection(("127.0.0.1", purser.port)) as client:
                client.sendall(bytes_of(b"Content-Type: application/json\r\n"))
                wait_until(lambda number=number: len(own.asked) > number, what="the call")

        def refused():
            """By who knows requests: the listener says it, too, until it knows that they left."""
            answer = purser.chat()
            return answer if "x-purser-request-id" in answer.headers else None
        answer = wait_until(refused)
        error_of(answer, 503, "overloaded")
        assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("1", "true")
        assert len(own.asked) == 10
        over.set()
        purser.idle()
        assert purser.chat().status_code == 200


def test_a_unix_socket_is_closed_to_others_however_lax_the_umask(plain, tmp_path):
    path = tmp_path / "purser.sock"
    purser = Purser(start=False, preexec=lambda: os.umask(0), config={
        "listen": f"unix:{path}", "auth": {"mode": "open"}, "upstreams": [upstream(plain.url)]})
    purser._up = path.exists
    with purser.start():
        assert path.stat().st_mode & 0o777 == 0o770


# ---- answers ----

def test_what_purser_says_is_never_pushed_out_by_the_upstreams_headers(start):
    def many(connection, _head, _body):
        more = "".join(f"x-more-{i}: {i}\r\n" for i in range(100))
        connection.sendall(plain_answer(ANSWER, more=more))

    with Upstream(many) as own, start(upstreams=[upstream(own.url)]) as purser:
        answer = purser.chat()
        assert answer.status_code == 200
        assert usd(answer.headers["x-purser-cost-usd"]) > 0
        assert answer.headers["x-purser-model"] == "gpt-4o-mini"


def test_the_upstreams_word_on_web_pages_is_not_passed_on(start):
    def open_to_all(connection, _head, _body):
        more = "Access-Control-Allow-Origin: *\r\nopenai-project: proj_1\r\n"
        connection.sendall(plain_answer(ANSWER, more=more))

    with Upstream(open_to_all) as own, \
            start(upstreams=[upstream(own.url)],
                  allowed_origins=["https://ours.example"]) as purser:
        answer = purser.chat(headers={"Origin": "https://ours.example"})
        assert answer.headers.get_list("access-control-allow-origin") == ["https://ours.example"]
        assert "openai-project" not in answer.headers


def test_a_redirect_does_not_lead_a_client_past_its_budget(start):
    def elsewhere(connection, _head, _body):
        connection.sendall(plain_answer("", status="307 Temporary Redirect",
                                        more="Location: http://elsewhere.example/\r\n"))

    with Upstream(elsewhere) as own, start(upstreams=[upstream(own.url)]) as purser:
        answer = purser.chat()
        error_of(answer, 502, "upstream_bad_answer")
        assert "location" not in answer.headers
        assert purser.booked(answer)["cost_nano_usd"] == 0


def test_headers_too_large_for_an_answer_do_not_leave_the_client_without_one(start):
    def large(connection, _head, _body):
        connection.sendall(plain_answer(ANSWER, more="".join(
            f"x-large-{i}: {'v' * 4000}\r\n" for i in range(10))))

    with Upstream(large) as own, start(upstreams=[upstream(own.url)]) as purser:
        assert purser.chat().status_code in (200, 502)


def test_an_upstream_that_refuses_before_it_has_read_the_body_is_heard(start):
    def refuse(listener):
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.sendall(plain_answer('{"error":{"message":"too long","type":"x","code":"x"}}',
                                        status="413 Payload Too Large"))
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
        connection.close()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=refuse, args=(listener,), daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    with start(upstreams=[upstream(url)]) as purser:
        answer = purser.chat(content="x" * 20_000_000)
        assert answer.status_code == 413, answer.text
    listener.close()
