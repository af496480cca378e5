"""The books: /costs in every grouping, its filters, pages and CSV; /requests; and costs from
elsewhere."""

import concurrent.futures
import csv
import datetime
import io
import itertools
import json
import re
import resource
import socket
import urllib.parse

import httpx
import pytest

from harness import ADMIN, KEY, Provider, Purser, error_of, usd, wait_until

BOB = "sk-test-bob-0123456789abcdefgh"
KEYS = [{"id": "alice", "key": KEY, "team": "research", "user": "al", "tags": ["batch"]},
        {"id": "bob", "key": BOB}]
GROUPS = ("hour", "day", "month", "model", "upstream", "service", "key", "user", "team", "session",
          "tag", "endpoint")
SUMS = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens",
        "total_tokens", "cost_nano_usd")
AS_ADMIN = {"Authorization": f"Bearer {ADMIN}"}
AS_BOB = {"Authorization": f"Bearer {BOB}"}


def get(purser, path, headers=AS_ADMIN):
    return purser.client.get(path, headers=headers)


@pytest.fixture(scope="module")
def filled():
    """Calls of two keys, two models, three sessions, with and without tags; one of them refused."""
    with Provider() as provider, Purser(provider, keys=KEYS) as purser:
        for number in range(12):
            answer = purser.chat(
                key=(KEY, BOB)[number % 2], model=("gpt-4o", "gpt-4o-mini")[number % 3 == 0],
                fake=f"prompt={10 + number},output={3 + number},cached=2",
                headers={"x-purser-session": f"s{number % 3}",
                         "x-purser-tags": ("", "x", "x,y")[number % 4 % 3]})
            assert answer.status_code == 200, answer.text
            purser.booked(answer)
        error_of(purser.chat(max_tokens=-1), 400, "invalid_value")
        yield purser, provider


def settles(purser):
    return [line for line in purser.ledger() if line["kind"] == "settle"]


def group_of(line, name):
    """The values of a group that a ledger line counts in."""
    if name in ("hour", "day", "month"):
        size = {"hour": 13, "day": 10, "month": 7}[name]
        return [line["timestamp"][:size] + (":00" if name == "hour" else "")]
    if name == "tag":
        return line.get("tags") or [""]
    return [line.get(name, "")]


def expected(lines, names):
    sums = {}
    for line in lines:
        for values in itertools.product(*(group_of(line, name) for name in names)):
            row = sums.setdefault(values, dict.fromkeys(SUMS, 0))
            for member in SUMS:
                row[member] += 1 if member == "requests" else line.get(member, 0)
    return sums


@pytest.mark.parametrize("names", [(name,) for name in GROUPS] + [
    ("day", "model"), ("model", "key", "session"), ("hour", "team", "tag"), GROUPS])
def test_each_grouping_adds_up_to_the_ledger_and_the_bill(filled, names):
    purser, provider = filled
    answer = purser.costs(group_by=",".join(names))
    lines = settles(purser)
    got = {tuple(row["group"][name] for name in names): {sum_: row[sum_] for sum_ in SUMS}
           for row in answer["data"]}
    assert got == expected(lines, names)
    assert len(got) == len(answer["data"])
    assert list(got) == sorted(got)
    total = sum(line["cost_nano_usd"] for line in lines)
    assert answer["total"]["cost_nano_usd"] == total == usd(answer["total"]["cost_usd"])
    assert total == provider.settled_bill()["cost_nano_usd"]
    assert answer["total"]["requests"] == 12
    if "tag" not in names:
        assert sum(row["cost_nano_usd"] for row in answer["data"]) == total


@pytest.mark.parametrize("name", GROUPS[3:])
def test_each_filter_picks_its_lines(filled, name):
    purser, _ = filled
    for values, sums in expected(settles(purser), (name,)).items():
        answer = get(purser, "/costs?" + urllib.parse.urlencode({name: values[0]})).json()
        assert {member: answer["total"][member] for member in SUMS} == sums
    nobody = get(purser, f"/costs?{name}=%27%20OR%20%271%27=%271")
    assert nobody.json()["total"]["requests"] == 0


