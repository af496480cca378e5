"""Changing the configuration while purser runs: SIGHUP and POST /admin/reload."""

import json
import signal
import socket
import threading
import time

import httpx
import pytest

from harness import ADMIN, KEY, OUT, Process, Provider, Purser, error_of, events_of, free_port, upstream_of, usd, \
    wait_until
from purses import BOB, Calls, amount, bound_of, budget, dollars

ALICE = {"id": "alice", "key": KEY, "team": "research"}
BOTH = [ALICE, {"id": "bob", "key": BOB, "team": "sales"}]
ONLY_BOB = BOTH[1:]


def by_signal(purser):
    """Reloads, and waits until the log says what came of it."""
    before = purser.log().count(" reload: ")
    purser.process.signal(signal.SIGHUP)

    def told():
        lines = [line for line in purser.log().splitlines() if " reload: " in line][before:]
        return lines if lines and ("in force" in lines[-1] or "nothing is changed" in lines[-1]) \
            else None
    return wait_until(told, what="the reload")


def by_request(purser):
    answer = purser.reload()
    assert answer.status_code == 200, answer.text
    return answer.json()


EITHER_WAY = pytest.mark.parametrize("reload", [by_signal, by_request])


def admin(purser, method="POST", path="/admin/reload", token=ADMIN):
    return purser.client.request(method, path, headers={"Authorization": f"Bearer {token}"})


def price_file(folder, name="gpt-4o-mini", input=0.15, output=0.60):
    path = folder / "prices.json"
    path.write_text(json.dumps({"format": 1, "models": [
        {"provider": "openai", "name": name, "kind": "chat", "reasoning": False,
         "max_input": 100000, "max_output": 1000, "tiers": [{"input": input, "output": output}]}]}))
    return str(path)


# ---- keys ----

@EITHER_WAY
def test_a_new_key_may_call_and_one_taken_out_may_not(start, reload):
    purser = start()
    assert purser.chat().status_code == 200
    error_of(purser.chat(key=BOB), 401, "invalid_api_key")
    purser.configure(keys=ONLY_BOB)
    reload(purser)
    error_of(purser.chat(), 401, "invalid_api_key")
    answer = purser.chat(key=BOB)
    assert answer.status_code == 200
    assert purser.booked(answer)["team"] == "sales"


def test_it_holds_on_all_workers_once_it_is_answered(start):
    purser = start(workers=4)
    for keys, good, bad in [(ONLY_BOB, BOB, KEY), ([ALICE], KEY, BOB)] * 5:
        purser.configure(keys=keys)
        by_request(purser)
        for _ in range(8):  # each on a connection of its own, and so on any of the workers
            with httpx.Client(base_url=purser.base) as client:
                assert client.get("/v1/models", headers={
                    "Authorization": f"Bearer {good}"}).status_code == 200
                assert client.get("/v1/models", headers={
                    "Authorization": f"Bearer {bad}"}).status_code == 401


