"""Keys and budgets made at run time, at a purser that is alone."""

import hashlib
import subprocess
import threading

import pytest

from harness import ADMIN, KEY, OUT, Purser, error_of, usd, wait_until
from purses import amount, budget, counted_of
from runtime import ask, delete, done, listed, make_budget, make_key

BOUND = counted_of(max_tokens=16)
NEVER = {"clamp": "never"}


# ---- keys ----

def test_a_key_made_at_run_time_may_call_on_all_workers(start):
    purser = start(workers=4)
    key = make_key(purser, team="sales", models=["gpt-4o*"])
    assert key.startswith("sk-purser-") and len(key) == 58
    for _ in range(12):
        with subprocess.Popen(
                ["curl", "-sf", purser.url + "/models", "-H", f"Authorization: Bearer {key}"],
                stdout=subprocess.DEVNULL) as curl:
            assert curl.wait() == 0
    answer = purser.chat(key=key)
    assert answer.status_code == 200
    line = purser.booked(answer)
    assert (line["key"], line["team"]) == ("bob", "sales")
    error_of(purser.chat(key=key, model="o3"), 403, "model_not_allowed")


def test_the_secret_is_shown_once_and_kept_nowhere(start):
    purser = start(log={"level": "debug"})
    key = make_key(purser)
    purser.booked(purser.chat(key=key))
    row = listed(purser, "keys")["bob"]
    assert row["last4"] == key[-4:] and row["source"] == "run time" and row["made_at"]
    assert key not in ask(purser, "GET", "/admin/keys").text
    assert hashlib.sha256(key.encode()).hexdigest() not in ask(purser, "GET", "/admin/keys").text
    purser.end()
    kept = b"".join(path.read_bytes() for path in purser.folder.rglob("*") if path.is_file())
    assert key.encode() not in kept
    assert hashlib.sha256(key.encode()).hexdigest().encode() in kept


def test_keys_and_budgets_outlive_a_kill_and_deleted_ones_do_not_come_back(start):
    purser = start()
    key, gone = make_key(purser, team="sales"), make_key(purser, "eve")
    make_budget(purser, name="sales", scope="team", match={"team": "sales"}, window="day", usd=3)
    delete(purser, "/admin/keys/eve")
    purser.process.kill()
    purser.start()
    assert purser.chat(key=key).status_code == 200
    error_of(purser.chat(key=gone), 401, "invalid_api_key")
    assert usd(purser.budgets()[("sales", "sales", "usd")]["limit"]) == 3_000_000_000
    assert done(purser.reload())["changed"] == []
    assert purser.chat(key=key).status_code == 200


def test_a_call_under_way_ends_although_its_key_is_deleted(start):
    purser = start()
    key = make_key(purser)
    answers = []
    call = threading.Thread(target=lambda: answers.append(
        purser.chat(key=key, fake="output=20,delay_ms=600")))
    call.start()
    wait_until(purser.open_holds, what="the call to begin")
    delete(purser, "/admin/keys/bob")
    error_of(purser.chat(key=key), 401, "invalid_api_key")
    call.join()
    assert answers[0].status_code == 200
    assert purser.booked(answers[0])["key"] == "bob"


def test_a_key_may_have_a_budget_of_its_own_which_goes_with_it(start, provider):
    purser = start(admission=NEVER)
    key = make_key(purser, budget={"window": "total", "usd": amount(BOUND)})
    assert listed(purser, "keys")["bob"]["budgets"] == ["bob"]
    assert purser.chat(key=key, max_tokens=16).status_code == 200
    error_of(purser.chat(key=key, max_tokens=16), 429, "budget_exceeded")
    assert purser.chat(max_tokens=16).status_code == 200
    delete(purser, "/admin/keys/bob")
    assert "bob" not in listed(purser, "budgets")
    assert "bob" not in listed(purser, "keys")


# ---- budgets ----

