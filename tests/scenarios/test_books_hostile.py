"""The books asked by people who mean harm: every way to break out of a query, forged cursors,
absurd ranges. The answer is a refusal that says why, or a plain one; the books stay as they were.
"""

import random
import urllib.parse

import pytest

from harness import ADMIN, KEY, Provider, Purser

AS_ADMIN = {"Authorization": f"Bearer {ADMIN}"}
BOB = "sk-test-bob-0123456789abcdefgh"
NAMES = ["key", "team", "user", "session", "tag", "model", "upstream", "service", "endpoint"]
INJECTIONS = [
    "' OR '1'='1", "'; DROP TABLE total;--", "\" OR \"\"=\"", "x') UNION SELECT * FROM sqlite_master--",
    "alice'/*", "\\' OR 1=1--", "%", "_", "*", "?", "?1", ":key", "@key", "$key", "alice\x00bob",
    "char(97)", "0x616c696365", "ａlice", "alicе", "NULL", "null", "true", "[]", "{}",
]
TRICKS = [
    "key=%2527%20OR%201=1", "key=alice%00", "key=%c0%af", "key=%C0%A7", "key=%u0061lice", "key=%",
    "key=%a", "key=%g0", "key=alice%26team=x", "key=alice#x", "key=alice;team=x", "k%65y=nobody",
    "KEY=alice", " key=alice", "key =alice", "+key=alice", "key[]=alice", "key[0]=alice", "=alice",
    "key==alice", "key", "key=alice&key=bob", "key=alice&k%65y=bob", "from=&to=", "&=&=&",
    "group_by=key,KEY", "group_by=" + ",".join(["day"] * 500), "group_by=rowid", "group_by=1",
    "group_by=key%20DESC", "group_by=cost_nano_usd", "group_by=%00", "group_by=,", "group_by=k%65y",
    "limit=0x10", "limit=%2010", "limit=+1", "limit=9223372036854775808", "limit=1.0", "limit=",
    "format=CSV", "format=csv%0d%0aX-Evil:1", "format=../../etc/passwd", "cursor=", "cursor=%00",
]
TIMES = [
    "0000-00-00", "0000-01-01", "-2026-01-01", "9999-12-31", "10000-01-01", "2026-02-29", "2024-02-29",
    "2026-13-01", "2026-1-1", "20260101", "1e9", "0", "-1", "9223372036854775807", "99999999999999999999",
    "2026-11-22T24:00:00Z", "2026-11-22T23:59:60Z", "2026-11-22T00:00:00+99:99", "now", "''",
    "2026-11-22T00:00:00.999999999999Z", "2026-11-22\x00", "２０２６-11-22", "2" * 10000,
]


@pytest.fixture(scope="module")
def books():
    with Provider() as provider, Purser(provider, keys=[
            {"id": "alice", "key": KEY, "team": "research"}, {"id": "bob", "key": BOB}]) as purser:
        for number in range(12):
            purser.booked(purser.chat(fake="prompt=5,output=7", key=(KEY, BOB)[number % 2],
                                      headers={"x-purser-session": f"s{number}"}))
        yield purser


def total(purser):
    return purser.costs(group_by="key,session")


@pytest.fixture(autouse=True)
def unharmed(books):
    before = total(books)
    yield
    assert total(books) == before
    assert books.process.alive() and "assert" not in books.log()


