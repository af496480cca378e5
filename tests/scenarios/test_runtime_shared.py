"""Keys and budgets made at one purser hold at all that share its Redis."""

import hashlib
import re

import pytest

from fleet import COST, Fleet, budget
from harness import ROOT, error_of, wait_until
from redises import Redis
from runtime import ask, delete, listed, make_budget, make_key


@pytest.fixture
def redis():
    with Redis() as server:
        yield server


@pytest.fixture
def fleet(provider, redis):
    with Fleet(provider, redis, count=2, calls=1000) as running:
        yield running


def until_listed(purser, what, name, there=True):
    wait_until(lambda: (name in listed(purser, what)) == there, 10, f"{name}: {there}")


def test_a_key_made_at_one_works_at_the_other_until_it_is_deleted(fleet, redis):
    one, other = fleet.pursers
    key = make_key(one, team="sales")
    assert one.chat(key=key).status_code == 200
    until_listed(other, "keys", "bob")
    assert other.chat(key=key).status_code == 200
    kept = "\n".join(redis.do("HVALS", "{purser}:bylaws"))
    assert key not in kept and hashlib.sha256(key.encode()).hexdigest() in kept
    delete(other, "/admin/keys/bob")
    error_of(other.chat(key=key), 401, "invalid_api_key")
    until_listed(one, "keys", "bob", False)
    error_of(one.chat(key=key), 401, "invalid_api_key")


def uses_up(fleet, least):
    """The bill, once it is `least` or more: what one has leased and leaves, the other gets."""
    bill = 0

    def reached():
        nonlocal bill
        fleet.until_exhausted()
        bill = fleet.check()
        return bill >= least
    wait_until(reached, 30, f"{least} to be used")
    return bill


def test_a_budget_made_at_one_caps_both(fleet):
    one, other = fleet.pursers
    make_budget(one, name="cap", scope="global", window="day", usd=f"{5 * COST / 1e9:.9f}")
    until_listed(other, "budgets", "cap")
    assert uses_up(fleet, 4 * COST) <= 5 * COST
    ask(other, "POST", "/admin/budgets/cap/limits", {"usd": f"{8 * COST / 1e9:.9f}"})
    wait_until(lambda: listed(one, "budgets")["cap"]["limits_set"], 10, "the limits")
    assert uses_up(fleet, 7 * COST) <= 8 * COST


def test_while_redis_is_away_nothing_is_made_and_nothing_forgotten(fleet, redis):
    one, other = fleet.pursers
    key = make_key(one)
    make_budget(one, name="cap", scope="key", window="day", usd=1)
    until_listed(other, "budgets", "cap")
    redis.stall()
    error_of(ask(one, "POST", "/admin/keys", {"id": "eve"}), 503, "budget_store_unavailable")
    error_of(ask(one, "DELETE", "/admin/keys/bob"), 503, "budget_store_unavailable")
    other.process.kill()
    other.start()
    assert {"bob"} < set(listed(other, "keys")) and "cap" in listed(other, "budgets")
    redis.resume()
    wait_until(lambda: other.chat(key=key).status_code == 200, 15, "the store to be back")


def test_what_redis_loses_is_put_back_and_what_was_deleted_is_not(fleet, redis):
    one, other = fleet.pursers
    make_key(one, "gone")
    make_budget(one, name="cap", scope="key", window="day", usd=1)
    delete(one, "/admin/keys/gone")
    until_listed(other, "budgets", "cap")
    wait_until(lambda: "gone" not in listed(other, "keys"), 10, "the other one to hear of it")
    redis.do("FLUSHALL")
    budget(one, "init")
    wait_until(lambda: "budget:cap" in redis.pairs("{purser}:bylaws"), 10, "the budget")
    kept = wait_until(lambda: (pairs := redis.pairs("{purser}:bylaws")) and
                      "key:gone" in pairs and pairs, 10, "what was deleted")
    assert "body" not in kept["key:gone"] and "body" in kept["budget:cap"]
    for purser in fleet.pursers:
        assert "cap" in listed(purser, "budgets") and "gone" not in listed(purser, "keys")


