"""What lives at the provider belongs to the key that made it: files, responses; others get 404."""

import json

import pytest

from harness import ADMIN, KEY, NANO, Provider, Purser, error_of, wait_until

BOB = "sk-test-bob-0123456789abcdef"
KEYS = [{"id": "alice", "key": KEY}, {"id": "bob", "key": BOB}]
AS_BOB = {"Authorization": f"Bearer {BOB}"}


@pytest.fixture(scope="module")
def scene():
    with Provider() as provider, Purser(provider, keys=KEYS) as purser:
        yield provider, purser


def upload(purser, content, purpose="user_data", headers=None, name="a.txt"):
    return purser.client.post("/v1/files", headers=headers, data={"purpose": purpose},
                              files={"file": (name, content)})


def made(purser, content=b"some bytes", **more):
    answer = upload(purser, content, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def line(number, model="gpt-4o-mini", url="/v1/chat/completions", **body):
    return json.dumps({"custom_id": f"job-{number}", "method": "POST", "url": url, "body": {
        "model": model, "max_tokens": 10,
        "messages": [{"role": "user", "content": f"job {number}"}], **body}})


def test_a_file_goes_up_and_comes_back_byte_for_byte(scene):
    provider, purser = scene
    content = bytes(range(256)) * 4096  # more than is passed on whole
    answer = upload(purser, content)
    assert answer.status_code == 200
    assert answer.headers["x-purser-upstream"] == "fake"
    name = answer.json()["id"]
    sent = provider.requests()["requests"][0]
    assert sent["target"] == "/v1/files"
    headers = {key.lower(): value for key, value in sent["headers"]}
    assert headers["authorization"] == "Bearer sk-upstream"
    assert headers["content-type"] == answer.request.headers["content-type"]
    assert sent["body_size"] == int(answer.request.headers["content-length"])
    assert purser.client.get(f"/v1/files/{name}").json() == answer.json()
    back = purser.client.get(f"/v1/files/{name}/content")
    assert back.status_code == 200 and back.content == content


def test_to_other_keys_an_object_does_not_exist(scene):
    provider, purser = scene
    name = made(purser)
    asked = provider.requests(64)
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        answer = purser.client.request(method, f"/v1/files/{name}{path}", headers=AS_BOB)
        error = error_of(answer, 404, "object_not_found")
        assert error["type"] == "invalid_request_error"
    for kind in ("responses", "batches", "files"):
        error_of(purser.client.get(f"/v1/{kind}/unknown-1"), 404, "object_not_found")
    assert provider.requests(64) == asked  # nobody was asked
    # An id of one kind is none of another.
    error_of(purser.client.get(f"/v1/responses/{name}"), 404, "object_not_found")
    assert purser.client.get(f"/v1/files/{name}").status_code == 200


def test_lists_show_what_the_key_owns_page_by_page(scene):
    _, purser = scene
    with Provider() as provider, Purser(provider, keys=KEYS) as purser:
        mine = [made(purser, name=f"{i}.txt", purpose="user_data" if i % 2 else "vision")
                for i in range(5)]
        made(purser, headers=AS_BOB)

        def listed(**query):
            answer = purser.client.get("/v1/files", params=query)
            assert answer.status_code == 200, answer.text
            return answer.json()

        whole = listed()
        assert sorted(row["id"] for row in whole["data"]) == sorted(mine)
        assert whole["object"] == "list" and not whole["has_more"]
        assert all(row["bytes"] == 10 and row["object"] == "file" for row in whole["data"])
        order = [row["id"] for row in whole["data"]]
        first = listed(limit=2)
        assert [row["id"] for row in first["data"]] == order[:2] and first["has_more"]
        assert (first["first_id"], first["last_id"]) == (order[0], order[1])
        rest = listed(limit=3, after=first["last_id"])
        assert [row["id"] for row in rest["data"]] == order[2:] and not rest["has_more"]
        vision = listed(purpose="vision", limit=2)
        assert len(vision["data"]) == 2 and vision["has_more"]
        rest = listed(purpose="vision", after=vision["last_id"])
        assert len(rest["data"]) == 1 and not rest["has_more"]
        assert listed(purpose="other")["data"] == []
        assert len(purser.client.get("/v1/files", headers=AS_BOB).json()["data"]) == 1
        error_of(purser.client.get("/v1/files", headers=AS_BOB, params={"after": mine[0]}),
                 404, "object_not_found")
        for query in ("limit=0", "limit=x", "order=asc", "colour=red", "after", "limit=%zz"):
            error_of(purser.client.get(f"/v1/files?{query}"), 400, "invalid_request")
        assert purser.client.get("/v1/batches").json()["data"] == []


def test_what_is_deleted_is_nobodys(scene):
    _, purser = scene
    name = made(purser)
    answer = purser.client.delete(f"/v1/files/{name}")
    assert answer.json()["deleted"] is True
    error_of(purser.client.get(f"/v1/files/{name}"), 404, "object_not_found")
    error_of(purser.client.delete(f"/v1/files/{name}"), 404, "object_not_found")


def test_ownership_survives_a_restart_and_a_kill():
    with Provider() as provider, Purser(provider, keys=KEYS) as purser:
        name = made(purser)
        assert purser.client.get(f"/v1/files/{name}").status_code == 200  # so it is on disk
        purser.process.kill()
        purser.start()
        assert purser.client.get(f"/v1/files/{name}").status_code == 200
        error_of(purser.client.get(f"/v1/files/{name}", headers=AS_BOB), 404, "object_not_found")


@pytest.mark.parametrize("path", [
    "/v1/files/..", "/v1/files/.", "/v1/files/%2e%2e", "/v1/files/a%2fcontent", "/v1/files/a%00",
    "/v1/files/..%2f..%2fmodels", "/v1/files//content", "/v1/files/", "/v1/files/a;b",
    "/v1/responses/" + "a" * 257, "/v1/batches/a%5cb", "/v1/files/é"])
def test_ids_that_are_none_go_nowhere(scene, path):
    provider, purser = scene
    asked = provider.requests(64)
    data = purser.request(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                          f"Authorization: Bearer {KEY}\r\n\r\n".encode())
    assert data.split()[1] == b"404", data
    assert b"object_not_found" in data
    assert provider.requests(64) == asked


def test_paths_and_methods_that_are_not_served(scene):
    _, purser = scene
    name = made(purser)
    for method, path in (("GET", "/secrets"), ("POST", "/content"), ("GET", "/content/more")):
        answer = purser.client.request(method, f"/v1/files/{name}{path}")
        assert answer.status_code in (404, 405) and "x-purser-error" in answer.headers
    error_of(purser.client.get("/v1/files", headers={"Authorization": f"Bearer {ADMIN}"}),
             403, "not_allowed")
    error_of(purser.client.get("/v1/files", headers={"Authorization": "Bearer nobody"}),
             401, "invalid_api_key")


def test_queries_are_passed_on_only_if_they_are_queries(scene):
    provider, purser = scene
    name = made(purser)
    answer = purser.client.get(f"/v1/files/{name}?include[]=a.b&x=%20y")
    assert answer.status_code == 200
    assert provider.requests()["requests"][0]["target"].startswith(f"/v1/files/{name}?include")
    data = purser.request(f"GET /v1/files/{name}?a=\"b\\ HTTP/1.1\r\nHost: x\r\n"
                          f"Connection: close\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode())
    assert data.split()[1] == b"400", data


def form(*parts, boundary="b0"):
    """multipart/form-data of (head, content) pairs."""
    body = b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), head.encode(), content)
                    for head, content in parts)
    return body + b"--%s--\r\n" % boundary.encode()