def test_a_budget_made_at_run_time_caps_and_one_deleted_does_not(start, provider):
    purser = start(admission=NEVER)
    make_budget(purser, name="cap", scope="global", window="total", usd=amount(3 * BOUND))
    statuses = [purser.chat(f"say {i}", max_tokens=16).status_code for i in range(12)]
    assert statuses[0] == 200 and statuses[-1] == 429
    bill = provider.settled_bill()["cost_nano_usd"]
    assert bill == sum(purser.settled().values()) <= 3 * BOUND
    make_budget(purser, name="cap", scope="global", window="total", usd=amount(bill + BOUND))
    assert purser.chat("hello", max_tokens=16).status_code == 200  # the spend was kept
    error_of(purser.chat("hullo", max_tokens=16), 429, "budget_exceeded")
    delete(purser, "/admin/budgets/cap")
    assert purser.chat("hallo", max_tokens=16).status_code == 200


def test_the_limits_of_a_budget_of_the_file_can_be_set(start):
    purser = start(budgets=[budget(usd=amount(BOUND))], admission=NEVER)
    assert purser.chat(max_tokens=16).status_code == 200
    error_of(purser.chat("again", max_tokens=16), 429, "budget_exceeded")
    done(ask(purser, "POST", "/admin/budgets/one/limits", {"usd": 1}))
    assert purser.chat("again", max_tokens=16).status_code == 200
    assert listed(purser, "budgets")["one"]["limits_set"] is True
    purser.end()
    purser.start()
    assert purser.chat("and again", max_tokens=16).status_code == 200
    delete(purser, "/admin/budgets/one/limits")
    error_of(purser.chat(max_tokens=8), 429, "budget_exceeded")
    assert listed(purser, "budgets")["one"]["limits_set"] is False


# ---- the file ----

def test_the_file_wins_and_is_not_changed_at_run_time(start):
    purser = start(budgets=[budget(usd=5)])
    key = make_key(purser, "bob")
    make_budget(purser, name="two", scope="key", window="day", usd=5)
    for method, path, body in [("DELETE", "/admin/keys/alice", None),
                               ("POST", "/admin/keys", {"id": "alice"}),
                               ("POST", "/admin/keys", {"id": "bob"}),
                               ("DELETE", "/admin/budgets/one", None),
                               ("POST", "/admin/budgets", {"name": "one", "scope": "global",
                                                           "window": "day", "usd": 9})]:
        error_of(ask(purser, method, path, body), 409, "not_changeable")
    purser.configure(keys=[*purser.config["keys"], {"id": "bob", "key": "of-the-file-0123456789"}],
                     budgets=[budget(usd=5), budget(name="two", scope="team", usd=7)])
    done(purser.reload())
    error_of(purser.chat(key=key), 401, "invalid_api_key")
    assert purser.chat(key="of-the-file-0123456789").status_code == 200
    assert listed(purser, "keys")["bob"]["source"] == "file"
    assert listed(purser, "budgets")["two"]["scope"] == "team"


def test_a_file_that_is_being_written_is_not_read_for_a_key(start):
    purser = start()
    purser.config_path.write_text("keys: [")
    key = make_key(purser)
    assert purser.chat(key=key).status_code == 200
    assert purser.chat().status_code == 200


def test_a_file_that_contradicts_a_budget_is_refused_and_names_it(start):
    purser = start()
    make_budget(purser, name="made", scope="global", window="day", usd=5)
    purser.configure(budgets=[budget(window="day", usd=9)])
    refused = purser.reload()
    error_of(refused, 400, "invalid_configuration")
    assert 'the run-time budget "made": counts the same as budgets[0]' in refused.text.replace(
        '\\"', '"')
    delete(purser, "/admin/budgets/made")
    done(purser.reload())


def test_a_key_that_the_file_names_can_be_deleted_and_purser_starts_without_it(start):
    of_keys = budget(scope="key", usd=5)
    purser = start(budgets=[of_keys])
    key = make_key(purser)
    rates = [{"scope": "key", "match": {"key": "bob"}, "requests_per_minute": 1000}]
    purser.configure(budgets=[{**of_keys, "overrides": {"bob": {"usd": 1}}}], rate_limits=rates)
    assert done(purser.reload())["warnings"] == []
    assert purser.chat(key=key).status_code == 200
    delete(purser, "/admin/keys/bob")
    error_of(purser.chat(key=key), 401, "invalid_api_key")
    told = "\n".join(done(purser.reload())["warnings"])
    assert told.count('matches nothing, as no key "bob" is among the keys') == 2
    purser.end()
    purser.start()
    assert purser.chat().status_code == 200
    error_of(purser.chat(key=key), 401, "invalid_api_key")


