"""Changing the configuration while purser runs: SIGHUP and POST /admin/reload."""

import itertools
import json
import subprocess
import threading
import time

import httpx

from harness import ADMIN, KEY, OUT, Provider, Upstream, error_of, events_of, free_port, \
    plain_answer, read_message, upstream_of, usd, wait_until
from purses import BOB, Calls, amount, bound_of, budget, counted_of
from reloading import ALICE, BOTH, EITHER_WAY, ONLY_BOB, admin, by_request, by_signal, price_file

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
            with httpx.Client(base_url=purser.base, verify=False) as client:
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
    bound = counted_of(max_tokens=16)
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
    purser.configure(budgets=[budget(usd=amount(bound + counted_of(max_tokens=100) - 1))])
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
    bound = counted_of(max_tokens=100)
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


def another_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=other",
                    "-keyout", folder / "other.key", "-out", folder / "other.pem"],
                   check=True, capture_output=True)
    return (folder / "other.pem").read_bytes()


def test_certificates_to_trust_are_read_again(start, certificate, tls_context, tmp_path):
    """Under the same name; also by connections that are idle, and by what a library remembers."""
    completion = json.dumps({"id": "x", "object": "chat.completion", "choices": [],
                             "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    trusted, good = tmp_path / "ca.pem", (certificate / "cert.pem").read_bytes()
    other = another_certificate(tmp_path)

    def answer(connection, _head, _body):
        connection.sendall(plain_answer(completion))
        while read_message(connection)[0]:
            connection.sendall(plain_answer(completion))

    with Upstream(answer, tls_context) as upstream:
        trusted.write_bytes(good)
        purser = start(None, workers=1, upstreams=[{
            "name": "tls", "base_url": upstream.url, "api_key": "k", "ca": str(trusted)}])
        assert purser.chat().status_code == 200
        assert purser.chat().status_code == 200
        trusted.write_bytes(other)
        by_request(purser)
        error_of(purser.chat(), 502, "upstream_unreachable")
        trusted.write_bytes(good)
        by_request(purser)
        assert purser.chat().status_code == 200


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


def test_who_may_call_changes_with_the_mode(start):
    purser = start(budgets=[budget(usd=1)])
    purser.configure(auth={"mode": "open", "admin_token": ADMIN}, keys=[])
    by_request(purser)
    assert purser.booked(purser.chat(key="whatever"))["key"] == "open"
    error_of(admin(purser, token="whatever"), 403, "not_allowed")
    purser.configure(auth={"mode": "passthrough", "admin_token": ADMIN})
    by_request(purser)
    assert purser.booked(purser.chat(key="sk-anything"))["key"].startswith("sha256-")
    purser.configure(auth={"mode": "keys", "admin_token": ADMIN}, keys=BOTH)
    by_request(purser)
    error_of(purser.chat(key="sk-anything"), 401, "invalid_api_key")
    assert purser.booked(purser.chat())["key"] == "alice"


def test_the_time_to_drain_changes(start, provider):
    purser = start(limits={"drain_seconds": 3600})
    purser.configure(limits={"drain_seconds": 0})
    by_request(purser)
    calls = Calls(purser)
    calls.add("slow", fake="delay_ms=30000,output=1")
    wait_until(lambda: provider.bill()["open"] == 1, what="the call")
    assert purser.process.end(20) == 0
    assert "for 0 s" in purser.log()
    assert calls.all()["slow"].status_code == 503


def test_the_environment_is_read_again_as_it_was_at_the_start(start):
    purser = start(env={"BOBS_KEY": BOB})
    purser.configure(keys=[{"id": "bob", "key": "${BOBS_KEY}"}])
    by_request(purser)
    assert purser.chat(key=BOB).status_code == 200


# ---- all at once ----

def test_many_reloads_under_load_lose_neither_a_call_nor_a_cent(start, provider, tmp_path):
    teams = budget(usd=1000, name="teams", scope="team", window="day")
    purser = start(budgets=[budget(usd=100), teams], prices=[price_file(tmp_path)],
                   cache={"namespace": "global"}, keys=BOTH, log={"access": False})
    over, failures, answered = threading.Event(), [], []

    def run(number):
        key = (KEY, BOB)[number % 2]
        with httpx.Client(base_url=purser.url, timeout=60, headers={
                "Authorization": f"Bearer {key}", "x-fake": "output=3,gap_ms=1"}) as client:
            for turn in itertools.count():  # some are answered from the cache, or share a call
                if over.is_set():
                    return
                answer = client.post("/chat/completions", json={
                    "model": "gpt-4o-mini", "max_tokens": 10, "stream": number % 3 == 0,
                    "temperature": number // 3,
                    "messages": [{"role": "user", "content": f"hello {turn // 3}"}]})
                answered.append(answer.headers["x-purser-request-id"])
                if answer.status_code != 200:
                    failures.append(answer.text)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answered) > 50, 60, "the load")
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


