"""`purser budget`: setting up what instances share, and looking at it."""

import json
import os
import subprocess

import pytest

from harness import OUT
from redises import Redis


@pytest.fixture
def redis():
    with Redis() as server:
        yield server


def budget(folder, url, *words, env=None, replicas=0):
    path = folder / "purser.yaml"
    path.write_text(json.dumps({
        "auth": {"mode": "open"}, "store": {"redis": url, "wait_replicas": replicas},
        "upstreams": [{"name": "u", "base_url": "http://127.0.0.1:1/v1", "provider": "openai"}],
    }))
    return subprocess.run([OUT / "purser", "budget", *words, "--config", path], text=True,
                          capture_output=True, timeout=60, env={**os.environ, **(env or {})})


def joined(redis, journal, label, present=0, seen=100):
    """What an instance leaves in the registry."""
    redis.do("HSET", "{purser}:meta", f"q:{journal}", "1.1", f"p:{journal}", present)
    redis.do("HINCRBY", "{purser}:meta", "registered", 1)
    redis.do("HINCRBY", "{purser}:meta", "enrolled", int(present > 0))
    redis.do("HSET", "{purser}:nodes", f"l:{journal}", label, f"f:{journal}", seen,
             f"s:{journal}", seen)


def test_a_store_is_set_up_once(redis, tmp_path):
    done = budget(tmp_path, redis.url, "list")
    assert done.returncode == 1 and "the store is empty" in done.stderr
    done = budget(tmp_path, redis.url, "init")
    assert (done.returncode, done.stdout) == (0, "the store is set up and open\n"), done.stderr
    epoch = redis.pairs("{purser}:meta")["epoch"]
    done = budget(tmp_path, redis.url, "init")
    assert done.returncode == 1 and "set up already" in done.stderr
    done = budget(tmp_path, redis.url, "init", "--if-empty")
    assert done.returncode == 0
    assert redis.pairs("{purser}:meta")["epoch"] == epoch
    assert budget(tmp_path, redis.url, "list").stdout == f"the store is open (epoch {epoch})\n"


def test_instances_are_listed_and_let_go(redis, tmp_path):
    budget(tmp_path, redis.url, "init")
    joined(redis, "a" * 32, "web-1")
    joined(redis, "b" * 32, "web-2\x1b[31m")
    joined(redis, "c" * 32, "web-1")
    done = budget(tmp_path, redis.url, "list")
    assert [line.split()[:3] for line in done.stdout.splitlines()[1:]] == [
        ["web-1", "a" * 12, "in"], ["web-2?[31m", "b" * 12, "in"], ["web-1", "c" * 12, "in"]]
    done = budget(tmp_path, redis.url, "leave", "web-1")
    assert done.returncode == 1 and "several instances" in done.stderr
    done = budget(tmp_path, redis.url, "leave", "web-3")
    assert done.returncode == 1 and "no instance" in done.stderr
    joined(redis, "d" * 32, "")
    done = budget(tmp_path, redis.url, "leave", "")
    assert done.returncode == 1 and "no instance" in done.stderr
    assert budget(tmp_path, redis.url, "leave", "dddd").returncode == 0
    done = budget(tmp_path, redis.url, "leave", "aaaa")
    assert done.returncode == 0, done.stderr
    assert redis.pairs("{purser}:meta")["registered"] == "2"
    assert " left " in budget(tmp_path, redis.url, "list").stdout.splitlines()[1]
    done = budget(tmp_path, redis.url, "leave", "aaaa")
    assert done.returncode == 1 and "has left already" in done.stderr
    done = budget(tmp_path, redis.url, "leave", "ccc")  # would be one, were it longer
    assert done.returncode == 1 and "4 letters are needed" in done.stderr


def test_one_that_lives_is_not_made_to_leave(redis, tmp_path):
    budget(tmp_path, redis.url, "init")
    joined(redis, "a" * 32, "web-1", seen=redis.do("TIME")[0])
    done = budget(tmp_path, redis.url, "leave", "web-1")
    assert done.returncode == 1 and "seen in the last 10 seconds" in done.stderr
    assert budget(tmp_path, redis.url, "leave", "web-1", "--force").returncode == 0


def test_after_a_loss_the_store_waits_for_as_many_as_the_operator_says(redis, tmp_path):
    done = budget(tmp_path, redis.url, "init", "--instances", "2")
    assert "opens when 2 instances" in done.stdout
    listed = budget(tmp_path, redis.url, "list").stdout
    assert listed.startswith("the store recovers: nothing is granted until 2 more have synced")
    done = budget(tmp_path, redis.url, "leave", "unknown")
    assert done.returncode == 1 and "could be spent again" in done.stderr
    assert "does not know" in done.stderr and "once more" not in done.stderr
    done = budget(tmp_path, redis.url, "leave", "unknown", "--force")
    assert done.returncode == 0 and "what the store knows" in done.stdout
    assert "until 1 more" in budget(tmp_path, redis.url, "list").stdout


