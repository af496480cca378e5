"""Bad input from clients and upstreams: a clear error, the process alive, nothing held, nothing
missing in the ledger."""

import contextlib
import json
import socket
import threading

import httpx
import pytest

from harness import (KEY, OUT, Purser, Upstream, error_of, plain_answer, upstream_of,
                     wait_until)
from preloading import library_of, preload

SANITIZED = "san" in str(OUT)
BUDGET = [{"name": "daily", "scope": "global", "window": "day", "usd": 100}]
JSON = {"content-type": "application/json"}
GOOD = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]%s}'


@pytest.fixture(scope="module")
def purser(shared_provider):
    with Purser(shared_provider, budgets=BUDGET, limits={"body_mb": 4}) as running:
        yield running


@pytest.fixture(autouse=True)
def unharmed(request):
    """After each test with the common purser: it serves, holds nothing and has booked all."""
    yield
    if "purser" in request.fixturenames:
        purser = request.getfixturevalue("purser")
        assert purser.chat().status_code == 200
        wait_until(lambda: all(row["reserved"] == 0 for row in purser.budgets().values()), 30,
                   what="all holds to be released")
        assert not purser.open_holds()
        assert "assert" not in purser.log().lower()


def post(purser, body, path="/v1/chat/completions", **headers):
    content = body if isinstance(body, bytes) else body.encode()
    return purser.client.post(path, content=content, headers={**JSON, **headers})


def head_of(length, more="", path="/v1/chat/completions"):
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n").encode()


def status_of(received):
    return int(received.split(b" ", 2)[1]) if received.startswith(b"HTTP/1.1 ") else None


# ---- bodies ----

@pytest.mark.parametrize("body", [
    "", " ", "{", "[]", "null", "7", '"x"', "{}x", GOOD[:-4], GOOD % "" + "}", "{'model':'x'}",
    '{"model":NaN}', '{"model":"x",}', '{"a":01}', '{"a":"\t"}', '{"a":"\\x"}', '{"a":"\\ud800"}x',
    "\x00" * 100, "<html></html>", "model=gpt-4o-mini&messages=x",
    '{"model":"gpt-4o-mini","messages":[' + "[" * 100_000,
    '{"model":"gpt-4o-mini","messages":[],"x":' + "[" * 2000 + "]" * 2000 + "}",
    '{"model":"gpt-4o-mini","messages":[],"x":' + '{"a":' * 5000 + "1" + "}" * 5000 + "}",
], ids=lambda body: body[:24].replace("\x00", "0"))
def test_what_is_not_a_json_object_is_refused(purser, body):
    error = error_of(post(purser, body), 400, "invalid_json")
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("bytes_", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80",
                                    b"\xe2\x82"])
def test_invalid_utf8_is_refused(purser, bytes_):
    body = (GOOD % "").encode().replace(b"hello", bytes_)
    error_of(post(purser, body), 400, "invalid_json")


@pytest.mark.parametrize("body,param", [
    ('{"model":7,"messages":[]}', "model"),
    ('{"model":"gpt-4o-mini","messages":"hi"}', "messages"),
    ('{"model":"gpt-4o-mini","messages":{}}', "messages"),
    (GOOD % ',"stream":"yes"', "stream"), (GOOD % ',"stream":1', "stream"),
    (GOOD % ',"stream_options":[]', "stream_options"),
    (GOOD % ',"stream_options":{"include_usage":"true"}', "stream_options.include_usage"),
    (GOOD % ',"max_tokens":"10"', "max_tokens"), (GOOD % ',"max_tokens":true', "max_tokens"),
    (GOOD % ',"n":"2"', "n"), (GOOD % ',"tools":{}', "tools"), (GOOD % ',"user":7', "user"),
    (GOOD % ',"metadata":[]', "metadata"),
])
def test_a_member_of_a_wrong_type_is_named(purser, body, param):
    assert error_of(post(purser, body), 400, "invalid_type")["param"].startswith(param)


@pytest.mark.parametrize("body,param", [("{}", None), ('{"model":"gpt-4o-mini"}', "messages"),
                                        ('{"messages":[]}', "model"),
                                        ('{"model":null,"messages":[]}', "model")])
