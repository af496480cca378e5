"""Batches: held when they are made, from their own lines; settled from their results, exactly."""

import json
import socket

import pytest

from harness import (ADMIN, KEY, Provider, Purser, Upstream, error_of, plain_answer, usd,
                     wait_until)

BOB = "sk-test-bob-0123456789abcdef"
KEYS = [{"id": "alice", "key": KEY, "team": "research"},
        {"id": "bob", "key": BOB, "models": ["gpt-4o"]}]
AS_BOB = {"Authorization": f"Bearer {BOB}"}
DOLLAR = [{"name": "all", "scope": "global", "window": "total", "usd": 1}]
POLLS = {"poll_ms": 50}
HASTE = {"poll_ms": 10}  # for what is only given up after 150 of them


def purse(provider, budgets=None, limits=None, **more):
    return Purser(provider, keys=KEYS, limits=limits or POLLS,
                  budgets=DOLLAR if budgets is None else budgets, **more)


def line(number, text=None, url="/v1/chat/completions", model="gpt-4o-mini", **body):
    body = {"model": model, "max_tokens": 30,
            "messages": [{"role": "user", "content": text or f"job {number}"}], **body}
    return json.dumps({"custom_id": f"job-{number}", "method": "POST", "url": url, "body": body})


def upload(purser, lines, headers=None):
    content = lines if isinstance(lines, bytes) else "\n".join(lines).encode()
    answer = purser.client.post("/v1/files", headers=headers, data={"purpose": "batch"},
                                files={"file": ("jobs.jsonl", content)})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def create(purser, file, fake=None, headers=None, endpoint="/v1/chat/completions", **body):
    headers = {**(headers or {}), **({"x-fake": fake} if fake else {})}
    return purser.client.post("/v1/batches", headers=headers, json={
        "input_file_id": file, "endpoint": endpoint, "completion_window": "24h", **body})


def started(purser, lines, **more):
    answer = create(purser, upload(purser, lines), **more)
    assert answer.status_code == 200, answer.text
    return answer


def settled(purser, answer):
    """The last line of a batch's call, once its hold is closed."""
    name = answer.headers["x-purser-request-id"]

    def last():
        found = [entry for entry in purser.ledger() if entry["request_id"] == name]
        return found[-1] if found and found[-1]["kind"] in ("settle", "forfeit") else None
    return wait_until(last, 20, "the batch to be settled")


def spent(purser, name="all"):
    rows = [row for key, row in purser.budgets().items() if key[0] == name]
    return usd(rows[0]["spent"]), usd(rows[0]["reserved"])


def books_are_the_bill(purser, provider):
    bill = provider.settled_bill(False)
    assert sum(purser.settled().values()) == bill["cost_nano_usd"]
    assert spent(purser) == (bill["cost_nano_usd"], 0)
    assert not purser.open_holds()
    return bill


def test_a_batch_is_held_and_then_settled_exactly():
    with Provider() as provider, purse(provider) as purser:
        lines = [line(i, f"[fake prompt={7 + i} output={i}] {'x' * 20}") for i in range(1, 26)]
        answer = started(purser, lines, fake="delay_ms=400")
        held = usd(answer.headers["x-purser-hold-usd"])
        assert spent(purser) == (0, held) and held > 0
        assert "x-purser-cost-usd" not in answer.headers
        reserve = [entry for entry in purser.ledger() if entry["kind"] == "reserve"]
        assert [entry["hold_nano_usd"] for entry in reserve] == [held]
        entry = settled(purser, answer)
        bill = books_are_the_bill(purser, provider)
        assert 0 < bill["cost_nano_usd"] <= held
        assert entry["prompt_tokens"] == bill["prompt_tokens"]
        assert entry["completion_tokens"] == bill["completion_tokens"]
        assert entry["usage_source"] == "reported" and entry["endpoint"] == "batches"
        assert entry["model"] == "gpt-4o-mini" and entry["key"] == "alice"
        # Half the price: what was saved is about as much as was paid.
        assert abs(entry["saved_nano_usd"]["batch"] - bill["cost_nano_usd"]) <= len(lines)
        wait_until(lambda: purser.client.get(f"/v1/batches/{answer.json()['id']}").json()[
            "status"] == "completed")