FILE = 'Content-Disposition: form-data; name="file"; filename="a"'
PURPOSE = 'Content-Disposition: form-data; name="purpose"'


@pytest.mark.parametrize("body", [
    b"", b"nonsense", form((PURPOSE, b"batch")), form((FILE, b"x")),
    form((PURPOSE, b"batch"), (PURPOSE, b"vision"), (FILE, b"x")),
    form((PURPOSE, b"batch"), (FILE, b"x"), (FILE, b"y")),
    form((PURPOSE, b"vision"), (FILE, b"x"), (FILE.replace('"file"', '"File"'), b"y")),
    form((PURPOSE, b"batch"), (FILE + "; name=other", b"x")),
    form((PURPOSE, b"batch"), (FILE + "\r\nContent-Transfer-Encoding: base64", b"eA==")),
    form((PURPOSE, b"batch"), (FILE + "\r\nContent-Encoding: gzip", b"x")),
    form((PURPOSE, b"batch"), (FILE.replace("name=", "name*=utf-8''"), b"x")),
    form((PURPOSE, b"batch"), (FILE, b"x"), (FILE.replace('"file"', '"file[]"'), b"y")),
    form((PURPOSE, b"vision"), (PURPOSE.replace('"purpose"', '"purpose[0]"'), b"batch"),
         (FILE, b"x")),
    form((PURPOSE, b"batch"), (FILE, b"x"), (FILE.replace('"file"', '"other"'), b"y")),
    b"preamble\r\n" + form((PURPOSE, b"batch"), (FILE, b"x")),
    form((PURPOSE, b"batch"), (FILE, b"x")) + b"epilogue",
    form((PURPOSE, b"batch"), (FILE, b"x"))[:-4],
])
def test_forms_that_readers_could_disagree_about_are_refused(scene, body):
    provider, purser = scene
    asked = provider.requests(64)
    answer = purser.client.post(
        "/v1/files", content=body, headers={"Content-Type": "multipart/form-data; boundary=b0"})
    error_of(answer, 400, "invalid_request")
    assert provider.requests(64) == asked