def test_a_missing_member_is_named(purser, body, param):
    error = error_of(post(purser, body), 400, "missing_member")
    assert param in (None, error["param"])


@pytest.mark.parametrize("member", ["max_tokens", "max_completion_tokens", "n", "best_of"])
@pytest.mark.parametrize("value", ["-1", "1.5", "1e99", "9" * 40, "-9223372036854775808",
                                   "18446744073709551617", "-0.5", "1000000001"])
def test_an_impossible_count_is_refused(purser, member, value):
    error = error_of(post(purser, GOOD % f',"{member}":{value}'), 400, "invalid_value")
    assert error["param"] == member


@pytest.mark.parametrize("member", ["n", "best_of"])
def test_ten_thousand_choices_are_refused(purser, member):
    error = error_of(post(purser, GOOD % f',"{member}":10000'), 400, "invalid_value")
    assert "128" in error["message"]


@pytest.mark.parametrize("more", [
    ',"model":"gpt-4o"', ',"mod\\u0065l":"gpt-4o"', ',"max_tokens":1,"max_tokens":100',
    ',"max_tokens":1,"max\\u005ftokens":100', ',"n":1,"n":9', ',"stream":true,"stream":false',
    ',"messages":[]', ',"tools":[],"tools":[]',
    ',"stream_options":{"include_usage":true,"include_usage":false}',
])
def test_a_member_that_costs_and_stands_twice_is_refused(purser, more):
    error_of(post(purser, GOOD % more), 400, "duplicate_member")


@pytest.mark.parametrize("more", [',"Model":"gpt-4o"', ',"MAX_TOKENS":100', ',"N":9',
                                  ',"\\u004dodel":"gpt-4o"', ',"Stream":true'])
def test_a_member_that_costs_in_other_letters_is_refused(purser, more):
    error_of(post(purser, GOOD % more), 400, "misspelt_member")


def test_other_members_may_stand_twice(purser, shared_provider):
    assert post(purser, GOOD % ',"seed":1,"seed":2,"a":{"n":1,"n":2}').status_code == 200


def test_null_counts_as_absent(purser):
    assert post(purser, GOOD % ',"max_tokens":null,"n":null,"stream":null,"user":null'
                ).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "",
                                  "multipart/form-data; boundary=x"])
def test_another_content_type_is_refused(purser, kind):
    answer = purser.client.post("/v1/chat/completions", content=(GOOD % "").encode(),
                                headers={"content-type": kind})
    error_of(answer, 400, "invalid_content_type")


def test_a_page_of_another_origin_is_refused(purser):
    error_of(post(purser, GOOD % "", origin="https://evil.example"), 403, "origin_not_allowed")
    error_of(post(purser, GOOD % "", origin="null"), 403, "origin_not_allowed")


def test_an_unknown_model_is_named_and_costs_nothing(purser):
    error = error_of(purser.chat(model="gpt-17"), 400, "model_not_priced")
    assert error["param"] == "model" and "gpt-17" in error["message"]


@pytest.mark.parametrize("model", ["é" * 300, "x" * 199 + "é" * 9, "a\nb", "a\x00b", "\U0001f600",
                                   "x" * 1_000_000, "../../etc", "%s%n", '"},{"'])
def test_odd_model_names_do_no_harm(purser, shared_provider, start, model):
    answer = purser.chat(model=model)
    assert error_of(answer, *((404, "model_not_found") if len(model.encode()) > 256 else
                              (400, "model_not_priced")))["param"] == "model"
    assert answer.content.decode("utf-8")
    unlimited = start(shared_provider)
    answer = unlimited.chat(model=model)
    assert answer.status_code in (200, 400, 404)
    assert len(json.dumps(unlimited.lines_of(answer))) < 8000
    assert "\x00" not in unlimited.log()
    assert not [line for line in unlimited.log().splitlines() if line.startswith("b ")]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/unknown", "/v1/chat", "/v2/models",
                                  "/v1/chat/completions/", "//v1/chat/completions", "/s/", "/s/x",
                                  "/s//v1/models", "/s/%zz/v1/models", "/v1/../healthz",
                                  "/v1/threads", "/%00", "/" + "a" * 4000])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_refused_with_help(purser, method, path):
    received = purser.request(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                              "Connection: close\r\n\r\n".encode())
    assert status_of(received) == 404, received[:200]
    assert b"unknown_path" in received and b"/v1/chat/completions" in received


