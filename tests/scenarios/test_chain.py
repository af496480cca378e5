"""admit, route, forward: who calls, what reaches the provider, what comes back."""

import hashlib
import json
import socket

import httpx
import pytest

from harness import (ADMIN, KEY, Provider, Purser, Upstream, error_of, plain_answer, upstream_of,
                     usd)

BOB = "sk-test-bob-0123456789abcdef"
CAROL = "sk-test-carol-0123456789abcdef"
DAVE = "sk-test-dave-0123456789abcdef"
ERIN = "sk-test-erin-0123456789abcdef"
KEYS = [
    {"id": "alice", "key": KEY, "user": "alice@example.com", "team": "research",
     "tags": ["fixed"]},
    {"id": "bob", "hash": "sha256:" + hashlib.sha256(BOB.encode()).hexdigest(),
     "models": ["gpt-4o*"], "may_set": ["session", "label", "tags", "user"]},
    {"id": "carol", "key": CAROL, "session": "required"},
    {"id": "dave", "key": DAVE, "session": "bound"},
    {"id": "erin", "key": ERIN, "may_set": []},
]
COMPLETION = plain_answer(json.dumps({
    "id": "c", "object": "chat.completion", "model": "m", "choices": [],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}))


@pytest.fixture(scope="module")
def purser(shared_provider):
    with Purser(shared_provider, keys=KEYS) as running:
        yield running


# ---- who is calling ----

@pytest.mark.parametrize("header", ["Authorization", "api-key", "x-api-key"])
def test_a_key_may_come_in_any_of_three_headers(purser, header):
    value = f"Bearer {BOB}" if header == "Authorization" else BOB
    answer = httpx.post(purser.url + "/chat/completions", headers={header: value},
                        json={"model": "gpt-4o", "messages": []})
    assert answer.status_code == 200, answer.text
    assert purser.booked(answer)["key"] == "bob"


@pytest.mark.parametrize("key", ["", "wrong", KEY + "0", KEY[:-1], "x" * 5000])
def test_a_wrong_key_is_refused_and_leaves_no_ledger_line(purser, key):
    answer = purser.chat(key=key) if key else httpx.post(purser.url + "/chat/completions", json={})
    error = error_of(answer, 401, "invalid_api_key")
    assert error["type"] == "authentication_error"
    assert answer.headers["x-should-retry"] == "false"
    name = answer.headers["x-purser-request-id"]
    assert not [line for line in purser.ledger() if line["request_id"] == name]


def test_the_admin_token_cannot_make_calls(purser):
    error_of(purser.chat(key=ADMIN), 401, "invalid_api_key")


def test_a_model_outside_the_keys_list_is_refused(purser):
    error = error_of(purser.chat(key=BOB, model="gpt-4.1-nano"), 403, "model_not_allowed")
    assert error["param"] == "model" and error["type"] == "permission_error"
    assert purser.chat(key=BOB, model="gpt-4o-mini").status_code == 200


def test_models_lists_what_the_key_may_use(purser):
    everything = purser.client.get("/v1/models").json()
    assert everything["object"] == "list"
    names = {model["id"] for model in everything["data"]}
    assert {"gpt-4o", "gpt-4o-mini", "gpt-4.1-nano", "text-embedding-3-small"} <= names
    headers = {"Authorization": f"Bearer {BOB}"}
    bobs = purser.client.get("/v1/models", headers=headers).json()["data"]
    assert bobs and all(model["id"].startswith("gpt-4o") for model in bobs)
    assert all(model["object"] == "model" and model["owned_by"] for model in bobs)
    assert purser.client.get("/v1/models/gpt-4o").json()["id"] == "gpt-4o"
    error_of(purser.client.get("/v1/models/gpt-4.1-nano", headers=headers), 404, "model_not_found")


# ---- scopes ----

