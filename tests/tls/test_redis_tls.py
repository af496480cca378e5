"""Redis by TLS, with a hiredis that has it: what is shared through it, whom purser believes, and what
it says of whom it does not."""

import contextlib
import json
import subprocess

import pytest
from fleet import Fleet
from fleet import budget as operate
from harness import ADMIN, OUT, wait_until
from redises import Redis
from servers import SecureRedis, SecureSentinel, cluster_of_two


@pytest.fixture
def redis(certificate, authority):
    with SecureRedis(certificate, authority, appendonly="yes") as server:
        yield server


def budget(folder, url, tls, *words):
    path = folder / "purser.yaml"
    path.write_text(json.dumps({
        "auth": {"mode": "open"}, "store": {"redis": url, "tls": tls},
        "upstreams": [{"name": "u", "base_url": "http://127.0.0.1:1/v1", "provider": "openai"}],
    }))
    return subprocess.run([OUT / "purser", "budget", *words, "--config", path], text=True,
                          capture_output=True, timeout=60)


def assert_no_complaint(text):
    for sign in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "assertion"):
        assert sign not in text, text[-6000:]


def reason(done):
    """Why a command failed."""
    assert_no_complaint(done.stderr)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def is_set_up(folder, url, tls):
    done = budget(folder, url, tls, "init", "--if-empty")
    assert_no_complaint(done.stderr)
    assert done.returncode == 0, done.stderr
    return True


# ---- what works ----


def test_two_pursers_share_a_budget_and_redis_restarts(provider, redis, authority):
    store = {"redis": redis.url, "tls": {"ca": str(authority.path)}}
    with Fleet(provider, redis, calls=80, store=store) as fleet:
        fleet.until(10)
        with fleet.storm(40):
            redis.kill()
            redis.start()
        fleet.until_exhausted(90)
        assert fleet.check(redis) >= 0.95 * fleet.limit
        for purser in fleet.pursers:
            purser.end()
            assert_no_complaint(purser.log())


def test_what_is_long_is_read_whole(redis, authority, provider):
    """Answers of many records of TLS: keys that one instance made, and another reads."""
    store = {"redis": redis.url, "tls": {"ca": str(authority.path)}}
    names = [f"{number:03}-" + "x" * 60 for number in range(200)]
    with Fleet(provider, redis, store=store) as fleet:
        maker, reader = fleet.pursers
        for name in names:
            made = maker.client.post("/admin/keys", json={"id": name, "team": "t" * 60},
                                     headers={"Authorization": f"Bearer {ADMIN}"})
            assert made.status_code in (200, 201), made.text
        reader.end()
        reader.start()
        found = []

        def all_known():
            answer = reader.client.get("/admin/keys", headers={"Authorization": f"Bearer {ADMIN}"})
            found[:] = [name for name in names if name in answer.text]
            return len(found) == len(names)

        wait_until(all_known, 30, "the keys")
        assert sum(len("".join(redis.do("HGETALL", key))) for key in redis.do("KEYS", "{purser}:b*")
                   if redis.do("TYPE", key) == ["hash"]) > 20000


def test_a_sentinel_is_asked_by_tls_too(redis, certificate, authority, tmp_path):
    with SecureSentinel(redis, certificate, authority) as sentinel:
        assert is_set_up(tmp_path, sentinel.url, {"ca": str(authority.path)})
        assert redis.do("EXISTS", "{purser}:meta") == ["1"]
        plain = f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster"
        assert f"Redis at 127.0.0.1:{sentinel.port}: " in reason(budget(tmp_path, plain, {}, "list"))
    assert "its certificate is not accepted" in reason(
        budget(tmp_path, f"rediss+sentinel://127.0.0.1:{redis.port}/mymaster", {}, "list"))


def test_a_cluster_sends_on_by_tls(certificate, authority, tmp_path):
    with contextlib.ExitStack() as stack:
        owner, other = cluster_of_two(stack, certificate, authority)
        assert is_set_up(tmp_path, other.url, {"ca": str(authority.path)})
        assert owner.do("EXISTS", "{purser}:meta") == ["1"]


def test_the_name_of_a_host_is_that_of_its_certificate(redis, authority, tmp_path):
    ours = {"ca": str(authority.path)}
    assert is_set_up(tmp_path, redis.url.replace("127.0.0.1", "localhost"), ours)
    assert is_set_up(tmp_path, redis.url, {**ours, "server_name": "localhost"})
    told = reason(budget(tmp_path, redis.url, {**ours, "server_name": "elsewhere.test"}, "list"))
    assert "hostname mismatch" in told.lower() and "store.tls.server_name" in told