def test_a_key_withdrawn_while_a_body_is_still_sent_is_refused(start):
    purser = start()
    body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]})

    def pieces():
        yield body[:20].encode()
        purser.configure(keys=ONLY_BOB)
        by_signal(purser)
        yield body[20:].encode()
    answer = httpx.post(purser.url + "/chat/completions", content=pieces(), headers={
        "Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})
    error_of(answer, 401, "invalid_api_key")


# ---- budgets ----

@EITHER_WAY
def test_a_changed_limit_applies_and_the_spend_survives(start, provider, reload):
    bound = bound_of(max_tokens=16)
    purser = start(budgets=[budget(usd=amount(bound))], admission={"clamp": "never"})
    first = purser.chat(max_tokens=16)
    assert first.status_code == 200
    error_of(purser.chat(max_tokens=16), 429, "budget_exceeded")
    purser.configure(budgets=[budget(usd=amount(10 * bound))])
    reload(purser)
    second = purser.chat(max_tokens=16)
    assert second.status_code == 200
    bill = provider.settled_bill()["cost_nano_usd"]
    row = purser.budgets()[("one", "all", "usd")]
    assert usd(row["spent"]) == bill == sum(purser.settled().values())
    assert usd(row["limit"]) == 10 * bound
    purser.configure(budgets=[budget(usd=amount(bound + bill - 1))])
    reload(purser)
    error_of(purser.chat(max_tokens=16), 429, "budget_exceeded")


def test_a_lower_limit_counts_what_is_held(start, provider):
    bound = bound_of(max_tokens=100)
    purser = start(budgets=[budget(usd=amount(10 * bound))],
                   admission={"clamp": "never", "wait_ms": 0})
    calls = Calls(purser)
    calls.add("slow", fake="delay_ms=1500,output=10")
    wait_until(lambda: provider.bill()["open"] == 1, what="the call")
    purser.configure(budgets=[budget(usd=amount(2 * bound - 1))])
    by_request(purser)
    error_of(purser.chat(max_tokens=100), 429, "budget_contention")
    assert calls.all()["slow"].status_code == 200
    assert purser.chat(max_tokens=100).status_code == 200
    bill = provider.settled_bill()["cost_nano_usd"]
    assert sum(purser.settled().values()) == bill
    assert usd(purser.budgets()[("one", "all", "usd")]["spent"]) == bill


def test_who_waits_for_a_budget_gets_what_the_new_one_has(start, provider):
    bound = bound_of(max_tokens=100)
    purser = start(budgets=[budget(usd=amount(bound))],
                   admission={"clamp": "never", "wait_ms": 30000})
    calls = Calls(purser)
    calls.add("holds", fake="delay_ms=3000,output=10")
    wait_until(lambda: provider.bill()["open"] == 1, what="the call")
    calls.add("waits")
    time.sleep(0.3)
    assert provider.bill()["requests"] == 1
    purser.configure(budgets=[budget(usd=amount(2 * bound))])
    by_request(purser)
    wait_until(lambda: provider.bill()["requests"] == 2, 2, "the one who waited")
    answers = calls.all()
    assert [answers[name].status_code for name in ("holds", "waits")] == [200, 200]
    assert sum(purser.settled().values()) == provider.settled_bill()["cost_nano_usd"]


def test_budgets_come_and_go_and_come_back_with_their_spend(start, provider):
    mine = budget(usd=1, name="mine", scope="key")
    purser = start(budgets=[budget(usd=1), mine])
    purser.chat()
    spent = purser.budgets()[("mine", "alice", "usd")]["spent"]
    purser.configure(budgets=[budget(usd=1)])
    by_request(purser)
    assert ("mine", "alice", "usd") not in purser.budgets()
    purser.chat()
    purser.configure(budgets=[mine, budget(usd=1)])
    by_request(purser)
    assert purser.budgets()[("mine", "alice", "usd")]["spent"] == spent
    assert usd(purser.budgets()[("one", "all", "usd")]["spent"]) == \
        provider.settled_bill()["cost_nano_usd"]


def test_rules_of_admission_change(start, provider):
    bound = bound_of(max_tokens=100)
    purser = start(budgets=[budget(usd=amount(bound - 1))],
                   admission={"clamp": "never", "min_output_tokens": 1}, budget_status=429)
    error_of(purser.chat(max_tokens=100), 400, "request_cost_exceeds_limit")
    purser.configure(admission={"clamp": "always", "min_output_tokens": 1}, budget_status=402)
    assert by_request(purser)["changed"] == ["admission", "budget_status"]
    answer = purser.chat(max_tokens=100)
    assert answer.status_code == 200
    assert answer.headers["x-purser-clamped-max-tokens"] == "99"
    purser.configure(budgets=[budget(requests=1)], hide_amounts=True)
    by_request(purser)
    assert purser.chat(max_tokens=100).status_code == 200
    error = error_of(purser.chat(max_tokens=100), 402, "budget_exceeded")
    assert "limit" not in error["budget"]


# ---- upstreams ----

def test_a_stream_runs_on_while_the_upstream_moves(start, provider):
    purser = start(budgets=[budget(usd=1)])
    with Provider() as other:
        with purser.stream(fake="output=30,gap_ms=50", max_tokens=30) as answer:
            events = events_of(answer.iter_lines())
            next(events)
            purser.configure(upstreams=[upstream_of(other)])
            by_request(purser)
            assert purser.chat().status_code == 200
            assert other.settled_bill()["requests"] == 1
            rest = list(events)
        assert rest[-1] == "[DONE]"
        assert len([event for event in rest if '"content"' in event]) >= 28
        assert provider.settled_bill()["requests"] == 1
        purser.idle()
        bills = [one.settled_bill()["cost_nano_usd"] for one in (provider, other)]
        assert all(bills) and sum(purser.settled().values()) == sum(bills)


def test_an_upstream_that_goes_leaves_its_draining_calls_their_prices(start, provider):
    """The client has left, the call goes on without it and ends after its terms are gone."""
    purser = start(budgets=[budget(usd=1)],
                   upstreams=[upstream_of(provider, cancel_saves="no")])
    with purser.stream(fake="output=30,gap_ms=50,cancel=ignore", max_tokens=30) as answer:
        next(events_of(answer.iter_lines()))
    with Provider() as other:
        purser.configure(upstreams=[{**upstream_of(other), "name": "other"}],
                         prices=[price_file(purser.folder, input=15, output=60)])
        for _ in range(3):
            by_request(purser)
        bill = provider.settled_bill()
    purser.idle()
    assert bill["completion_tokens"] == 30
    assert sum(purser.settled().values()) == bill["cost_nano_usd"]


def test_the_key_and_the_timeouts_of_an_upstream_change(start):
    with Provider("--api-key", "sk-two") as provider:
        purser = start(provider, upstreams=[upstream_of(provider, api_key="sk-one")])
        error_of(purser.chat(), 502, "upstream_auth_failed")
        purser.configure(upstreams=[upstream_of(provider, api_key="sk-two")])
        assert by_request(purser)["changed"] == ["upstreams"]
        assert purser.chat().status_code == 200
        purser.configure(upstreams=[upstream_of(provider, api_key="sk-two",
                                                timeouts={"first_byte_ms": 100})])
        by_request(purser)
        error_of(purser.chat(fake="delay_ms=2000"), 504, "upstream_timeout")


# ---- prices ----

@EITHER_WAY
def test_a_changed_price_file_prices_the_next_call(start, tmp_path, reload):
    purser = start(prices=[price_file(tmp_path, input=1, output=2)], budgets=[budget(usd=100)])
    before = purser.booked(purser.chat())
    price_file(tmp_path, input=3, output=5)
    reload(purser)
    after = purser.booked(purser.chat())
    prompt, completion = before["prompt_tokens"], before["completion_tokens"]
    assert before["cost_nano_usd"] == prompt * 1000 + completion * 2000
    assert after["cost_nano_usd"] == prompt * 3000 + completion * 5000
    assert before["price_version"] != after["price_version"]


def test_a_call_is_booked_at_the_price_with_which_it_began(start, tmp_path):
    purser = start(prices=[price_file(tmp_path, input=1, output=2)], budgets=[budget(usd=100)])
    with purser.stream(fake="output=10,gap_ms=100", max_tokens=10) as answer:
        events = events_of(answer.iter_lines())
        next(events)
        price_file(tmp_path, input=3, output=5)
        told = by_request(purser)
        assert told["changed"] == ["prices"]
        assert list(events)[-1] == "[DONE]"
    line = purser.booked(answer.headers["x-purser-request-id"])
    assert line["cost_nano_usd"] == line["prompt_tokens"] * 1000 + 10 * 2000
    assert line["price_version"] != told["price_version"]
    assert purser.booked(purser.chat())["price_version"] == told["price_version"]


def test_a_file_begun_later_names_the_new_prices(start, tmp_path):
    """The open line of a ledger file tells the catalog in force."""
    purser = start(prices=[price_file(tmp_path, input=1, output=2)], ledger={"rotate_mb": 1})
    price_file(tmp_path, input=3, output=5)
    version = by_request(purser)["price_version"]
    purser.end()
    purser.start()
    assert [line["price_version"] for line in purser.ledger()
            if line["kind"] == "open"][-1] == version


# ---- everything else ----

def test_what_is_told_and_what_needs_a_restart(start):
    purser = start(node="one", budgets=[budget(usd=1)])
    assert by_request(purser) == {
        "object": "reload", "status": "ok", "file": str(purser.config_path), "changed": [],
        "not_applied": [], "warnings": [], "price_version": by_request(purser)["price_version"]}
    purser.configure(listen=f"127.0.0.1:{free_port()}", workers=1, node="two", data_dir="other",
                     limits={"connections": 5, "accounts": 200, "body_mb": 1},
                     ledger={"dir": "books", "fsync_ms": 7, "rotate_mb": 9})
    fixed = ["listen", "workers", "node", "data_dir", "limits.connections", "limits.accounts",
             "ledger.dir", "ledger.fsync_ms", "ledger.rotate_mb"]
    for changed in (["limits"], []):  # until the restart it is said each time
        told = by_request(purser)
        assert told["changed"] == changed
        assert told["not_applied"] == fixed
        assert len(told["warnings"]) == len(fixed)
        assert "listen: needs a restart" in told["warnings"][0]
    assert "node: needs a restart" in purser.log()
    answer = purser.chat()
    assert purser.booked(answer)["node"] == "one"
    assert not (purser.folder / "other").exists()


def test_the_log_changes(start):
    purser = start(log={"format": "json", "access": True}, budgets=[budget(usd=1)])
    purser.chat("one")
    purser.configure(log={"format": "text", "access": False})
    by_request(purser)
    by_request(purser)  # the first one's own line is of the old terms
    lines = purser.log().splitlines()
    assert '"message"' in lines[0] and '"message"' not in lines[-1]
    purser.chat("two")
    assert purser.log().splitlines() == lines
    purser.configure(log={"level": "error"})
    by_request(purser)
    assert purser.log().splitlines() == lines


def test_the_admin_token_and_the_pages_that_may_call_change(start):
    purser = start()
    page = {"Origin": "https://chat.example.com"}
    error_of(purser.chat(headers=page), 403, "origin_not_allowed")
    purser.configure(allowed_origins=[page["Origin"]],
                     auth={"mode": "keys", "admin_token": "another-token-0123456789"})
    assert by_request(purser)["changed"] == ["allowed_origins", "auth"]
    assert purser.chat(headers=page).status_code == 200
    error_of(admin(purser), 401, "invalid_api_key")
    assert admin(purser, token="another-token-0123456789").status_code == 200


def test_the_largest_body_and_the_longest_life_of_a_request_change(start):
    purser = start(limits={"body_mb": 1})
    error_of(purser.chat("x" * 1100000), 413, "body_too_large")
    purser.configure(limits={"body_mb": 2, "request_seconds": 1})
    by_request(purser)
    assert purser.chat("x" * 1100000).status_code == 200
    error_of(purser.chat(fake="delay_ms=4000"), 504, "upstream_timeout")


def test_the_environment_is_read_again_as_it_was_at_the_start(start):
    purser = start(env={"BOBS_KEY": BOB})
    purser.configure(keys=[{"id": "bob", "key": "${BOBS_KEY}"}])
    by_request(purser)
    assert purser.chat(key=BOB).status_code == 200


# ---- a bad file ----

BROKEN = {
    "yaml": ("keys: [\n", "this is not YAML", 2),
    "unknown option": ("budgest: []\n", 'budgest', 1),
    "type": ("listen: 127.0.0.1:0\nworkers: many\n", "workers", 2),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_file_changes_nothing_and_says_why_with_its_line(start, name):
    text, part, line = BROKEN[name]
    purser = start(budgets=[budget(usd=1)])
    purser.chat()
    before = purser.budgets()
    purser.config_path.write_text(text)
    error = error_of(purser.reload(), 400, "invalid_configuration")
    assert f"{purser.config_path}:{line}: error: " in error["message"]
    assert part in error["message"]
    lines = by_signal(purser)
    assert any(f"{purser.config_path}:{line}: error: " in told for told in lines)
    assert "nothing is changed" in lines[-1]
    assert purser.budgets() == before
    assert purser.chat().status_code == 200


def test_all_that_is_wrong_is_said_at_once(start):
    purser = start()
    purser.config_path.write_text("a: 1\nb: 2\nc: 3\n" + "d" * 900 + ": 4\n")
    message = error_of(purser.reload(), 400, "invalid_configuration")["message"]
    for number in (1, 2, 3, 4):
        assert f"{purser.config_path}:{number}: error: " in message


def test_a_file_that_is_gone_or_empty_changes_nothing(start):
    purser = start()
    purser.config_path.unlink()
    error = error_of(purser.reload(), 400, "invalid_configuration")
    assert "cannot read the file: No such file" in error["message"]
    purser.config_path.write_text("")
    error_of(purser.reload(), 400, "invalid_configuration")
    assert purser.chat().status_code == 200


def test_a_price_file_that_is_missing_or_broken_changes_nothing(start, tmp_path):
    purser = start(prices=[price_file(tmp_path)], budgets=[budget(usd=1)])
    version = purser.booked(purser.chat())["price_version"]
    (tmp_path / "prices.json").unlink()
    error = error_of(purser.reload(), 400, "invalid_configuration")
    assert "prices.json" in error["message"]
    (tmp_path / "prices.json").write_text("{")
    assert "prices.json" in error_of(purser.reload(), 400, "invalid_configuration")["message"]
    assert purser.booked(purser.chat())["price_version"] == version


def test_models_without_a_price_are_told_as_at_the_start(start):
    purser = start(budgets=[budget(usd=1)])
    upstream = {"name": "own", "base_url": "http://127.0.0.1:9", "models": ["nobodys-model"]}
    purser.configure(upstreams=[upstream], unpriced="nobodys-model")
    error = error_of(purser.reload(), 400, "invalid_configuration")
    assert "unpriced: " in error["message"]
    assert purser.chat().status_code == 200
    purser.configure(unpriced="refuse")
    assert any('"nobodys-model" has no price' in line for line in by_request(purser)["warnings"])
    error_of(purser.chat(model="nobodys-model"), 400, "model_not_priced")


def test_open_to_everybody_is_not_put_in_force_on_a_public_address(tmp_path):
    with Provider() as provider:
        port = free_port()
        config = {"listen": f"0.0.0.0:{port}", "auth": {"admin_token": ADMIN}, "keys": [ALICE],
                  "upstreams": [upstream_of(provider)]}
        purser = Purser(config=config, folder=tmp_path, start=False)
        purser.port, purser.base = port, f"http://127.0.0.1:{port}"
        purser.client.base_url = purser.base
        with purser.start():
            purser.configure(listen=f"127.0.0.1:{port}", auth={"mode": "open"}, keys=[])
            error = error_of(purser.reload(), 400, "invalid_configuration")
            assert f"listens on 0.0.0.0:{port}" in error["message"]
            error_of(purser.chat(key="nobody"), 401, "invalid_api_key")


# ---- who may ask ----

def test_only_the_admin_token_reloads(start):
    purser = start()
    error_of(admin(purser, token=KEY), 403, "not_allowed")
    error_of(admin(purser, token="wrong-0123456789"), 401, "invalid_api_key")
    error_of(purser.client.post("/admin/reload", headers={"Authorization": ""}), 401,
             "invalid_api_key")
    error_of(admin(purser, method="GET"), 405, "method_not_allowed")
    error_of(admin(purser, path="/admin/other"), 404, "unknown_path")
    error_of(purser.client.post("/admin/reload", headers={
        "Authorization": f"Bearer {ADMIN}", "Origin": "https://evil.example"}), 403,
        "origin_not_allowed")
    assert " reload: " not in purser.log()


def test_without_an_admin_token_it_is_off(start):
    purser = start(auth={"mode": "keys"})
    error = error_of(purser.reload(), 404, "unknown_path")
    assert "admin_token" in error["message"]
    purser.configure(auth={"mode": "keys", "admin_token": ADMIN})
    by_signal(purser)
    assert purser.reload().status_code == 200


def test_without_a_file_there_is_nothing_to_read_again(tmp_path):
    port = free_port()
    environment = {"PATH": "/usr/bin:/bin", "PURSER_LISTEN": f"127.0.0.1:{port}",
                   "OPENAI_API_KEY": "sk-upstream", "PURSER_ADMIN_TOKEN": ADMIN}
    process = Process([OUT / "purser", "serve"], tmp_path / "log", env=environment, cwd=tmp_path)
    try:
        wait_until(lambda: "listens on" in process.log(), what="purser")
        process.signal(signal.SIGHUP)
        wait_until(lambda: "without a configuration file" in process.log(), what="the answer")
    finally:
        assert process.end() == 0


# ---- at the edges ----

def test_a_signal_while_it_stops_does_nothing(start, provider):
    purser = start()
    calls = Calls(purser)
    calls.add("slow", fake="delay_ms=1500,output=1")
    wait_until(lambda: provider.bill()["open"] == 1, what="the call")
    purser.process.signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in purser.log(), what="the stop")
    purser.configure(keys=ONLY_BOB)
    purser.process.signal(signal.SIGHUP)
    wait_until(lambda: "nothing is reloaded" in purser.log(), what="the signal")
    assert calls.all()["slow"].status_code == 200
    purser.end()


def test_who_asks_and_hangs_up_is_forgotten(start):
    purser = start()
    request = (f"POST /admin/reload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n"
               "Content-Length: 0\r\n\r\n").encode()
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", purser.port)) as connection:
            connection.sendall(request)
    assert by_request(purser)["status"] == "ok"


def test_many_reloads_under_load_lose_neither_a_call_nor_a_cent(start, provider, tmp_path):
    teams = budget(usd=1000, name="teams", scope="team", window="day")
    purser = start(budgets=[budget(usd=100), teams], prices=[price_file(tmp_path)],
                   keys=BOTH, log={"access": False})
    over, failures, answered = threading.Event(), [], []

    def run(number):
        key = (KEY, BOB)[number % 2]
        with httpx.Client(base_url=purser.url, timeout=60, headers={
                "Authorization": f"Bearer {key}", "x-fake": "output=3,gap_ms=1"}) as client:
            while not over.is_set():
                answer = client.post("/chat/completions", json={
                    "model": "gpt-4o-mini", "max_tokens": 10, "stream": number % 3 == 0,
                    "messages": [{"role": "user", "content": "hello"}]})
                answered.append(answer.headers["x-purser-request-id"])
                if answer.status_code != 200:
                    failures.append(answer.text)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    sizes, descriptors = [], []
    for round in range(50):
        limits = [budget(usd=100 + round), {**teams, "usd": 1000 - round}]
        purser.configure(budgets=limits if round % 5 else limits[:1],
                         keys=BOTH if round % 2 else [*BOTH, {"id": "c", "key": "sk-c-0123456789"}],
                         upstreams=[upstream_of(provider, timeouts={"idle_ms": 60000 + round})])
        by_request(purser)
        sizes.append(purser.resident_kb())
        descriptors.append(purser.descriptors())
    over.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert len(answered) > 50
    bill = provider.settled_bill()
    purser.idle()
    assert set(purser.settled()) == set(answered)
    assert sum(purser.settled().values()) == bill["cost_nano_usd"]
    assert usd(purser.budgets()[("one", "all", "usd")]["spent"]) == bill["cost_nano_usd"]
    assert usd(purser.budgets()[("one", "all", "usd")]["reserved"]) == 0
    assert max(descriptors) < 60
    # Each old catalog and configuration is some hundred kilobytes: they would add up. (The
    # sanitizers look for leaks themselves, and keep what was freed for a while.)
    assert sizes[-1] < sizes[9] + 8000 or OUT.name != "release", sizes