def test_its_results_belong_to_the_key_and_lists_tell_how_far_it_is():
    with Provider() as provider, purse(provider) as purser:
        answer = started(purser, [line(i) for i in range(3)], fake="delay_ms=300")
        name = answer.json()["id"]
        listed = purser.client.get("/v1/batches").json()["data"]
        assert [row["id"] for row in listed] == [name]
        assert purser.client.get("/v1/batches", headers=AS_BOB).json()["data"] == []
        settled(purser, answer)
        listed = purser.client.get("/v1/batches").json()["data"]
        assert listed[0]["status"] == "completed"
        output = listed[0]["output_file_id"]
        results = purser.client.get(f"/v1/files/{output}/content").text.splitlines()
        assert [json.loads(row)["custom_id"] for row in results] == ["job-0", "job-1", "job-2"]
        for path in (f"/v1/batches/{name}", f"/v1/files/{output}/content"):
            error_of(purser.client.get(path, headers=AS_BOB), 404, "object_not_found")
        error_of(purser.client.post(f"/v1/batches/{name}/cancel", headers=AS_BOB), 404,
                 "object_not_found")
        names = {row["id"] for row in purser.client.get("/v1/files").json()["data"]}
        assert output in names and answer.json()["input_file_id"] in names


def test_lines_that_fail_cost_nothing():
    with Provider() as provider, purse(provider) as purser:
        lines = [line(0), line(1, "[fake status=500] oh"), line(2), line(3, "[fake status=400] no")]
        entry = settled(purser, started(purser, lines))
        bill = books_are_the_bill(purser, provider)
        assert entry["cost_nano_usd"] == bill["cost_nano_usd"] > 0


@pytest.mark.parametrize("fake, status", [("die_after=2", "expired"), ("fail_after=3", "cancelled"),
                                          ("die_after=0", "expired")])
def test_what_was_done_before_the_end_is_billed(fake, status):
    with Provider() as provider, purse(provider) as purser:
        answer = started(purser, [line(i) for i in range(5)], fake=fake)
        settled(purser, answer)
        books_are_the_bill(purser, provider)
        assert purser.client.get("/v1/batches").json()["data"][0]["status"] == status


def test_a_batch_is_cancelled():
    with Provider() as provider, purse(provider) as purser:
        answer = started(purser, [line(i) for i in range(6)], fake="delay_ms=60000")
        cancelled = purser.client.post(f"/v1/batches/{answer.json()['id']}/cancel")
        assert cancelled.json()["status"] == "cancelled"
        settled(purser, answer)
        assert books_are_the_bill(purser, provider)["requests"] == 3


def test_embeddings_have_batches_too():
    with Provider() as provider, purse(provider) as purser:
        lines = [json.dumps({"custom_id": str(i), "method": "POST", "url": "/v1/embeddings",
                             "body": {"model": "text-embedding-3-small", "input": "words " * i}})
                 for i in range(1, 9)]
        answer = started(purser, lines, endpoint="/v1/embeddings")
        settled(purser, answer)
        assert books_are_the_bill(purser, provider)["completion_tokens"] == 0


def test_results_without_usage_are_booked_at_the_hold():
    with Provider() as provider, purse(provider) as purser:
        answer = started(purser, [line(0), line(1, "[fake usage=missing] x")])
        entry = settled(purser, answer)
        assert entry["usage_source"] == "bound"
        assert entry["cost_nano_usd"] == usd(answer.headers["x-purser-hold-usd"])
        assert provider.bill()["cost_nano_usd"] <= entry["cost_nano_usd"]


def test_the_provider_refuses_the_batch():
    with Provider() as provider, purse(provider) as purser:
        answer = create(purser, upload(purser, [line(0)]), fake="status=400")
        assert answer.status_code == 400
        assert spent(purser) == (0, 0) and purser.client.get("/v1/batches").json()["data"] == []