def test_an_older_copy_in_redis_does_not_bring_back_what_was_deleted(fleet, redis):
    one, other = fleet.pursers
    key = make_key(one)
    until_listed(other, "keys", "bob")
    before = redis.pairs("{purser}:bylaws")
    delete(one, "/admin/keys/bob")
    until_listed(other, "keys", "bob", False)
    redis.do("HSET", "{purser}:bylaws", *(word for pair in before.items() for word in pair))
    wait_until(lambda: "body" not in redis.pairs("{purser}:bylaws")["key:bob"], 10, "the mending")
    for purser in fleet.pursers:
        error_of(purser.chat(key=key), 401, "invalid_api_key")


def test_what_was_deleted_long_ago_stays_so_where_an_instance_that_was_away_still_has_it(fleet, redis):
    one, other = fleet.pursers
    key = make_key(one)
    until_listed(other, "keys", "bob")
    other.end()
    delete(one, "/admin/keys/bob")
    one.end()
    year = 365 * 86400
    old = re.compile(r'"at":(\d+)')
    for path in (purser.folder / "data/bylaws.jsonl" for purser in fleet.pursers):
        path.write_text(old.sub(lambda at: f'"at":{int(at[1]) - year}', path.read_text()))
    line = old.sub(lambda at: f'"at":{int(at[1]) - year}',
                   redis.pairs("{purser}:bylaws")["key:bob"])
    redis.do("HSET", "{purser}:bylaws", "key:bob", line)
    for purser in (other, one):
        purser.start()
        error_of(purser.chat(key=key), 401, "invalid_api_key")
        assert redis.pairs("{purser}:bylaws")["key:bob"] == line


def test_a_new_instance_makes_no_call_before_it_has_read_them(fleet, redis):
    """It could not know what it would have to cap."""
    one, other = fleet.pursers
    make_budget(one, name="cap", scope="key", window="day", usd=1)
    other.end()
    other.configure(data_dir="another", budgets=[])
    redis.stall()
    other.start()
    error_of(other.chat(), 503, "budget_store_unavailable")
    assert other.client.get("/readyz").status_code == 503
    redis.resume()
    wait_until(lambda: other.chat().status_code == 200, 15, "the budgets to be read")
    assert ("cap", "alice", "usd") in other.budgets()


def test_one_whose_file_contradicts_a_budget_goes_on_without_that_alone(fleet):
    one, other = fleet.pursers
    key, gone = make_key(one), make_key(one, "gone")
    until_listed(other, "keys", "gone")
    other.configure(budgets=[*other.config["budgets"],
                             {"name": "mine", "scope": "key", "window": "day", "usd": 1}])
    assert other.reload().status_code == 200
    make_budget(one, name="theirs", scope="key", window="day", usd=2)
    wait_until(lambda: "does not fit" in other.log(), 10, "the complaint")
    assert 'the run-time budget "theirs": counts the same as budgets[1]' in other.log()
    delete(one, "/admin/keys/gone")
    late = make_key(one, "late")
    until_listed(other, "keys", "late")
    until_listed(other, "keys", "gone", False)
    error_of(other.chat(key=gone), 401, "invalid_api_key")
    assert other.chat(key=key, max_tokens=16).status_code == 200
    assert other.chat(key=late, max_tokens=16).status_code == 200
    assert "theirs" not in listed(other, "budgets")
    delete(one, "/admin/budgets/theirs")
    make_budget(one, name="wide", scope="team", window="day", usd=2)
    until_listed(other, "budgets", "wide")


def usd_of(purser, name):
    return listed(purser, "budgets")[name]["usd"]


def unfit(purser):
    """None: it is not ready yet (others must have heard of a new instance)."""
    return purser.client.get("/readyz").json().get("not_in_force")