@pytest.mark.parametrize("path,headers,body,session", [
    ("/s/from-url/v1", {"x-purser-session": "h"}, {"metadata": {"session_id": "b"}}, "from-url"),
    ("/s/a%20b", {}, {}, "a b"),
    ("/v1", {"x-purser-session": "from-header"}, {"metadata": {"session_id": "b"}}, "from-header"),
    ("", {}, {"metadata": {"session_id": "from-body"}, "prompt_cache_key": "p"}, "from-body"),
    ("/v1", {}, {"prompt_cache_key": "last-resort"}, "last-resort"),
    ("/v1", {}, {}, "alice"),
])
def test_a_session_is_the_first_of_url_header_body_and_key(purser, path, headers, body, session):
    answer = purser.client.post(path + "/chat/completions", headers=headers,
                                json={"model": "gpt-4o-mini", "messages": [], **body})
    assert answer.status_code == 200, answer.text
    assert purser.booked(answer)["session"] == session


def test_a_key_that_must_name_a_session_is_refused_without_one(purser):
    error_of(purser.chat(key=CAROL), 400, "session_required")
    answer = purser.chat(key=CAROL, headers={"x-purser-session": "mine"})
    assert purser.booked(answer)["session"] == "mine"


@pytest.mark.parametrize("key,owner", [(DAVE, "dave"), (ERIN, "erin")])
def test_a_key_bound_to_itself_or_without_the_right_cannot_name_a_session(purser, key, owner):
    answer = purser.client.post("/s/other/v1/chat/completions",
                                headers={"Authorization": f"Bearer {key}",
                                         "x-purser-session": "other"},
                                json={"model": "gpt-4o-mini", "messages": [],
                                      "metadata": {"session_id": "other"}})
    assert answer.status_code == 200, answer.text
    assert purser.booked(answer)["session"] == owner


def test_tags_of_key_header_and_body_add_up(purser):
    line = purser.booked(purser.chat(headers={"x-purser-tags": "one, two,,one",
                                              "x-litellm-tags": "three"},
                                     metadata={"tags": ["four", "fixed"]}))
    assert line["tags"] == ["fixed", "one", "two", "three", "four"]


def test_too_many_or_too_long_tags_are_refused(purser):
    error_of(purser.chat(headers={"x-purser-tags": "1,2,3,4,5,6,7,8"}), 400, "invalid_header")
    error_of(purser.chat(headers={"x-purser-tags": "x" * 65}), 400, "invalid_header")
    assert purser.chat(headers={"x-purser-tags": "x" * 64}).status_code == 200


def test_only_who_may_can_name_another_user(purser):
    headers = {"x-purser-user": "mallory"}
    assert purser.booked(purser.chat(headers=headers))["user"] == "alice@example.com"
    assert purser.booked(purser.chat(key=BOB, headers=headers))["user"] == "mallory"
    assert purser.booked(purser.chat(key=BOB, user="in-body"))["user"] == "in-body"
    header = {"x-portkey-metadata": '{"_user":"of-portkey"}'}
    assert purser.booked(purser.chat(key=BOB, headers=header))["user"] == "of-portkey"


def test_labels_reach_the_ledger_of_who_may_set_them(purser):
    headers = {"x-purser-label": "nightly"}
    assert purser.booked(purser.chat(headers=headers))["label"] == "nightly"
    assert "label" not in purser.booked(purser.chat(key=ERIN, headers=headers))
    assert "tags" not in purser.booked(purser.chat(key=ERIN, headers={"x-purser-tags": "no"}))


def test_the_ledger_never_holds_keys_or_prompts(purser):
    answer = purser.chat("a very private sentence", user="x")
    purser.lines_of(answer)
    text = "".join(path.read_text() for path in (purser.folder / "data/ledger").glob("*.jsonl"))
    for secret in ("private", KEY, BOB, "sk-upstream"):
        assert secret not in text and secret not in purser.log()


# ---- what the provider gets ----