@pytest.mark.parametrize("method,path", [("GET", "/v1/chat/completions"), ("PUT", "/v1/embeddings"),
                                         ("DELETE", "/budget"), ("POST", "/v1/models"),
                                         ("POST", "/healthz"), ("PATCH", "/costs")])
def test_a_wrong_method_is_refused(purser, method, path):
    error_of(purser.client.request(method, path), 405, "method_not_allowed")


@pytest.mark.parametrize("method,path", [("HEAD", "/healthz"), ("OPTIONS", "/v1/models"),
                                         ("BREW", "/v1/models")])
def test_odd_methods_do_no_harm(purser, method, path):
    assert purser.client.request(method, path).status_code in (200, 405)


@pytest.mark.parametrize("query", ["from=yesterday", "to=2026-13-01", "group_by=planet", "x=1",
                                   "from=%zz", "group_by=day,,", "&&=&", "from=" + "9" * 3000])
def test_odd_questions_to_the_books_are_refused_or_answered(purser, query):
    assert purser.client.get("/costs?" + query).status_code in (200, 400)


# ---- large ----

def test_a_body_over_the_limit_is_refused_and_not_kept(purser):
    before = purser.resident_kb()
    for size in (4 * 2 ** 20 + 1, 32 * 10 ** 6):
        answer = post(purser, b"[" * size)
        error = error_of(answer, 413, "body_too_large")
        assert "limits.body_mb" in error["message"]
    if not SANITIZED:
        assert purser.resident_kb() - before < 16_000


def test_a_chunked_body_over_the_limit_is_refused(purser):
    answer = purser.client.post("/v1/chat/completions", headers=JSON,
                                content=(b" " * 65536 for _ in range(500)))
    error_of(answer, 413, "body_too_large")


def test_a_body_at_the_limit_passes(purser):
    body = (GOOD % "").encode()
    body += b" " * (4 * 2 ** 20 - len(body))
    answer = post(purser, body)
    assert answer.status_code == 200, answer.text


def test_a_chunked_body_passes(purser):
    pieces = (byte for byte in [(GOOD % "")[:9].encode(), (GOOD % "")[9:].encode()])
    assert purser.client.post("/v1/chat/completions", headers=JSON,
                              content=pieces).status_code == 200


def test_a_header_of_12_kb_passes(purser):
    answer = purser.chat(headers={"x-large": "x" * 12_000})
    assert answer.status_code == 200, answer.text


def test_endless_headers_are_cut_off(purser):
    before = purser.resident_kb()
    with socket.create_connection(("127.0.0.1", purser.port), 10) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n")
        with contextlib.suppress(OSError):
            for number in range(100_000):
                connection.sendall(f"x-{number}: {'y' * 100}\r\n".encode())
        received = b""
        with contextlib.suppress(OSError):
            received = connection.recv(65536)
    assert status_of(received) in (413, 414, 431, 400, None)
    if not SANITIZED:
        assert purser.resident_kb() - before < 8_000


def test_more_header_lines_than_are_read_are_refused(purser):
    lines = "".join(f"a{number}: 1\r\n" for number in range(150))
    body = GOOD % ""
    received = purser.request(head_of(len(body), lines + "Connection: close\r\n") + body.encode())
    assert status_of(received) == 400 and b"header lines" in received


def test_an_endless_request_line_is_cut_off(purser):
    received = purser.request(b"GET /" + b"a" * 1_000_000)
    assert status_of(received) in (413, 414, 431, 400, None)


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "99999999999999999999", "5, 6", "+5", ""])
def test_a_content_length_that_is_no_number_is_refused(purser, length):
    received = purser.request(head_of(length, "Connection: close\r\n") + (GOOD % "").encode(), 5)
    assert status_of(received) in (400, 413, None), received[:200]


def test_two_content_lengths_that_differ_are_refused(purser):
    body = GOOD % ""
    received = purser.request(
        head_of(len(body), "Content-Length: 5\r\nConnection: close\r\n") + body.encode(), 5)
    assert status_of(received) in (400, None), received[:300]