def test_an_upload_must_be_a_form(scene):
    _, purser = scene
    for kind in ("application/json", "multipart/form-data", "text/plain; boundary=b0",
                 "multipart/form-data; boundary=b0; boundary=b1", "multipart/mixed; boundary=b0"):
        answer = purser.client.post("/v1/files", content=form((PURPOSE, b"vision"), (FILE, b"x")),
                                    headers={"Content-Type": kind})
        error_of(answer, 400, "invalid_request")


def test_an_upload_tells_its_boundary_once(scene):
    """Of two headers the provider may believe the other one, and read another file."""
    provider, purser = scene
    asked = provider.requests(64)
    other = form((PURPOSE, b"batch"), (FILE, line(0).encode()), boundary="b1")
    kind = "multipart/form-data; boundary="
    answer = purser.client.post(
        "/v1/files", content=form((PURPOSE, b"vision"), (FILE, other)),
        headers=[("Content-Type", kind + "b0"), ("Content-Type", kind + "b1")])
    error_of(answer, 400, "invalid_request")
    assert provider.requests(64) == asked


def test_a_batchs_file_of_a_hundred_thousand_lines_is_read():
    with Provider() as provider, Purser(provider, keys=KEYS, workers=1) as purser:
        content = "\n".join(line(i) for i in range(100_000))
        assert made(purser, content.encode(), purpose="batch")
        assert purser.client.get("/healthz").status_code == 200


def test_a_large_file_is_refused_by_its_size():
    with Provider() as provider, Purser(provider, keys=KEYS, limits={"body_mb": 1}) as purser:
        error_of(upload(purser, b"x" * 1_100_000), 413, "body_too_large")


def test_the_providers_own_errors_and_failures():
    with Provider("--api-key", "another") as provider, Purser(provider, keys=KEYS) as purser:
        error_of(upload(purser, b"x"), 502, "upstream_auth_failed")
        provider.close()
        error_of(upload(purser, b"x"), 502, "upstream_unreachable")
        assert purser.client.get("/v1/files").json()["data"] == []


def test_responses_are_served_to_their_owner(scene):
    provider, purser = scene
    with Provider() as provider, Purser(provider, keys=KEYS) as purser:
        answer = purser.client.post("/v1/responses", json={
            "model": "gpt-4o-mini", "input": "hello", "max_output_tokens": 20})
        if answer.status_code == 404:
            pytest.skip("the Responses API is not served yet")
        name = answer.json()["id"]
        assert purser.client.get(f"/v1/responses/{name}").json()["id"] == name
        assert purser.client.get(f"/v1/responses/{name}/input_items").status_code == 200
        more = purser.client.post("/v1/responses", json={
            "model": "gpt-4o-mini", "input": "on", "max_output_tokens": 20,
            "previous_response_id": name})
        assert more.status_code == 200, more.text
        stolen = purser.client.post("/v1/responses", headers=AS_BOB, json={
            "model": "gpt-4o-mini", "input": "on", "max_output_tokens": 20,
            "previous_response_id": name})
        assert error_of(stolen, 404, "object_not_found")["param"] == "previous_response_id"
        for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"),
                             ("GET", "/input_items")):
            answer = purser.client.request(method, f"/v1/responses/{name}{tail}", headers=AS_BOB)
            error_of(answer, 404, "object_not_found")
        assert purser.client.delete(f"/v1/responses/{name}").status_code == 200
        error_of(purser.client.get(f"/v1/responses/{name}"), 404, "object_not_found")