def asked(purser, path, query):
    """The answer to such a query, byte for byte as given; refused politely or answered."""
    answer = purser.request(f"GET {path}?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                            f"Authorization: Bearer {ADMIN}\r\n\r\n".encode())
    status = int(answer.split(b" ", 2)[1])
    assert status in (200, 400, 404, 414, 431), answer[:500]
    assert b"x-evil" not in answer.split(b"\r\n\r\n")[0].lower()
    return status, answer


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_value_of_a_filter_is_more_than_a_value(books, text):
    for path in ("/costs", "/requests"):
        for name in NAMES:
            answer = books.client.get(f"{path}?{urllib.parse.urlencode({name: text})}",
                                      headers=AS_ADMIN)
            assert answer.status_code in (200, 400), answer.text
            if answer.status_code == 200:
                found = answer.json()
                assert found.get("total", {"requests": 0})["requests"] == 0 and not found["data"]


@pytest.mark.parametrize("query", TRICKS)
def test_tricks_of_encoding_do_no_harm(books, query):
    for path in ("/costs", "/requests", "/v1/costs"):
        asked(books, path, query.replace(" ", "%20").replace("\x00", "%00"))


@pytest.mark.parametrize("time", TIMES, ids=range(len(TIMES)))
def test_absurd_times_are_refused_or_answered(books, time):
    for name in ("from", "to"):
        for path in ("/costs", "/requests"):
            asked(books, path, name + "=" + urllib.parse.quote(time))


@pytest.mark.parametrize("size", [1000, 4000, 10000, 30000])
def test_long_values_are_refused_or_answered(books, size):
    for name in ("key", "group_by", "cursor", "from", "x" * size):
        answer = books.request(f"GET /costs?{name}={'a' * size} HTTP/1.1\r\nHost: x\r\n"
                               f"Authorization: Bearer {ADMIN}\r\nConnection: close\r\n\r\n".encode())
        status = int(answer.split(b" ", 2)[1])
        assert status in (200, 400, 414, 431), (name[:10], answer[:200])


def cursor_of(purser, **query):
    cursor = purser.costs(limit=3, **query)["next"]
    assert cursor
    return cursor


def page(purser, path="/costs", key=ADMIN, **query):
    return purser.client.get(path, params=query, headers={"Authorization": f"Bearer {key}"})


def test_a_forged_cursor_is_refused_or_a_page_of_the_same_books(books):
    """Whatever it is made into, a page holds rows of the whole answer only, each once."""
    whole = books.costs(group_by="key,session")["data"]
    cursor = cursor_of(books, group_by="key,session")
    dice = random.Random(7)
    forged = [cursor[:-1], cursor + "0", cursor * 2, cursor[::-1], cursor.upper(), cursor[2:],
              "ff" * 40, "00" * 2000, "27204f5220313d31", urllib.parse.quote(cursor), "'", "-1", "0"]
    for _ in range(100):
        at = dice.randrange(len(cursor))
        forged.append(cursor[:at] + dice.choice("0123456789abcdef~") + cursor[at + 1:])
    for text in forged:
        answer = page(books, group_by="key,session", limit=3, cursor=text)
        assert answer.status_code in (200, 400), (text, answer.text)
        if answer.status_code == 200:
            rows = answer.json()["data"]
            assert all(row in whole for row in rows) and len(rows) <= 3


def test_a_cursor_is_of_no_use_in_another_question(books):
    cursor = cursor_of(books, group_by="key,session")
    for query in ({"group_by": "session"}, {"group_by": "day"}, {"group_by": "session,key,model"}, {}):
        answer = page(books, cursor=cursor, **query)
        assert answer.status_code in (200, 400), answer.text


def test_a_cursor_shows_nobody_what_is_not_his(books):
    """bob takes the administrator's cursors, and writes his own."""
    for path, query in (("/costs", {"group_by": "key,session"}), ("/requests", {})):
        cursor = page(books, path, limit=1, **query).json()["next"]
        for text in (cursor, "0", "00", "1"):
            answer = page(books, path, key=BOB, limit=50, cursor=text, **query)
            if answer.status_code == 200:
                for row in answer.json()["data"]:
                    assert row.get("key", row.get("group", {}).get("key")) == "bob"
    for name in ("key", "k%65y"):
        answer = books.client.get(f"/costs?{name}=alice", headers={"Authorization": f"Bearer {BOB}"})
        assert answer.status_code in (400, 403)