def test_one_whose_file_contradicts_a_budget_takes_all_else_and_starts_again(fleet):
    one, other = fleet.pursers
    files = [*other.config["budgets"], {"name": "mine", "scope": "key", "window": "day", "usd": 1}]
    other.configure(budgets=files)
    assert other.reload().status_code == 200
    make_budget(one, name="theirs", scope="key", window="day", usd=2)
    wait_until(lambda: unfit(other) == 1, 10, "the contradiction")
    key = make_key(other, "late")
    until_listed(one, "keys", "late")
    files.append({"name": "weekly", "scope": "team", "window": "week", "usd": 5})
    other.configure(budgets=files)
    assert other.reload().status_code == 200
    assert "weekly" in listed(other, "budgets") and unfit(other) == 1
    assert other.log().count("does not fit") == 1
    make_budget(other, name="monthly", scope="session", window="month", usd=5)
    other.configure(budgets=[*files, {"name": "x", "scope": "session", "window": "month", "usd": 1}])
    refused = error_of(other.reload(), 400, "invalid_configuration")
    assert "monthly" in refused["message"] and "theirs" not in refused["message"]
    error_of(ask(other, "POST", "/admin/budgets", {"name": "y", "scope": "team", "window": "week",
                                                   "usd": 1}), 400, "invalid_configuration")
    other.configure(budgets=files)
    other.end()
    other.start()
    wait_until(lambda: unfit(other) == 1, 10, "the same once more")
    assert 'not fit to this instance\'s file: budget "theirs"' in other.log()
    assert other.chat(key=key, max_tokens=16).status_code == 200
    assert {"weekly", "monthly", "mine"} < set(listed(other, "budgets"))
    assert "theirs" not in listed(other, "budgets")
    answer = delete(other, "/admin/budgets/theirs")
    assert any('budget "theirs" did not fit' in line and "deleted now" in line
               for line in answer["warnings"])
    assert unfit(other) == 0
    until_listed(one, "budgets", "theirs", False)


def test_who_replaces_a_budget_that_is_not_in_force_there_is_told_so(fleet):
    one, other = fleet.pursers
    other.configure(budgets=[*other.config["budgets"],
                             {"name": "mine", "scope": "key", "window": "day", "usd": 1}])
    assert other.reload().status_code == 200
    make_budget(one, name="theirs", scope="key", window="day", usd=2)
    wait_until(lambda: unfit(other) == 1, 10, "the contradiction")
    new = {"name": "theirs", "scope": "team", "window": "day", "usd": 3}
    warnings = ask(other, "POST", "/admin/budgets", new).json()["warnings"]
    assert any('budget "theirs" did not fit' in line and "replaced now" in line
               for line in warnings)
    assert ask(other, "POST", "/admin/budgets", {**new, "usd": 4}).json()["warnings"] == []
    wait_until(lambda: listed(one, "budgets")["theirs"]["scope"] == "team", 10, "the new one")


def test_a_key_that_the_file_of_one_names_is_deleted_everywhere(fleet):
    one, other = fleet.pursers
    key = make_key(one)
    until_listed(other, "keys", "bob")
    other.configure(budgets=[*other.config["budgets"], {"name": "each", "scope": "key", "usd": 9,
                                                        "window": "day", "overrides": {"bob": {"usd": 1}}}])
    assert other.reload().status_code == 200
    delete(one, "/admin/keys/bob")
    until_listed(other, "keys", "bob", False)
    error_of(other.chat(key=key), 401, "invalid_api_key")
    other.end()
    other.start()
    wait_until(lambda: unfit(other) == 0, 10, "it to be ready")