def test_a_file_without_keys_is_refused_although_one_was_made_at_run_time(start):
    """It could not start by itself, and that key could not be deleted."""
    purser = start()
    make_key(purser)
    purser.configure(keys=[])
    assert "nobody may call" in error_of(purser.reload(), 400, "invalid_configuration")["message"]
    delete(purser, "/admin/keys/bob")


def test_a_damaged_file_of_keys_and_budgets_is_not_taken_for_an_empty_one(start):
    purser = start()
    make_budget(purser, name="made", scope="global", window="day", usd=5)
    purser.end()
    path = purser.folder / "data/bylaws.jsonl"
    whole = path.read_text()
    for damaged in ["", whole[:-4], "nonsense\n" + whole, whole + whole]:
        path.write_text(damaged)
        ended = subprocess.run([OUT / "purser", "serve", "--config", purser.config_path],
                               capture_output=True, text=True, timeout=20)
        assert ended.returncode == 1 and "bylaws.jsonl" in ended.stderr, ended.stderr
    path.write_text(whole)
    purser.start()
    assert "made" in listed(purser, "budgets")


# ---- what is refused ----

@pytest.mark.parametrize("path, body, code", [
    ("/admin/keys", "nonsense", "invalid_json"),
    ("/admin/keys", "[]", "invalid_json"),
    ("/admin/budgets", '{"name": "x", "a": ' + 255 * "[" + 255 * "]" + "}", "invalid_json"),
    ("/admin/keys", "{}", "invalid_request"),
    ("/admin/keys", '{"id": 5}', "invalid_request"),
    ("/admin/keys", '{"id": ""}', "invalid_request"),
    ("/admin/keys", '{"id": "x", "key": "sk-mine-0123456789"}', "invalid_request"),
    ("/admin/keys", '{"id": "x", "hash": "sha256:00"}', "invalid_request"),
    ("/admin/keys", '{"id": "x", "budget": 5}', "invalid_request"),
    ("/admin/keys", '{"id": "a/b"}', "invalid_configuration"),
    ("/admin/keys", '{"id": "a\\u0000b"}', "invalid_configuration"),
    ("/admin/keys", '{"id": "x", "id": "y"}', "invalid_configuration"),
    ("/admin/keys", '{"id": "x", "team": "${HOME}"}', "invalid_configuration"),
    ("/admin/keys", '{"id": "x", "teem": "sales"}', "invalid_configuration"),
    ("/admin/keys", '{"id": "x", "tags": {"a": 1}}', "invalid_configuration"),
    ("/admin/keys", '{"id": "x", "budget": {"name": "y", "usd": 1}}', "invalid_configuration"),
    ("/admin/budgets", "{}", "invalid_request"),
    ("/admin/budgets", '{"name": "x"}', "invalid_configuration"),
    ("/admin/budgets", '{"name": "x", "scope": "global", "window": "day", "usd": -1}',
     "invalid_configuration"),
    ("/admin/budgets", '{"name": "x", "scope": "global", "window": "day", "usd": null}',
     "invalid_configuration"),
    ("/admin/budgets", '{"name": "x", "scope": "global", "window": "total", "usd": 3}',
     "invalid_configuration"),  # the same as the file's
    ("/admin/budgets/one/limits", "{}", "invalid_request"),
    ("/admin/budgets/one/limits", '{"scope": "key"}', "invalid_request"),
    ("/admin/budgets/one/limits", '{"usd": "lots"}', "invalid_configuration"),
])
def test_what_is_wrong_is_refused_and_changes_nothing(purser_of_file, path, body, code):
    answer = purser_of_file.client.post(path, content=body, headers={
        "Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"})
    error_of(answer, 400, code)
    assert set(listed(purser_of_file, "keys")) == {"alice"}
    assert set(listed(purser_of_file, "budgets")) == {"one"}