def test_bytes_that_need_no_change_arrive_unchanged(purser, shared_provider):
    body = ('{ "model":"gpt-4o-mini" ,\n\t"messages":[{"role":"user","content":"\\u00e9\\ud83d'
            '\\ude00 é"}],"seed":123456789012345678901234567890,"x":1e400,"x":1, '
            '"logit_bias":{"50256":-100}, "max_tokens": 5 }\r\n ').encode()
    answer = purser.client.post("/v1/chat/completions", content=body,
                                headers={"content-type": "application/json; charset=utf-8"})
    assert answer.status_code == 200, answer.text
    target, headers, got = shared_provider.newest()
    assert got == body
    assert target == "/v1/chat/completions"
    assert headers["content-type"] == "application/json; charset=utf-8"


def test_own_and_hop_headers_are_removed_and_the_upstreams_key_is_sent(purser, shared_provider):
    purser.chat(headers={
        "x-purser-session": "s", "x-purser-unknown": "u", "Cookie": "c=1", "api-key": "client",
        "x-api-key": "client", "Connection": "keep-alive, x-hop", "x-hop": "1", "TE": "trailers",
        "x-forwarded-for": "10.0.0.1", "OpenAI-Organization": "org-1", "OpenAI-Project": "p",
        "Accept-Encoding": "br, gzip", "x-stainless-lang": "python", "x-litellm-tags": "t",
        "X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/v1/files",
        "User-Agent": "my-agent/1"})
    _, headers, _ = shared_provider.newest()
    assert headers["authorization"] == "Bearer sk-upstream"
    for name in ("x-purser-session", "x-purser-unknown", "cookie", "api-key", "x-api-key",
                 "x-hop", "te", "x-forwarded-for", "openai-organization", "openai-project",
                 "x-litellm-tags", "x-http-method-override", "x-original-url"):
        assert name not in headers, name
    assert headers["accept-encoding"] == "identity"
    assert headers["x-stainless-lang"] == "python"
    assert headers["user-agent"] == "my-agent/1"
    assert headers["x-client-request-id"].startswith("req_")


def test_a_clients_own_request_id_is_kept(purser, shared_provider):
    purser.chat(headers={"X-Client-Request-Id": "mine"})
    assert shared_provider.newest().headers["x-client-request-id"] == "mine"