def test_what_does_not_fit_the_budget_is_not_made():
    budgets = [{"name": "all", "scope": "global", "window": "total", "usd": 0.0001}]
    with Provider() as provider, purse(provider, budgets) as purser:
        lines = [line(i, max_tokens=1000) for i in range(10)]
        error_of(create(purser, upload(purser, lines)), 400, "request_cost_exceeds_limit")
        answer = started(purser, [line(0)], fake="delay_ms=300")
        settled(purser, answer)
        books_are_the_bill(purser, provider)
        assert provider.bill()["requests"] == 1


def test_other_budgets_than_usd_count_the_lines_tokens():
    budgets = [{"name": "all", "scope": "key", "window": "total", "tokens": 400}]
    with Provider() as provider, purse(provider, budgets) as purser:
        error_of(create(purser, upload(purser, [line(i) for i in range(9)])), 400,
                 "request_cost_exceeds_limit")
        settled(purser, started(purser, [line(0)]))
        row = purser.budgets()[("all", "alice", "tokens")]
        bill = provider.bill()
        assert row["spent"] == bill["prompt_tokens"] + bill["completion_tokens"]


@pytest.mark.parametrize("lines, says", [
    (["nonsense"], "Line 1 "),
    ([line(0), '{"custom_id": "a"}'], "Line 2 "),
    ([line(0), "", line(1, model="gpt-4o")], "Line 2 "),
    ([line(0, stream=True)], "Line 1 "),
    ([line(0, n="many")], "Line 1 "),
    ([line(0, url="/v1/files")], "Line 1 "),
    ([line(0, url="/v1/batches")], "Line 1 "),
    ([line(0), line(1)[:-1]], "Line 2 "),
    ([line(0)[:-1] + ', "body": {}}'], "Line 1 "),
    ([""], "no lines"),
])
def test_a_file_that_is_not_understood_makes_no_batch(lines, says):
    with Provider() as provider, purse(provider) as purser:
        answer = create(purser, upload(purser, lines))
        assert says in error_of(answer, 400, "invalid_batch")["message"]
        assert spent(purser) == (0, 0)


def test_a_batch_needs_lines_that_purser_has_seen_and_may_serve():
    with Provider() as provider, purse(provider) as purser:
        error_of(create(purser, "file-unknown"), 404, "object_not_found")
        error_of(create(purser, "../files"), 404, "object_not_found")
        other = purser.client.post("/v1/files", data={"purpose": "user_data"},
                                   files={"file": ("a", line(0).encode())}).json()["id"]
        error_of(create(purser, other), 400, "invalid_batch")
        file = upload(purser, [line(0)])
        error_of(create(purser, file, headers=AS_BOB), 404, "object_not_found")
        error_of(create(purser, file, endpoint="/v1/completions"), 400, "invalid_batch")
        error_of(create(purser, upload(purser, [line(0)], AS_BOB), headers=AS_BOB), 403,
                 "model_not_allowed")
        error_of(create(purser, upload(purser, [line(0, model="unheard-of")])), 400,
                 "model_not_priced")
        error_of(create(purser, upload(purser, [line(0, web_search_options={})])), 400,
                 "unbounded_tool")
        for body in ({}, {"input_file_id": file}, {"input_file_id": 1, "endpoint": "x"}):
            answer = purser.client.post("/v1/batches", json=body)
            assert answer.status_code == 400 and "x-purser-error" in answer.headers
        twice = f'{{"input_file_id":"{other}","input_file_id":"{file}","endpoint":"x"}}'
        error_of(purser.client.post("/v1/batches", content=twice,
                                    headers={"Content-Type": "application/json"}), 400,
                 "duplicate_member")
        assert provider.bill()["requests"] == 0 and spent(purser) == (0, 0)


def test_without_budgets_any_batch_is_made_and_booked():
    with Provider() as provider, purse(provider, []) as purser:
        answer = started(purser, [line(0), line(1, web_search_options={})])
        assert settled(purser, answer)["cost_nano_usd"] == provider.bill()["cost_nano_usd"]