@pytest.fixture(scope="module")
def purser_of_file(shared_provider):
    with Purser(shared_provider, budgets=[budget(usd=5)]) as purser:
        yield purser


def test_only_the_admin_may(purser_of_file):
    for method, path in [("GET", "/admin/keys"), ("POST", "/admin/keys"),
                         ("DELETE", "/admin/keys/alice"), ("GET", "/admin/budgets"),
                         ("POST", "/admin/budgets"), ("POST", "/admin/budgets/one/limits"),
                         ("DELETE", "/admin/budgets/one/limits")]:
        error_of(ask(purser_of_file, method, path, token=KEY), 403, "not_allowed")
        error_of(ask(purser_of_file, method, path, token="nobody"), 401, "invalid_api_key")


def test_what_is_not_there_is_not_found(purser_of_file):
    for method, path, body in [("DELETE", "/admin/keys/nobody", None),
                               ("DELETE", "/admin/keys/", None),
                               ("DELETE", "/admin/keys/%zz", None),
                               ("DELETE", "/admin/budgets/none", None),
                               ("DELETE", "/admin/budgets/one/limits", None),
                               ("POST", "/admin/budgets/none/limits", {"usd": 1}),
                               ("POST", "/admin/budgets/none", {"usd": 1})]:
        error_of(ask(purser_of_file, method, path, body), 404, "not_found")


def test_a_form_of_a_web_page_makes_no_key(purser_of_file):
    answer = purser_of_file.client.post("/admin/keys", content='{"id": "x"}', headers={
        "Authorization": f"Bearer {ADMIN}", "Content-Type": "text/plain"})
    error_of(answer, 400, "invalid_content_type")
    answer = purser_of_file.client.post("/admin/keys", json={"id": "x" * 70_000}, headers={
        "Authorization": f"Bearer {ADMIN}"})
    error_of(answer, 413, "body_too_large")


def test_a_budget_for_nobody_yet_is_made_with_a_warning(start):
    purser = start()
    made = make_budget(purser, name="later", scope="team", match={"team": "later"}, window="day",
                       usd=1)
    assert len(made["warnings"]) == 1 and "matches nothing" in made["warnings"][0]
    make_key(purser, "kim", team="later")
    assert make_budget(purser, name="later", scope="team", match={"team": "later"}, window="day",
                       usd=2)["warnings"] == []


# ---- purser keys ----

def keys(purser, *words):
    return subprocess.run([OUT / "purser", "keys", *words, "--config", purser.config_path],
                          capture_output=True, text=True, timeout=30)


def test_the_command_makes_lists_and_deletes_keys(start):
    purser = start()
    made = keys(purser, "create", "bob", "--team", "sales", "--tags", "a, b", "--models",
                "gpt-4o*", "--usd", "5", "--window", "month")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert purser.chat(key=key).status_code == 200
    row = listed(purser, "keys")["bob"]
    assert (row["team"], row["tags"], row["models"], row["budgets"]) == (
        "sales", ["a", "b"], ["gpt-4o*"], ["bob"])
    shown = keys(purser, "list")
    assert f"bob                      {key[-4:]}  run time  sales" in shown.stdout, shown.stdout
    assert key not in shown.stdout and "alice" in shown.stdout
    again = keys(purser, "create", "bob")
    assert again.returncode == 1 and "already" in again.stderr and again.stdout == ""
    wrong = keys(purser, "create", "kim", "--usd", "5")
    assert wrong.returncode == 1 and "window" in wrong.stderr
    assert keys(purser, "delete", "bob", "--json").stdout.startswith('{"object":"key.deleted"')
    error_of(purser.chat(key=key), 401, "invalid_api_key")
    assert keys(purser, "delete", "bob").returncode == 1
    for words in [[], ["list", "bob"], ["create"], ["delete"], ["list", "--team", "x"], ["make"]]:
        assert keys(purser, *words).returncode == 2