def test_objects_cost_nothing_and_stand_in_the_log_alone():
    budgets = [{"name": "all", "scope": "global", "window": "total", "usd": 1}]
    with Provider() as provider, Purser(provider, keys=KEYS, budgets=budgets) as purser:
        name = made(purser)
        purser.client.get(f"/v1/files/{name}")
        assert purser.budgets()[("all", "all", "usd")]["spent"] == 0
        wait_until(lambda: f"GET /v1/files/{name}" in purser.log(), what="the access log")
        assert {entry["kind"] for entry in purser.ledger()} == {"open"}
        assert provider.bill()["cost_nano_usd"] * NANO == 0


def test_in_passthrough_the_provider_judges_what_nobody_made_here():
    with Provider() as provider, \
            Purser(provider, auth={"mode": "passthrough", "admin_token": ADMIN}, keys=[]) as purser:
        foreign = purser.client.post(f"{provider.url}/files", data={"purpose": "vision"},
                                     files={"file": ("a", b"x")}).json()["id"]
        assert purser.client.get(f"/v1/files/{foreign}").json()["id"] == foreign
        assert provider.requests()["requests"][0]["target"] == f"/v1/files/{foreign}"
        mine = made(purser)
        error_of(purser.client.get(f"/v1/files/{mine}", headers=AS_BOB), 404, "object_not_found")
        assert [row["id"] for row in purser.client.get("/v1/files").json()["data"]] == [mine]


def test_a_file_in_a_request_must_not_be_another_keys(scene):
    provider, purser = scene
    name = made(purser)
    asked = provider.requests(64)

    def ask(file, headers=None, part=None, **body):
        part = part or {"type": "file", "file": {"file_id": file}}
        return purser.client.post("/v1/chat/completions", headers=headers, json={
            "model": "gpt-4o-mini", "max_tokens": 5, "messages": [
                {"role": "user", "content": [{"type": "text", "text": "what is in it?"}, part]}],
            **body})

    stolen = ask(name, AS_BOB)
    assert error_of(stolen, 404, "object_not_found")["param"] == "file_id"
    hidden = json.dumps({"model": "gpt-4o-mini", "max_tokens": 5, "messages": [{
        "role": "user", "content": [{"type": "file", "file": {"x": name}}]}]})
    for spelling in ("FILE_ID", "file\\u005fid", "f\\u0069le_id"):
        answer = purser.client.post("/v1/chat/completions", content=hidden.replace(
            '"x"', f'"{spelling}"'), headers={**AS_BOB, "Content-Type": "application/json"})
        error_of(answer, 404, "object_not_found")
    answer = purser.client.post("/v1/responses", headers=AS_BOB, json={
        "model": "gpt-4o-mini", "max_output_tokens": 16, "input": [{"role": "user", "content": [
            {"type": "input_image", "file_id": name}]}]})
    error_of(answer, 404, "object_not_found")
    for container in ({"file_ids": [name]}, {"FILE_IDS": ["file-other", name]},
                      {"file\u005fids": [name]}, {"x": {"file_id": name}}):
        answer = purser.client.post("/v1/responses", headers=AS_BOB, json={
            "model": "gpt-4o-mini", "max_output_tokens": 16, "input": "what is in it?",
            "tools": [{"type": "code_interpreter", "container": {"type": "auto", **container}}]})
        error_of(answer, 404, "object_not_found")
    assert provider.requests(64) == asked
    assert ask(name).status_code == 200
    error_of(ask("file-that-nobody-made-here"), 404, "object_not_found")
    many = [{"type": "file", "file": {"file_id": f"file-{i}"}} for i in range(65)]
    answer = purser.client.post("/v1/chat/completions", json={
        "model": "gpt-4o-mini", "max_tokens": 5, "messages": [{"role": "user", "content": many}]})
    error_of(answer, 400, "invalid_request")