@pytest.mark.parametrize("path,body", [
    ("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "hello"}),
    ("/embeddings", {"model": "text-embedding-3-small", "input": ["a", "b"]}),
])
def test_completions_and_embeddings_pass_too(purser, shared_provider, path, body):
    answer = purser.client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert shared_provider.newest().target == "/v1/" + path.split("/")[-1]
    line = purser.booked(answer)
    bill = httpx.get(f"{shared_provider.base}/fake/bill/{answer.headers['x-request-id']}").json()
    assert line["cost_nano_usd"] == bill["cost_nano_usd"] == usd(
        answer.headers["x-purser-cost-usd"])
    assert line["endpoint"] == path.split("/")[-1]


# ---- what the client gets ----

def test_an_answer_names_its_request_model_upstream_and_cost(purser):
    answer = purser.chat(fake="prompt=10,cached=4,output=3")
    cost = 6 * 150 + 4 * 75 + 3 * 600
    assert answer.headers["x-purser-model"] == "gpt-4o-mini"
    assert answer.headers["x-purser-upstream"] == "fake"
    assert usd(answer.headers["x-purser-cost-usd"]) == cost
    assert usd(answer.headers["x-litellm-response-cost"]) == cost
    line = purser.booked(answer)
    assert (line["cost_nano_usd"], line["cached_tokens"]) == (cost, 4)
    assert answer.headers["x-request-id"]


def test_cookies_and_the_organisation_are_not_passed_back(purser):
    answer = purser.chat(fake="header=Set-Cookie:a=1,header=openai-organization:acme,"
                              "header=x-ratelimit-remaining-requests:7,"
                              "header=x-purser-cost-usd:0,header=x-some-other:5")
    assert "set-cookie" not in answer.headers and "openai-organization" not in answer.headers
    assert answer.headers["x-ratelimit-remaining-requests"] == "7"
    assert answer.headers["x-some-other"] == "5"
    assert answer.headers["x-purser-cost-usd"] != "0"


def test_the_answers_bytes_arrive_unchanged(purser, shared_provider):
    answer = purser.chat("same bytes", fake="output=4,gzip=1")
    assert "content-encoding" not in answer.headers
    assert answer.json()["usage"]["completion_tokens"] == 4
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_an_answer_too_large_to_keep_is_relayed_with_its_hold(purser):
    answer = purser.chat(fake="big_mb=5,output=3")
    assert answer.status_code == 200 and len(answer.content) > 5_000_000
    assert "x-purser-hold-usd" in answer.headers
    line = purser.booked(answer)
    assert line["usage_source"] == "reported" and line["completion_tokens"] == 3


# ---- routes ----

def test_an_alias_changes_the_model_sent_and_nothing_else(shared_provider, start):
    upstream = upstream_of(shared_provider, models=["gpt-4o-mini"],
                           aliases={"fast": "gpt-4o-mini"})
    purser = start(shared_provider, upstreams=[upstream])
    body = b'{"messages":[],"model":"fast","seed":1.0}'
    answer = purser.client.post("/v1/chat/completions", content=body,
                                headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert shared_provider.newest().body == body.replace(b"fast", b"gpt-4o-mini")
    assert answer.headers["x-purser-model"] == "gpt-4o-mini"
    line = purser.booked(answer)
    assert (line["model"], line["model_requested"]) == ("gpt-4o-mini", "fast")
    error = error_of(purser.chat(model="gpt-4o"), 404, "model_not_found")
    assert error["param"] == "model"
    names = {row["id"] for row in purser.client.get("/v1/models").json()["data"]}
    assert names == {"fast", "gpt-4o-mini"}


def test_azure_deployments_are_reached_by_path_key_header_and_query(start):
    with Provider("--api-key", "azure-key") as provider:
        purser = start(provider, upstreams=[{
            "name": "azure", "base_url": provider.base + "/openai/deployments/{model}",
            "api_key": "azure-key", "auth_header": "api-key", "provider": "openai",
            "query": {"api-version": "2024-10-21"}, "headers": {"x-extra": "yes"},
            "aliases": {"gpt-4o": "my deployment"}, "models": []}])
        answer = purser.chat(model="gpt-4o")
        assert answer.status_code == 200, answer.text
        target, headers, _ = provider.newest()
        assert target == ("/openai/deployments/my%20deployment/chat/completions"
                          "?api-version=2024-10-21")
        assert headers["api-key"] == "azure-key" and "authorization" not in headers
        assert headers["x-extra"] == "yes"
        assert purser.booked(answer)["model"] == "gpt-4o"


def test_the_first_upstream_that_serves_a_model_gets_it(shared_provider, start):
    with Provider() as second:
        purser = start(upstreams=[
            upstream_of(shared_provider, name="first", models=["gpt-4o-mini"]),
            upstream_of(second, name="second", models=["gpt-*"])])
        mini, other = purser.chat(model="gpt-4o-mini"), purser.chat(model="gpt-4o")
        assert mini.headers["x-purser-upstream"] == "first"
        assert other.headers["x-purser-upstream"] == "second"
        assert second.bill()["requests"] == 1
        assert purser.booked(other)["service"] == "second"


# ---- modes ----

def test_open_mode_needs_no_key_but_a_loopback_host(shared_provider, start):
    purser = start(shared_provider, auth={"mode": "open"}, keys=[])
    body = {"model": "gpt-4o-mini", "messages": []}
    answer = httpx.post(purser.url + "/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert purser.booked(answer)["key"] == "open"
    for host in ("localhost", f"127.0.0.1:{purser.port}", "[::1]:80", "agent.localhost:1"):
        answer = httpx.post(purser.url + "/chat/completions", json=body, headers={"Host": host})
        assert answer.status_code == 200, host
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.1"):
        answer = httpx.post(purser.url + "/chat/completions", json=body, headers={"Host": host})
        error_of(answer, 403, "host_not_allowed")
        error_of(httpx.get(purser.base + "/budget", headers={"Host": host}), 403,
                 "host_not_allowed")


def test_with_keys_any_host_will_do(purser):
    assert purser.chat(headers={"Host": "purser:8080"}).status_code == 200


def test_passthrough_forwards_the_clients_key_and_names_it_by_its_hash(start):
    with Provider("--api-key", "sk-own") as provider:
        purser = start(provider, auth={"mode": "passthrough", "admin_token": ADMIN}, keys=[],
                       upstreams=[{"name": "fake", "base_url": provider.url,
                                   "provider": "openai"}],
                       budgets=[{"name": "each", "scope": "key", "window": "day", "usd": 1}])
        headers = {"Authorization": "Bearer sk-own"}
        for path in ("/budget", "/costs"):
            error_of(purser.client.get(path, headers=headers), 401, "invalid_api_key")
        refused = purser.chat(key="sk-stranger")
        assert refused.status_code == 401 and "x-purser-error" not in refused.headers
        error_of(purser.client.get("/budget", headers={"Authorization": "Bearer sk-stranger"}),
                 401, "invalid_api_key")
        answer = purser.chat(key="sk-own", headers={"OpenAI-Organization": "org-1"})
        assert answer.status_code == 200, answer.text
        sent = provider.newest().headers
        assert sent["authorization"] == "Bearer sk-own"
        assert sent["openai-organization"] == "org-1"
        name = "sha256-" + hashlib.sha256(b"sk-own").hexdigest()[:16]
        assert purser.booked(answer)["key"] == name
        rows = purser.client.get("/budget", headers=headers).json()["data"]
        assert [row["id"] for row in rows] == [name]
        assert purser.client.get("/costs", headers=headers).json()["total"]["requests"] == 1


def test_a_page_may_call_only_if_its_origin_is_allowed(shared_provider, start):
    purser = start(shared_provider, allowed_origins=["https://chat.example"])
    error_of(purser.chat(headers={"Origin": "https://evil.example"}), 403, "origin_not_allowed")
    answer = purser.chat(headers={"Origin": "https://chat.example"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://chat.example"
    preflight = purser.client.options("/v1/chat/completions", headers={
        "Origin": "https://chat.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-headers"] == "authorization"
    assert provider_calls(shared_provider, purser) == 1


def provider_calls(provider, purser):
    """How many of the provider's calls purser's ledger knows."""
    reserved = {line["request_id"] for line in purser.ledger() if line["kind"] == "reserve"}
    return len(reserved)


def test_keep_alive_connections_serve_several_requests(purser):
    request = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
               "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}")
    body = '{"model":"gpt-4o-mini","messages":[]}'
    with socket.create_connection(("127.0.0.1", purser.port), 10) as connection:
        connection.sendall(2 * request.format(len(body), body).encode())
        data = b""
        while data.count(b"chat.completion\"") < 2:
            piece = connection.recv(65536)
            assert piece, data
            data += piece
    assert data.count(b"HTTP/1.1 200") == 2


def test_purser_listens_on_a_unix_socket(shared_provider, tmp_path):
    path = tmp_path / "purser.sock"
    purser = Purser(shared_provider, start=False, config={
        "listen": f"unix:{path}", "auth": {"mode": "open"},
        "upstreams": [upstream_of(shared_provider)]})
    purser._up = path.exists
    with purser.start(), httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
        answer = client.post("http://localhost/v1/chat/completions",
                             json={"model": "gpt-4o-mini", "messages": []})
        assert answer.status_code == 200, answer.text


def test_health_needs_no_key(purser):
    assert httpx.get(purser.base + "/healthz").json()["status"] == "ok"
    assert httpx.get(purser.base + "/readyz").json()["status"] == "ready"


def test_an_upstream_that_asks_to_close_is_called_again(start):
    def answer(connection, head, body):
        connection.sendall(COMPLETION.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))

    with Upstream(answer) as upstream:
        purser = start(upstream, upstreams=[upstream_of(upstream)])
        assert [purser.chat().status_code for _ in range(5)] == [200] * 5
        assert len(upstream.asked) == 5