def test_limits_set_at_two_at_once_all_hold(fleet):
    """Those of all ids are one record; neither has looked at what the other has set."""
    one, other = fleet.pursers
    make_budget(one, name="teams", scope="team", window="day", usd=9)
    until_listed(other, "budgets", "teams")
    for number in range(12):
        purser = fleet.pursers[number % 2]
        answer = ask(purser, "POST", f"/admin/budgets/teams/limits/t{number}", {"usd": number + 1})
        assert answer.status_code == 200, answer.text
    assert ask(one, "POST", "/admin/budgets/teams/limits", {"usd": 5}).status_code == 200
    assert ask(other, "DELETE", "/admin/budgets/teams/limits/t0").status_code == 200
    for purser in fleet.pursers:
        wait_until(lambda: len(listed(purser, "budgets")["teams"]["overrides"]) == 11, 10, "all")
        row = listed(purser, "budgets")["teams"]
        assert {name: limits["usd"] for name, limits in row["overrides"].items()} == {
            f"t{number}": number + 1 for number in range(1, 12)}
        assert row["usd"] == 5


def test_a_key_made_at_two_at_once_is_made_once(fleet):
    one, other = fleet.pursers
    for name in ("k1", "k2", "k3"):
        key = make_key(one, name)
        error_of(ask(other, "POST", "/admin/keys", {"id": name}), 409, "not_changeable")
        for purser in fleet.pursers:
            until_listed(purser, "keys", name)
            assert purser.chat(key=key, max_tokens=16).status_code == 200


def test_what_does_not_fit_here_is_there_and_goes_with_its_key(fleet, redis):
    one, other = fleet.pursers
    twin = {"scope": "key", "match": {"key": "bob"}, "window": "day", "usd": 1}
    other.configure(budgets=[*other.config["budgets"], {"name": "mine", **twin}])
    assert other.reload().status_code == 200
    make_budget(one, name="bob", **twin)
    wait_until(lambda: unfit(other) == 1, 10, "the contradiction")
    own = {"id": "bob", "budget": {"usd": 2, "window": "month"}}
    error_of(ask(other, "POST", "/admin/keys", own), 409, "not_changeable")
    assert usd_of(one, "bob") == 1
    make_key(other)
    until_listed(one, "keys", "bob")
    delete(other, "/admin/keys/bob")
    wait_until(lambda: unfit(other) == 0, 10, "nothing to contradict")
    until_listed(one, "budgets", "bob", False)
    assert "body" not in redis.pairs("{purser}:bylaws")["budget:bob"]


def test_a_record_with_the_highest_version_is_no_end_of_purser(fleet, redis):
    one, other = fleet.pursers
    top = 2 ** 53 - 1
    redis.do("HSET", "{purser}:bylaws", "budget:top",
             f'{top} {{"kind":"budget","id":"top","at":5,"body":{{"name":"top","scope":"team",'
             '"window":"day","usd":5}}', "#", "99999999999999")
    until_listed(one, "budgets", "top")
    body = {"id": "eve", "budget": {"usd": 1, "window": "day"}}
    for purser in fleet.pursers:
        until_listed(purser, "budgets", "top")
        error_of(ask(purser, "POST", "/admin/keys", body), 409, "not_changeable")
        assert purser.chat(max_tokens=16).status_code == 200


def test_a_user_of_redis_needs_no_more_than_the_manual_says(provider, redis):
    said = " ".join((ROOT / "README.md").read_text().split())
    commands = re.search(r"and the commands (.*?) and wait\.", said).group(1).split(", ")
    redis.do("ACL", "SETUSER", "purser", "on", ">p", "~{purser}:*", "+wait",
             *(f"+{command}" for command in commands))
    redis.url = redis.url.replace("//", "//purser:p@")
    with Fleet(provider, redis, count=1) as fleet:
        key = make_key(fleet.pursers[0])
        assert fleet.pursers[0].chat(key=key, max_tokens=16).status_code == 200
        assert "NOPERM" not in fleet.pursers[0].log()


def test_a_line_that_nobody_can_read_is_passed_over_and_told(fleet, redis):
    one = fleet.pursers[0]
    redis.do("HSET", "{purser}:bylaws", "key:odd", "5 {\"kind\":\"odd\"}", "#", "99999999999999")
    wait_until(lambda: "key:odd: it is no key" in one.log(), 10, "the complaint")
    assert one.chat().status_code == 200
    make_key(one)
    until_listed(fleet.pursers[1], "keys", "bob")