def test_length_and_chunks_together_are_not_smuggled(purser, shared_provider):
    body = GOOD % ""
    received = purser.request(
        head_of(5, "Transfer-Encoding: chunked\r\nConnection: close\r\n") +
        f"{len(body):x}\r\n{body}\r\n0\r\n\r\n".encode(), 5)
    assert received.count(b"HTTP/1.1") <= 1


def test_what_is_behind_a_body_is_no_part_of_it(purser):
    body = GOOD % ""
    received = purser.request(head_of(len(body)) + body.encode() + b"GARBAGE\r\n\r\n", 5)
    assert status_of(received) == 200
    assert received.count(b"chat.completion") == 1


def test_slow_clients_do_not_disturb_others(purser):
    with contextlib.ExitStack() as stack:
        for number in range(200):
            connection = stack.enter_context(
                socket.create_connection(("127.0.0.1", purser.port), 10))
            connection.sendall(b"POST /v1/chat" if number % 2 else head_of(1000) + b"{")
        for _ in range(5):
            assert purser.chat().status_code == 200


def test_what_is_no_http_is_cut_off(purser):
    for data in (b"\x16\x03\x01\x02\x00\x01\x00", b"\r\n\r\n\r\n", b"\x00" * 1000, b"HELO x\r\n\r\n",
                 b"GET / HTTP/9.9\r\n\r\n", b"GET  /  HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", purser.port), 5) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while connection.recv(65536):
                    pass