def test_a_restart_goes_on_with_it():
    with Provider() as provider, purse(provider) as purser:
        answer = started(purser, [line(i) for i in range(4)], fake="delay_ms=1500")
        before = spent(purser)
        assert before[1] > 0
        purser.end()  # does not wait for it
        purser.start()
        assert spent(purser) == before
        entry = settled(purser, answer)
        books_are_the_bill(purser, provider)
        assert entry["kind"] == "settle" and entry["usage_source"] == "reported"
        purser.end()
        purser.start()
        books_are_the_bill(purser, provider)


def test_a_kill_goes_on_with_it_and_forfeits_the_rest():
    budgets = DOLLAR + [{"name": "team", "scope": "team", "window": "day", "usd": 1,
                         "tokens": 10 ** 6}]
    with Provider() as provider, purse(provider, budgets) as purser:
        answer = started(purser, [line(i) for i in range(4)], fake="delay_ms=1500")
        wait_until(lambda: purser.client.get("/v1/batches").json()["data"])  # it is noted
        before = spent(purser), spent(purser, "team")
        for _ in range(2):
            purser.process.kill()
            purser.start()
            assert (spent(purser), spent(purser, "team")) == before
        settled(purser, answer)
        bill = books_are_the_bill(purser, provider)
        rows = purser.budgets()
        assert rows[("team", "research", "tokens")]["spent"] == \
            bill["prompt_tokens"] + bill["completion_tokens"]


def test_a_provider_that_forgot_it_leaves_the_hold_booked():
    with Provider() as provider, purse(provider, limits=HASTE) as purser:
        answer = started(purser, [line(0)], fake="delay_ms=60000")
        provider.reset()
        entry = settled(purser, answer)
        assert entry["usage_source"] == "bound"
        assert entry["cost_nano_usd"] == usd(answer.headers["x-purser-hold-usd"])
        assert spent(purser) == (entry["cost_nano_usd"], 0)


def test_a_reload_changes_nothing_for_it():
    with Provider() as provider, purse(provider) as purser:
        answer = started(purser, [line(i) for i in range(4)], fake="delay_ms=1000")
        before = spent(purser)
        purser.configure(budgets=[{**DOLLAR[0], "usd": 0.000001}])
        assert purser.reload().status_code == 200
        assert spent(purser) == before
        settled(purser, answer)
        books_are_the_bill(purser, provider)


def test_a_limit_of_its_own_binds_a_batch():
    with Provider() as provider, purse(provider, []) as purser:
        file = upload(purser, [line(0)])
        error_of(create(purser, file, headers={"x-purser-max-cost-usd": "0.000001"}), 400,
                 "request_cost_exceeds_limit")
        answer = create(purser, file, headers={"x-purser-max-cost-usd": "0.001"})
        assert answer.status_code == 200
        assert settled(purser, answer)["cost_nano_usd"] == provider.bill()["cost_nano_usd"]


def test_in_passthrough_the_callers_key_asks_on():
    with Provider() as provider, \
            Purser(provider, auth={"mode": "passthrough"}, keys=[], limits=POLLS,
                   budgets=DOLLAR) as purser:
        answer = started(purser, [line(0)], fake="delay_ms=200")
        settled(purser, answer)
        bill = provider.settled_bill(False)["cost_nano_usd"]
        assert sum(purser.settled().values()) == bill > 0
        for asked in provider.requests(64)["requests"]:
            headers = {name.lower(): value for name, value in asked["headers"]}
            assert headers["authorization"] == f"Bearer {KEY}"


def test_a_client_that_leaves_while_its_batch_is_made_has_made_it():
    with Provider() as provider, purse(provider) as purser:
        file = upload(purser, [line(0)])
        body = json.dumps({"input_file_id": file, "endpoint": "/v1/chat/completions"}).encode()
        with socket.create_connection(("127.0.0.1", purser.port)) as connection:
            connection.sendall(b"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               b"application/json\r\nAuthorization: Bearer %s\r\nContent-Length: "
                               b"%d\r\n\r\n%s" % (KEY.encode(), len(body), body))
            wait_until(purser.open_holds)
        wait_until(lambda: purser.client.get("/v1/batches").json()["data"])
        wait_until(lambda: not purser.open_holds())
        books_are_the_bill(purser, provider)