def test_pages_cover_every_row_once(filled):
    purser, _ = filled
    whole = purser.costs(group_by="session,key,model,tag")["data"]
    for limit in (1, 2, 3, len(whole) - 1, len(whole), len(whole) + 1):
        rows, query, pages = [], {"group_by": "session,key,model,tag", "limit": limit}, 0
        while True:
            page = purser.costs(**query)
            assert len(page["data"]) <= limit
            assert page["total"]["requests"] == 12
            rows += page["data"]
            pages += 1
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        assert rows == whole
        assert pages == -(-len(whole) // limit)


def test_csv_is_what_json_is(filled):
    purser, _ = filled
    answer = get(purser, "/costs?group_by=day,key,model&format=csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="costs.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    for row, same in zip(rows, purser.costs(group_by="day,key,model")["data"], strict=True):
        assert {name: row[name] for name in ("day", "key", "model")} == same["group"]
        assert {member: int(row[member]) for member in SUMS} == {m: same[m] for m in SUMS}
        assert usd(row["cost_usd"]) == same["cost_nano_usd"]
    first = get(purser, "/costs?group_by=session&format=csv&limit=1")
    assert len(first.text.splitlines()) == 2
    rest = get(purser, "/costs?group_by=session&format=csv&cursor=" + first.headers["x-purser-next"])
    assert len(rest.text.splitlines()) == 3
    assert "x-purser-next" not in rest.headers


def test_csv_cells_are_no_formulas(shared_provider, start):
    purser = start(shared_provider)
    for name in ("=1+1", "+1", "-1", "@SUM(A1)", 'a"b,c'):
        purser.booked(purser.chat(headers={"x-purser-session": name}))
    text = get(purser, "/costs?group_by=session&format=csv").text
    names = [row["session"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert sorted(names) == sorted(["'=1+1", "'+1", "'-1", "'@SUM(A1)", 'a"b,c'])


def test_recent_requests_come_newest_first(filled):
    purser, _ = filled
    whole = get(purser, "/requests?limit=1000").json()
    assert whole["object"] == "list" and whole["next"] is None
    want = [line for line in purser.ledger() if line["kind"] in ("settle", "refuse")][::-1]
    for row, line in zip(whole["data"], want, strict=True):
        assert row == {name: value for name, value in line.items()
                       if name not in ("node", "accounts", "seq", "hash")}
    rows, cursor = [], ""
    while cursor is not None:
        page = get(purser, f"/requests?limit=5{cursor and '&cursor=' + cursor}").json()
        rows += page["data"]
        cursor = page["next"]
    assert rows == whole["data"]


def test_recent_requests_are_filtered(filled):
    purser, _ = filled

    def ids(query, headers=AS_ADMIN):
        return [row["request_id"] for row in get(purser, "/requests?" + query, headers).json()["data"]]

    everything = get(purser, "/requests?limit=1000").json()["data"]
    for name, value in (("key", "bob"), ("model", "gpt-4o"), ("session", "s1"), ("status", 200),
                        ("status", 400), ("error", "invalid_value"), ("team", "research"),
                        ("endpoint", "chat.completions"), ("user", "al"), ("upstream", "fake")):
        found = ids(f"{name}={value}")
        assert found == [row["request_id"] for row in everything if row.get(name) == value]
        assert found
    assert ids("tag=y") == [row["request_id"] for row in everything if "y" in row.get("tags", [])]
    assert ids("", AS_BOB) == ids("key=bob") == ids("key=bob", AS_BOB)
    error_of(get(purser, "/requests?key=alice", AS_BOB), 403, "not_allowed")
    error_of(get(purser, "/costs?key=alice", AS_BOB), 403, "not_allowed")
    tomorrow = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)).date()
    assert ids(f"from={tomorrow}") == []
    assert len(ids(f"to={tomorrow}")) == 13


@pytest.mark.parametrize("path, param", [
    ("/costs?team", "team"), ("/costs?team=a&team=b", "team"), ("/costs?kye=alice", "kye"),
    ("/costs?key=%zz", "key"), ("/costs?limit=0", "limit"), ("/costs?limit=50001", "limit"),
    ("/costs?limit=99999999999999999999", "limit"), ("/costs?limit=-1", "limit"),
    ("/costs?limit=1e3", "limit"), ("/costs?format=xml", "format"),
    ("/costs?group_by=model;DROP", "group_by"), ("/costs?group_by=day,,key", "group_by"),
    ("/costs?from=2026-02-30", "from"), ("/costs?from=99999-01-01", "from"),
    ("/costs?to=tomorrow", "to"), ("/costs?from=2026-11-02&to=2026-11-01", "from"),
    ("/costs?cursor=00", "cursor"), ("/costs?group_by=day&cursor=x'", "cursor"),
    ("/costs?status=200", "status"), ("/requests?group_by=day", "group_by"),
    ("/requests?status=abc", "status"), ("/requests?status=99", "status"),
    ("/requests?cursor=-1", "cursor"), ("/requests?limit=1001", "limit"),
    ("/costs/req_0?key=alice", "key"),
])
def test_questions_that_make_no_sense_are_refused(filled, path, param):
    assert error_of(get(filled[0], path), 400, "invalid_request")["param"] == param


@pytest.mark.parametrize("query", [
    "model=" + "a" * 4000, "key=%00", "team=%ff%fe", "tag=%27%3B%20DROP%20TABLE%20total%3B--",
    "session=%25", "from=1970-01-01", "to=9999-12-31", "group_by=day,day,day", "&&&", "user=",
])
def test_odd_questions_have_plain_answers(filled, query):
    answer = get(filled[0], "/costs?" + query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["object"] == "costs"
    assert filled[0].costs()["total"]["requests"] == 12


def test_groups_survive_a_restart_and_the_loss_of_the_database(provider, start):
    purser = start(provider, keys=KEYS)
    for number in range(3):
        purser.booked(purser.chat(headers={"x-purser-tags": f"t{number}"}))
    before = purser.costs(group_by="tag,key")
    purser.end()
    purser.start()
    assert purser.costs(group_by="tag,key") == before
    purser.end()
    for path in (purser.folder / "data").glob("books.db*"):
        path.unlink()
    purser.start()
    assert purser.costs(group_by="tag,key") == before
    assert len(get(purser, "/requests").json()["data"]) == 3


def test_ten_thousand_groups_come_in_pages(provider, start):
    purser = start(provider, workers=1)
    line = purser.booked(purser.chat())
    purser.end()
    path = next((purser.folder / "data/ledger").glob("*.jsonl"))
    text = [text for text in path.read_text().splitlines() if '"kind":"settle"' in text][0]
    # A file that another process wrote: the roll-ups read it, the replay reads the newest only.
    older = path.with_name(path.name.replace(line["timestamp"][:10], "2020-01-01"))
    older.write_text("".join(
        text.replace('"session":"alice"', f'"session":"s{number:05}"') + "\n"
        for number in range(10000)))
    purser.start()
    rows, query = [], {"group_by": "session", "limit": 3000}
    while True:
        page = purser.costs(**query)
        rows += [row["group"]["session"] for row in page["data"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert rows == sorted(["alice"] + [f"s{number:05}" for number in range(10000)])
    assert page["total"]["requests"] == 10001
    assert len(get(purser, "/costs?group_by=session&format=csv").text.splitlines()) == 10002


CAUSES = ("cache", "router", "optimizer", "batch", "early_stop")


def write_older_file(purser, lines):
    """Lines that another process wrote on an earlier day, into a ledger that nobody has open."""
    path = next((purser.folder / "data/ledger").glob("*.jsonl"))
    older = path.with_name(re.sub(r"\d{4}-\d{2}-\d{2}", "2020-01-01", path.name))
    assert older != path
    older.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def saved_line(number, **more):
    return {"timestamp": f"2020-01-01T10:00:00.{number:06}+00:00", "kind": "settle",
            "request_id": f"req_{1577872800000:012x}{number:012x}", "model": "gpt-4o",
            "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "cost_usd": 0,
            "cost_nano_usd": 0, "status": 200, **more}


def test_costs_say_what_was_saved_by_cause(provider, start):
    purser = start(provider, keys=KEYS)
    purser.booked(purser.chat())
    purser.end()
    lines = [
        saved_line(1, key="alice", cache="hit", saved_nano_usd={"cache": 1_500_000_000}),
        saved_line(2, key="alice", cache="hit", saved_nano_usd={"cache": 1}),
        saved_line(3, key="bob", cache="miss", saved_nano_usd={"router": 2, "batch": 40}),
        saved_line(4, key="bob", saved_nano_usd={"optimizer": 300, "early_stop": 5000, "luck": 9}),
        saved_line(5, key="bob", cache="miss", saved_nano_usd={"router": -1}),  # left out
    ]
    write_older_file(purser, lines)
    purser.start()
    answer = purser.costs(group_by="day,key", to="2020-01-02")
    rows = {row["group"]["key"]: row for row in answer["data"]}
    assert {key: row["cached_requests"] for key, row in rows.items()} == {"alice": 2, "bob": 0}
    for row, nano in ((rows["alice"], (1_500_000_001, 0, 0, 0, 0)),
                      (rows["bob"], (0, 2, 300, 40, 5000)),
                      (answer["total"], (1_500_000_001, 2, 300, 40, 5000))):
        assert list(row["saved_usd"]) == list(CAUSES)
        assert tuple(usd(row["saved_usd"][cause]) for cause in CAUSES) == nano
    assert (answer["total"]["cached_requests"], answer["total"]["requests"]) == (2, 4)
    text = get(purser, "/costs?group_by=key&to=2020-01-02&format=csv").text
    assert text.splitlines()[0].endswith(
        ",cost_usd,cost_nano_usd," + ",".join(f"saved_{cause}_usd" for cause in CAUSES)
        + ",cached_requests")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        same = rows[row["key"]]
        for cause in CAUSES:
            assert usd(row[f"saved_{cause}_usd"]) == usd(same["saved_usd"][cause])
        assert int(row["cached_requests"]) == same["cached_requests"]
    recent = get(purser, "/requests?key=alice&to=2020-01-02").json()["data"]
    assert [row["saved_nano_usd"] for row in recent] == [{"cache": 1}, {"cache": 1_500_000_000}]
    assert {row["cache"] for row in recent} == {"hit"}
    one = get(purser, "/costs/" + lines[0]["request_id"]).json()
    assert one["lines"] == lines[:1]
    assert purser.costs(**{"from": "2020-01-02"})["total"]["saved_usd"] == dict.fromkeys(CAUSES, 0)


# ---- costs from elsewhere ----

BOOKER = "sk-test-carol-0123456789abcdef"
BOOKING_KEYS = [*KEYS, {"id": "carol", "key": BOOKER, "team": "research", "may_book": True,
                        "may_set": ["session", "label", "tags"]}]
AS_BOOKER = {"Authorization": f"Bearer {BOOKER}"}


def book(purser, headers=AS_BOOKER, **body):
    return purser.client.post("/costs", headers=headers, json={"service": "vector-db", **body})


def booking_lines(purser):
    return [line for line in purser.ledger() if line.get("endpoint") == "costs"]


def test_a_cost_is_booked_on_the_callers_accounts(provider, start):
    purser = start(provider, keys=BOOKING_KEYS, budgets=[
        {"name": "all", "scope": "global", "window": "day", "usd": 10},
        {"name": "team", "scope": "team", "window": "day", "usd": 5},
        {"name": "service", "scope": "service", "window": "day", "usd": 3},
        {"name": "calls", "scope": "key", "window": "day", "requests": 1},
        {"name": "db", "scope": "key", "window": "day", "usd": 9, "match": {"service": "vector-db"}},
    ])
    answer = book(purser, cost_usd=2.3, label="index of november",
                  headers={**AS_BOOKER, "x-purser-session": "s", "x-purser-tags": "t"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["object"], told["service"], told["cost_nano_usd"], told["repeated"],
            told["exhausted"]) == ("cost", "vector-db", 2_300_000_000, False, False)
    assert '"cost_usd":2.3,' in answer.text
    assert told["request_id"] == answer.headers["x-purser-request-id"]
    rows = {row["name"]: row for row in told["budgets"]}
    assert set(rows) == {"all", "team", "service", "db"}
    assert usd(rows["db"]["remaining"]) == usd("6.7")
    spent = {name: row["spent"] for (name, *_), row in purser.budgets().items()}
    assert usd(spent["all"]) == usd(spent["team"]) == usd(spent["service"]) == usd("2.3")
    assert spent["calls"] == 0
    reserve, settle = booking_lines(purser)
    assert (reserve["kind"], settle["kind"]) == ("reserve", "settle")
    for name, value in (("service", "vector-db"), ("key", "carol"), ("team", "research"),
                        ("session", "s"), ("tags", ["t"]), ("label", "index of november"),
                        ("cost_nano_usd", 2_300_000_000), ("total_tokens", 0)):
        assert settle[name] == value
    assert {row["budget"]: row["amount"] for row in settle["accounts"]} == \
        dict.fromkeys(("all", "team", "service", "db"), 2_300_000_000)
    purser.chat(fake="prompt=5,output=7")
    groups = {row["group"]["service"]: row for row in purser.costs(group_by="service")["data"]}
    assert groups["vector-db"]["cost_nano_usd"] == 2_300_000_000
    assert groups["fake"]["requests"] == 1
    assert purser.costs(service="vector-db")["total"]["requests"] == 1


def test_a_cost_may_overdraw_and_then_later_calls_are_refused(provider, start):
    purser = start(provider, keys=BOOKING_KEYS, budgets=[
        {"name": "team", "scope": "team", "window": "total", "usd": 1}], show_shared=True)
    assert purser.chat().status_code == 200
    told = book(purser, cost_usd="1.5").json()
    assert told["exhausted"] is True
    assert told["budgets"][0]["remaining"] == 0
    assert told["budgets"][0]["status"] == "exhausted"
    error_of(purser.chat(), 429, "budget_exceeded")
    assert book(purser, cost_usd=0.000000001).status_code == 200
    purser.end()
    purser.start()
    error_of(purser.chat(), 429, "budget_exceeded")
    assert purser.budgets()[("team", "research", "usd")]["spent"] > 1.5
    assert purser.chat(key=BOB).status_code == 200


def test_a_booking_with_an_idempotency_key_counts_once(provider, start):
    purser = start(provider, keys=BOOKING_KEYS)
    first = book(purser, cost_usd=0.25, idempotency_key="invoice 7").json()
    assert first["repeated"] is False

    def again():
        told = book(purser, cost_usd="0.250", idempotency_key="invoice 7").json()
        assert told["repeated"] is True and told["request_id"] == first["request_id"]

    again()
    error_of(book(purser, cost_usd=0.26, idempotency_key="invoice 7"), 409,
             "idempotency_key_reused")
    purser.end()
    purser.start()
    again()
    purser.process.kill()
    for path in (purser.folder / "data").glob("books.db*"):
        path.unlink()
    purser.start()
    again()
    assert book(purser, AS_ADMIN, cost_usd=1, idempotency_key="invoice 7").json()["repeated"] is False
    assert book(purser, AS_ADMIN, cost_usd=1, idempotency_key="invoice 7").json()["repeated"] is True
    assert purser.costs()["total"]["cost_nano_usd"] == 1_250_000_000
    assert purser.costs(service="vector-db")["total"]["requests"] == 2


def test_bookings_at_the_same_time_count_once(provider, start):
    purser = start(provider, keys=BOOKING_KEYS, workers=2)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: httpx.post(
            purser.base + "/costs", headers=AS_BOOKER, timeout=30,
            json={"service": "db", "cost_usd": 0.5, "idempotency_key": f"k{number % 4}"}),
            range(64)))
    for answer in answers:
        assert answer.status_code == 200 or error_of(answer, 409, "booking_in_progress")
    firsts = [a.json() for a in answers if a.status_code == 200 and not a.json()["repeated"]]
    assert len(firsts) == 4
    assert purser.costs()["total"]["cost_nano_usd"] == 2_000_000_000
    assert len(booking_lines(purser)) == 8


def test_a_booking_whose_client_is_gone_leaves_its_name_free(provider, start):
    purser = start(provider, keys=BOOKING_KEYS)
    body = json.dumps({"service": "db", "cost_usd": 1, "idempotency_key": "k"}).encode()
    head = (f"POST /costs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {BOOKER}\r\nContent-Type: "
            f"application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", purser.port)) as connection:
            connection.sendall(head + body)
    wait_until(lambda: book(purser, service="db", cost_usd=1, idempotency_key="k").status_code == 200)
    assert purser.costs()["total"]["cost_nano_usd"] == 1_000_000_000


@pytest.mark.parametrize("body, code", [
    ({"cost_usd": -1}, "invalid_value"), ({"cost_usd": "1,5"}, "invalid_value"),
    ({"cost_usd": 0.0000000001}, "invalid_value"), ({"cost_usd": 4e9 + 1}, "invalid_value"),
    ({"cost_usd": None}, "invalid_value"), ({"cost_usd": [1]}, "invalid_value"), ({}, "missing_member"),
    ({"cost_usd": 1, "service": ""}, "invalid_value"), ({"cost_usd": 1, "service": 7}, "invalid_value"),
    ({"cost_usd": 1, "service": None}, "missing_member"),
    ({"cost_usd": 1, "service": "x" * 65}, "invalid_value"),
    ({"cost_usd": 1, "service": "a\nb"}, "invalid_value"),
    ({"cost_usd": 1, "service": "a\x00b"}, "invalid_value"),
    ({"cost_usd": 1, "label": "x" * 257}, "invalid_value"),
    ({"cost_usd": 1, "idempotency_key": ""}, "invalid_value"),
    ({"cost_usd": 1, "idempotency_key": "x" * 129}, "invalid_value"),
    ({"cost_usd": 1, "key": "bob"}, "unknown_member"), ({"cost_usd": 1, "a" * 5000: 1}, "unknown_member"),
])
def test_what_is_no_cost_is_refused(filled, body, code):
    error_of(book(filled[0], AS_ADMIN, **body), 400, code)


def test_who_may_not_book_is_refused(provider, start):
    purser = start(provider, keys=BOOKING_KEYS)
    body = {"cost_usd": 1}
    error_of(book(purser, AS_BOB, **body), 403, "booking_not_allowed")
    error_of(book(purser, {"Authorization": "Bearer x"}, **body), 401, "invalid_api_key")
    error_of(book(purser, {**AS_BOOKER, "Origin": "https://evil.example"}, **body), 403,
             "origin_not_allowed")
    text = {**AS_BOOKER, "Content-Type": "text/plain"}
    error_of(purser.client.post("/costs", headers=text, content='{"service":"x","cost_usd":1}'), 400,
             "invalid_content_type")
    json_type = {**AS_BOOKER, "Content-Type": "application/json"}
    for content, code in (('{"service":"x","cost_usd":1,"cost_usd":2}', "duplicate_member"),
                          ('{"service":"x","cost_usd":1,"cost\\u005fusd":2}', "duplicate_member"),
                          ("[]", "invalid_json"), ("", "invalid_json"), ("{", "invalid_json")):
        error_of(purser.client.post("/costs", headers=json_type, content=content), 400, code)
    error_of(book(purser, cost_usd=1, label="x" * 70000), 413, "body_too_large")
    assert booking_lines(purser) == []


def newest_file(purser):
    return sorted((purser.folder / "data/ledger").glob("*.jsonl"))[-1]


def test_a_booking_that_a_crash_tore_is_booked_once(provider, start):
    purser = start(provider, keys=BOOKING_KEYS, budgets=[
        {"name": "all", "scope": "global", "window": "total", "usd": 10}])
    first = book(purser, cost_usd=2, idempotency_key="torn").json()
    assert purser.costs()["total"]["requests"] == 1
    purser.process.kill()
    path = newest_file(purser)
    kept = path.read_text()
    path.write_text(kept[:kept.index('"kind":"settle"') + 100])
    purser.start()
    told = book(purser, cost_usd=2, idempotency_key="torn").json()
    assert told["repeated"] is True and told["request_id"] == first["request_id"]
    assert [line["kind"] for line in booking_lines(purser)] == ["reserve", "forfeit"]
    assert purser.costs()["total"]["cost_nano_usd"] == 2_000_000_000
    assert purser.budgets()[("all", "all", "usd")]["spent"] == 2


def test_a_cost_that_the_ledger_cannot_take_is_not_booked(provider, start):
    purser = start(provider, keys=BOOKING_KEYS, budgets=[
        {"name": "all", "scope": "global", "window": "total", "usd": 10}])
    assert book(purser, cost_usd=1).status_code == 200
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(purser.process.pid, resource.RLIMIT_FSIZE,
                     (newest_file(purser).stat().st_size, resource.RLIM_INFINITY))
    error_of(book(purser, cost_usd=2), 503, "ledger_unavailable")
    refused = book(purser, cost_usd=2, idempotency_key="k")
    assert refused.headers["x-purser-error"] in ("ledger_unavailable", "books_unavailable")
    assert purser.budgets()[("all", "all", "usd")]["spent"] == 1
    resource.prlimit(purser.process.pid, resource.RLIMIT_FSIZE, unlimited)
    assert book(purser, cost_usd=2, idempotency_key="k").json()["repeated"] is False
    assert purser.costs()["total"]["cost_nano_usd"] == 3_000_000_000
    assert purser.budgets()[("all", "all", "usd")]["spent"] == 3