def test_expect_continue_is_answered(purser):
    body = GOOD % ""
    with socket.create_connection(("127.0.0.1", purser.port), 10) as connection:
        connection.sendall(head_of(len(body), "Expect: 100-continue\r\n"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(body.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


# ---- upstreams ----

def odd_upstream(start, answer, **more):
    upstream = Upstream(answer)
    purser = start(None, budgets=BUDGET, upstreams=[upstream_of(
        upstream, timeouts={"first_byte_ms": 1000, "idle_ms": 1000}, **more)])
    return upstream, purser


@pytest.mark.parametrize("raw", [
    b"", b"HTTP/1.1", b"HTTP/1.1 200 OK\r\n", b"garbage\r\n\r\n", b"\x00" * 5000,
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 6\r\n\r\n\x0b\x02\x80{}\x03",
    b"HTTP/1.1 200 OK\r\nx: " + b"y" * 400_000,
    b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
    plain_answer(""), plain_answer("not json"), plain_answer("\xff\xfe", content_type="x"),
], ids=range(17))
def test_an_upstream_that_talks_nonsense_gives_502_and_the_hold_is_booked(start, raw):
    upstream, purser = odd_upstream(start, lambda connection, *_: connection.sendall(raw))
    with upstream:
        answer = purser.chat(max_tokens=10)
        assert answer.status_code == 502, answer.text
        assert answer.json()["error"]["type"] == "upstream_error"
        line = purser.booked(answer)
        assert line["usage_source"] == "bound" and line["cost_nano_usd"] > 0
        assert not purser.open_holds()


@pytest.mark.parametrize("raw", [plain_answer("", "204 No Content"), plain_answer("[]"),
                                 plain_answer('{"usage":null}'), plain_answer("{" * 100_000),
                                 plain_answer("x", "302 Found", more="Location: /\r\n"),
                                 plain_answer("x", "999 Odd")], ids=range(6))
def test_an_upstream_with_an_odd_answer_leaves_nothing_held(start, raw):
    upstream, purser = odd_upstream(start, lambda connection, *_: connection.sendall(raw))
    with upstream:
        answer = purser.chat(max_tokens=10)
        assert answer.status_code in (200, 204, 302, 502, 999)
        purser.booked(answer)
        assert not purser.open_holds()


@pytest.mark.parametrize("events", [
    b"data: {\n\n", b"data: [DONE]\n\ndata: more\n\n", b"\n\n\n\n", b"no field\n\n", b"data:\n\n",
    b"data: \xff\xfe\n\n", b": only comments\n\n", b"data: {\"usage\":{\"prompt_tokens\":-1}}\n\n",
    b"data: {\"choices\":[]", b"event: error\ndata: {\"error\":{\"message\":\"x\"}}\n\n",
    b"data: " + b"[" * 100_000 + b"\n\n", b"data: x\r", b"",
], ids=range(13))
def test_odd_events_pass_as_they_are_and_leave_nothing_held(start, events):
    raw = plain_answer(events, content_type="text/event-stream")
    upstream, purser = odd_upstream(start, lambda connection, *_: connection.sendall(raw))
    with upstream:
        with purser.stream(max_tokens=10) as answer:
            assert answer.read() == events
        assert purser.booked(answer)["usage_source"] == "bound"
        assert not purser.open_holds()


def test_an_event_without_end_is_cut_off(start):
    def answer(connection, *_):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ")
        with contextlib.suppress(OSError):
            for _ in range(400):
                connection.sendall(b"x" * 65536)

    upstream, purser = odd_upstream(start, answer)
    with upstream:
        with purser.stream(max_tokens=10) as answer, pytest.raises(httpx.RemoteProtocolError):
            answer.read()
        assert purser.booked(answer)["usage_source"] == "bound"
        assert not purser.open_holds()


def read_all(purser, fake, stream):
    """Reads an answer without keeping it: its size and the largest memory of purser meanwhile."""
    body = json.dumps({"model": "gpt-4o-mini", "messages": [], "stream": stream}).encode()
    size, most = 0, 0
    room = bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", purser.port), 60) as connection:
        connection.sendall(head_of(len(body), f"x-fake: {fake}\r\nConnection: close\r\n") + body)
        while got := connection.recv_into(room):
            size += got
            if size % 64 == 0 or size < 1 << 20:
                most = max(most, purser.resident_kb())
    return size, most


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_of_a_gigabyte_passes_in_bounded_memory(purser, stream):
    before = purser.resident_kb()
    megabytes = 200 if SANITIZED else 1000
    size, most = read_all(purser, f"big_mb={megabytes}", stream)
    assert size > megabytes * 10 ** 6
    if not SANITIZED:
        assert max(most, purser.resident_kb()) - before < 12_000
    purser.idle()
    assert purser.ledger()[-1]["usage_source"] == "reported"


def test_a_compressed_gigabyte_is_unpacked_in_bounded_memory(purser):
    before = purser.resident_kb()
    size, most = read_all(purser, "big_mb=200,gzip=1", False)
    assert size > 200 * 10 ** 6
    if not SANITIZED:
        assert max(most, purser.resident_kb()) - before < 12_000


# ---- names that do not resolve ----

SLOW_RESOLVER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))
            dlsym(RTLD_NEXT, "getaddrinfo");
    if (node != NULL && strcmp(node, "black-hole.invalid") == 0)
        sleep(60);
    return real(node, service, hints, found);
}
"""


@pytest.fixture(scope="module")
def slow_resolver(tmp_path_factory):
    """A library under which the name black-hole.invalid takes a minute to resolve."""
    folder = tmp_path_factory.mktemp("resolver")
    (folder / "slow.c").write_text(SLOW_RESOLVER)
    return preload(library_of(folder / "slow.c", folder / "slow.so"))


def test_a_name_that_hangs_is_given_up_and_disturbs_nobody(start, shared_provider, slow_resolver):
    purser = start(shared_provider, budgets=BUDGET, env=slow_resolver, workers=1, upstreams=[
        {"name": "hole", "base_url": "http://black-hole.invalid/v1", "provider": "openai",
         "models": ["gpt-4o"], "timeouts": {"connect_ms": 1500}},
        upstream_of(shared_provider, models=["gpt-4o-mini"])])
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(purser.chat(model="gpt-4o")))
    waiting.start()
    wait_until(lambda: [line for line in purser.ledger() if line["kind"] == "reserve"])
    assert purser.chat().status_code == 200
    waiting.join()
    error_of(answers[0], 502, "upstream_unreachable")
    assert purser.booked(answers[0])["cost_nano_usd"] == 0
    with pytest.raises(httpx.ReadTimeout):  # a client that leaves meanwhile
        purser.client.post("/v1/chat/completions", timeout=0.2,
                           json={"model": "gpt-4o", "messages": []})
    purser.idle()
    line = purser.ledger()[-1]
    assert (line["cost_nano_usd"], line["stop_reason"]) == (0, "client")
    purser.end()  # it waits less long than the name takes