# ---- calls that are shared ----

class Shared:
    """Equal streams of several keys, one after the other."""

    def __init__(self, purser, *ids):
        self.purser = purser
        self.keys = {name: f"sk-test-{name}-0123456789" for name in ids}
        self.clients = [httpx.Client(timeout=60) for _ in ids]

    def options(self):
        return {"keys": [{"id": name, "key": key, "team": "research"}
                         for name, key in self.keys.items()], "cache": {"namespace": "team"}}

    def begin(self, name, fake):
        client = self.clients[list(self.keys).index(name)]
        request = client.build_request(
            "POST", self.purser.url + "/chat/completions",
            headers={"Authorization": f"Bearer {self.keys[name]}", "x-fake": fake},
            json={"model": "gpt-4o-mini", "temperature": 0, "stream": True,
                  "messages": [{"role": "user", "content": "hello"}]})
        answer = client.send(request, stream=True)
        assert answer.status_code == 200
        return answer

    def payer(self):
        """Of the call's newest hold."""
        lines = [line for line in self.purser.ledger() if line["kind"] == "reserve"]
        return lines[-1]["key"]


def test_who_takes_over_a_call_may_have_come_after_a_reload_and_go_before_its_end(start, provider):
    """Then nothing is left of its configuration but what the ledger line says."""
    purser = start(budgets=[budget(usd=1)], upstreams=[upstream_of(provider, cancel_saves="no")])
    shared = Shared(purser, "ann", "bob")
    purser.configure(**shared.options())
    by_request(purser)
    fake = "prompt=5,output=60,gap_ms=40,cancel=ignore"
    ann = shared.begin("ann", fake)
    pieces = ann.iter_raw()
    next(pieces)
    by_request(purser)
    bob = shared.begin("bob", fake)
    assert bob.headers["x-purser-cache"] == "hit"
    ann.close()
    wait_until(lambda: shared.payer() == "bob", what="bob to take over")
    by_request(purser)
    bob.close()
    bill = provider.settled_bill()
    purser.idle()
    assert bill["completion_tokens"] == 60 and bill["requests"] == 1
    settled = [line for line in purser.ledger() if line["kind"] == "settle" and
               line.get("cost_nano_usd", 0) > 0]
    assert [(line["key"], line["team"], line["upstream"], line["cost_nano_usd"])
            for line in settled] == [("bob", "research", "fake", bill["cost_nano_usd"])]


def test_nobody_takes_over_a_call_at_other_prices_than_it_is_booked_at(start, provider, tmp_path):
    purser = start(budgets=[budget(usd=1)], prices=[price_file(tmp_path)])
    shared = Shared(purser, "ann", "bob", "cy")
    purser.configure(**shared.options())
    by_request(purser)
    fake = "prompt=5,output=40,gap_ms=40"
    ann = shared.begin("ann", fake)
    pieces = ann.iter_raw()
    next(pieces)
    bob = shared.begin("bob", fake)
    price_file(tmp_path, input=0.01, output=0.01)
    by_request(purser)
    cy = shared.begin("cy", fake)
    ann.close()
    wait_until(lambda: shared.payer() == "bob", what="bob to take over")
    bob.close()
    assert cy.read().endswith(b"data: [DONE]\n\n")
    bill = provider.settled_bill()
    purser.idle()
    assert bill["requests"] == 1 and bill["completion_tokens"] == 40
    assert shared.payer() == "bob"
    assert sum(purser.settled().values()) == bill["cost_nano_usd"]
    assert "more than its bound" not in purser.log()