def test_whoever_hears_no_answer_is_told_to_look_first(redis, tmp_path):
    """One that is unknown, let go twice, would be two."""
    budget(tmp_path, redis.url, "init", "--instances", "3")
    budget(tmp_path, redis.url, "leave", "unknown")  # the scripts are loaded
    redis.do("CLIENT", "PAUSE", 60000, "WRITE")
    done = budget(tmp_path, redis.url, "leave", "unknown", "--force")
    assert done.returncode == 1 and "may have been done all the same" in done.stderr, done.stderr
    redis.do("CLIENT", "UNPAUSE")
    assert "purser budget list" in done.stderr


def test_one_that_the_store_has_lost_is_let_go_by_force_alone(redis, tmp_path):
    budget(tmp_path, redis.url, "init", "--instances", "3")
    joined(redis, "a" * 32, "web-1", present=1)
    joined(redis, "b" * 32, "")  # somebody that came has named it
    done = budget(tmp_path, redis.url, "leave", "web-1")
    assert done.returncode == 1 and "may not know all" in done.stderr
    done = budget(tmp_path, redis.url, "leave", "bbbb", replicas=1)
    assert done.returncode == 1 and "may not know all" in done.stderr
    for words in (["web-1"], ["bbbb", "--force"]):
        done = budget(tmp_path, redis.url, "leave", *words, replicas=1)
        assert done.returncode == 0, done.stderr


def test_what_an_earlier_purser_counted_is_counted_by_names_from_now_on(redis, tmp_path):
    budget(tmp_path, redis.url, "init", "--instances", "3")
    joined(redis, "a" * 32, "web-1")
    redis.do("HSET", "{purser}:meta", "present", 2, "newcomers", 1, "openings", 1, "gseq", 40)
    assert budget(tmp_path, redis.url, "leave", "unknown", "--force").returncode == 0
    meta = redis.pairs("{purser}:meta")
    assert (meta["changed"], meta["returned"], meta["awaited"]) == ("40", "1", "2")
    assert not {"newcomers", "openings"} & set(meta)


def test_a_newcomer_that_it_has_let_go_is_waited_for_until_an_operator_takes_it_off(redis, tmp_path):
    """It is counted still, so who has returned is taken for it: one too many, and never one too few."""
    budget(tmp_path, redis.url, "init", "--instances", "2")
    joined(redis, "a" * 32, "web-1", present=int(redis.pairs("{purser}:meta")["epoch"]))
    redis.do("HSET", "{purser}:meta", "present", 1, "newcomers", 1, "openings", 1)
    for left in (1, 0):
        assert budget(tmp_path, redis.url, "leave", "unknown", "--force").returncode == 0
        listed = budget(tmp_path, redis.url, "list").stdout
        assert listed.startswith(f"the store recovers: nothing is granted until {left} more"), listed


def test_what_is_wrong_is_said(redis, tmp_path):
    done = budget(tmp_path, "", "list")
    assert done.returncode == 1 and "only the admin may ask" in done.stderr
    done = budget(tmp_path, "", "leave", "x")
    assert done.returncode == 1 and "names no Redis" in done.stderr
    done = budget(tmp_path, "redis://127.0.0.1:1", "list")
    assert done.returncode == 1 and "127.0.0.1:1: Connection refused" in done.stderr
    done = budget(tmp_path, "redis://user:geheim@", "list")
    assert done.returncode == 1 and "must name a host" in done.stderr
    assert "geheim" not in done.stderr
    has_tls = subprocess.run(["pkg-config", "--exists", "hiredis_ssl", "libssl >= 3"]).returncode == 0
    done = budget(tmp_path, "rediss://127.0.0.1:1", "list")
    assert done.returncode == 1 and ("refused" if has_tls else "stunnel") in done.stderr
    for words in ([], ["list", "x"], ["leave"], ["init", "--instances", "-1"], ["init", "--force"],
                  ["reconcile"], ["reconcile", "x", "--force"], ["leave", "x", "--yes"],
                  ["nonsense"]):
        done = budget(tmp_path, redis.url, *words)
        assert done.returncode == 2 and done.stderr.endswith("--help says more\n")
        assert len(done.stderr.splitlines()) < 12  # all of it would push the usage off the screen
    redis.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    done = budget(tmp_path, redis.url, "list")
    assert done.returncode == 1 and "noeviction" in done.stderr


def test_passwords_and_users(tmp_path):
    with Redis(requirepass="geheim wort") as redis:
        url = f"redis://:geheim%20wort@127.0.0.1:{redis.port}/3"
        assert budget(tmp_path, url, "init").returncode == 0
        assert redis.do("-n", 3, "EXISTS", "{purser}:meta") == ["1"]
        done = budget(tmp_path, redis.url, "list")
        assert done.returncode == 1 and "NOAUTH" in done.stderr
        redis.do("ACL", "SETUSER", "purser", "on", ">p", "~{purser}:*", "+info", "+script|load",
                 "+evalsha", "+eval", "+exists", "+hlen", "+hmget", "+hget", "+hgetall", "+hset", "+hsetnx", "+hdel", "+scan", "+time",
                 "+expireat", "+persist", "+wait")
        url = f"redis://purser:p@127.0.0.1:{redis.port}"
        assert budget(tmp_path, url, "init").returncode == 0
        assert "is open" in budget(tmp_path, url, "list").stdout