def test_purser_shows_a_certificate_where_redis_wants_one(certificate, authority, stranger, tmp_path):
    cert, key = authority.sign("purser", "DNS:purser.test")
    other_cert, other_key = stranger.sign("intruder", "DNS:purser.test")
    ours = {"ca": str(authority.path)}
    with SecureRedis(certificate, authority, **{"tls-auth-clients": "yes"}) as redis:
        assert is_set_up(tmp_path, redis.url, {**ours, "cert": str(cert), "key": str(key)})
        assert f"Redis at 127.0.0.1:{redis.port}: " in reason(budget(tmp_path, redis.url, ours, "list"))
        told = reason(budget(tmp_path, redis.url,
                             {**ours, "cert": str(other_cert), "key": str(other_key)}, "list"))
        assert f"Redis at 127.0.0.1:{redis.port}: " in told
        told = reason(budget(tmp_path, redis.url, {**ours, "cert": str(cert), "key": str(other_key)},
                             "list"))
        assert "store.tls.key: cannot use" in told and "key values mismatch" in told


# ---- whom purser does not believe ----


@pytest.mark.parametrize("names, days, says", [
    ("IP:127.0.0.2,DNS:localhost", 2, "IP address mismatch"),
    ("DNS:127.0.0.1", 2, "IP address mismatch"),
    ("IP:127.0.0.1", -1, "certificate has expired")])
def test_a_certificate_is_looked_at(authority, tmp_path, names, days, says):
    with SecureRedis(authority.sign("wrong", names, days), authority) as redis:
        told = reason(budget(tmp_path, redis.url, {"ca": str(authority.path)}, "list"))
        assert "its certificate is not accepted: " in told and says in told


def test_who_signs_it_matters(redis, stranger, tmp_path):
    for tls in ({}, {"ca": str(stranger.path)}):
        assert "its certificate is not accepted" in reason(
            budget(tmp_path, redis.url, tls, "list"))


def test_files_are_looked_at(redis, certificate, authority, tmp_path):
    (tmp_path / "empty.pem").write_text("nothing\n")
    sealed = tmp_path / "sealed.key"
    authority.openssl("ec", "-in", certificate[1], "-aes256", "-passout", "pass:x", "-out", sealed)
    for tls, says in (({"ca": "empty.pem"}, "store.tls.ca: cannot use"),
                      ({"ca": "absent.pem"}, "store.tls.ca: cannot use"),
                      ({"cert": "empty.pem", "key": "empty.pem"}, "store.tls.cert: cannot use"),
                      ({"cert": str(certificate[0])}, "store.tls.cert: goes with a key"),
                      ({"cert": str(certificate[0]), "key": str(sealed)},
                       "store.tls.key: cannot use")):
        assert says in reason(budget(tmp_path, redis.url, tls, "list"))


def test_plain_text_and_tls_do_not_meet(redis, tmp_path):
    told = reason(budget(tmp_path, redis.url.replace("rediss", "redis"), {}, "list"))
    assert f"Redis at 127.0.0.1:{redis.port}: " in told and "does it want TLS?" in told
    with Redis() as plain:
        told = reason(budget(tmp_path, plain.url.replace("redis", "rediss"), {}, "list"))
        assert "is this its TLS port?" in told


# ---- what an operator sees of it ----


def test_a_server_that_is_not_believed_is_away_until_it_is(provider, certificate, authority,
                                                           stranger):
    store = {"tls": {"ca": str(authority.path)}}
    wrong = stranger.sign("wrong", "IP:127.0.0.1")
    with SecureRedis(wrong, stranger) as redis, \
            Fleet(provider, redis, count=1, init=False,
                  store={"redis": redis.url, **store}) as fleet:
        purser = fleet.pursers[0]
        assert fleet.call(0) == (503, "budget_store_unavailable")
        wait_until(lambda: purser.client.get("/readyz").status_code == 503, 30, "/readyz")
        told = purser.client.get("/readyz").json()["error"]["message"]
        assert "does not answer (its certificate is not accepted: " in told and "127.0.0.1" not in told
        assert "its certificate is not accepted" in purser.log()
        assert purser.log().count("its certificate is not accepted") < 10, "it is told once"
        redis.kill()
        redis.options |= {"tls-cert-file": str(certificate[0]), "tls-key-file": str(certificate[1]),
                          "tls-ca-cert-file": str(authority.path)}
        redis.cli = ("--tls", "--cacert", str(authority.path))
        redis.start()
        operate(purser, "init")
        fleet.until(1)
        assert purser.client.get("/readyz").status_code == 200
        purser.end()
        assert_no_complaint(purser.log())