def result(number, usage='{"prompt_tokens":5,"completion_tokens":5}'):
    return (f'{{"custom_id":"job-{number}","response":{{"status_code":200,"body":'
            f'{{"usage":{usage}}}}},"error":null}}\n')


CLOSE = "Connection: close\r\n"  # else the next call may meet the end of this connection


def keeper(state):
    """An upstream with one file and one batch: `state` says how it answers."""
    def answer(connection, head, _):
        method, target = head.decode().split()[:2]
        if target.endswith("/content"):
            length = f"Content-Length: {len(state['content'])}\r\n" if state.get("told") else ""
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" +
                               f"{length}\r\n{state['content']}".encode())
        elif "/batches" in target:
            if method == "GET" and state.get("status"):
                connection.sendall(plain_answer('{"error":{}}', state["status"], more=CLOSE))
            else:
                connection.sendall(plain_answer(json.dumps(state["batch"]), more=CLOSE))
        else:
            connection.sendall(plain_answer('{"id":"file-1","object":"file"}', more=CLOSE))
    return answer


def finished(**more):
    return {"id": "batch_1", "object": "batch", "status": "completed", "output_file_id": "file-2",
            **more}


COUNTS = {"request_counts": {"total": 2, "completed": 2, "failed": 0}}


@pytest.mark.parametrize("content, source", [
    (result(0) + result(1), "reported"), (result(0), "bound"), ("", "bound"),
    (result(0) + "nonsense\n", "bound"), (result(0) + result(1)[:-4], "bound")])
def test_results_that_are_not_whole_are_booked_at_the_hold(content, source):
    """As when their answer ends with its connection, and that broke."""
    state = {"content": content, "batch": finished(**COUNTS)}
    with Upstream(keeper(state)) as upstream, purse(upstream, limits=HASTE) as purser:
        made = started(purser, [line(0), line(1)])
        entry = settled(purser, made)
        assert entry["usage_source"] == source
        held = usd(made.headers["x-purser-hold-usd"])
        assert (entry["cost_nano_usd"] == held) == (source == "bound")
        assert spent(purser) == (entry["cost_nano_usd"], 0)


@pytest.mark.parametrize("told, more, source", [
    (True, {}, "reported"), (False, {}, "bound"), (True, {"output_file_id": None}, "bound"),
    (True, {"output_file_id": None, "status": "failed"}, "reported")])
def test_without_counts_only_results_of_a_told_length_are_whole(told, more, source):
    state = {"content": result(0), "told": told, "batch": finished(**more)}
    with Upstream(keeper(state)) as upstream, purse(upstream, limits=HASTE) as purser:
        entry = settled(purser, started(purser, [line(0), line(1)]))
        assert entry["usage_source"] == source
        assert entry["cost_nano_usd"] > 0 or more.get("status") == "failed"


@pytest.mark.parametrize("status", ["401 Unauthorized", "500 Internal Server Error",
                                    "200 OK"])
def test_while_the_provider_cannot_be_asked_the_hold_stays_and_metrics_tell(status):
    state = {"content": result(0), "told": True, "status": status, "batch": finished(
        status="in_progress")}

    def counted(purser):
        text = purser.client.get("/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text
        return tuple(int(line.split()[-1]) for line in text.splitlines()
                     if line.startswith("purser_pledges"))

    with Upstream(keeper(state)) as upstream, purse(upstream, limits=HASTE) as purser:
        made = started(purser, [line(0)])
        held = usd(made.headers["x-purser-hold-usd"])
        wait_until(lambda: purser.log().count("does not tell how far") >= 7)
        assert counted(purser) == (1, 1)
        assert spent(purser) == (0, held)
        state.update(status=None, batch=finished())
        assert purser.reload().status_code == 200  # as after the repair of a key: it is asked soon
        entry = settled(purser, made)
        assert entry["usage_source"] == "reported" and entry["cost_nano_usd"] < held
        assert spent(purser) == (entry["cost_nano_usd"], 0)
        wait_until(lambda: counted(purser) == (0, 0))
