"""What operators see of the cache: GET and DELETE /admin/cache, `purser cache stats | clear`."""

import concurrent.futures
import json
import subprocess

import pytest

from harness import ADMIN, OUT, Purser, error_of, upstream_of

FAKE = "prompt=5,output=7"
CLEAR = [("DELETE", "/admin/cache"), ("POST", "/admin/cache/clear"), ("DELETE", "/v1/admin/cache")]


def ask(purser, method="GET", path="/admin/cache", token=ADMIN):
    return purser.client.request(method, path, headers={"Authorization": f"Bearer {token}"})


def stats(purser):
    answer = ask(purser)
    assert answer.status_code == 200, answer.text
    assert answer.json()["object"] == "cache"
    return answer.json()


def counted(purser, *names):
    told = stats(purser)
    return tuple(told[name] for name in names)


def word(answer):
    assert answer.status_code == 200, answer.text
    return answer.headers["x-purser-cache"]


def embed(purser, *inputs):
    return purser.client.post("/v1/embeddings", json={
        "model": "text-embedding-3-small", "input": list(inputs)})


def command(purser, *arguments, config=None):
    return subprocess.run(
        [str(OUT / "purser"), "cache", *arguments, "--config", str(config or purser.config_path)],
        text=True, capture_output=True, timeout=30, env=purser.env)


# ---- the endpoint ----

def test_an_idle_cache_says_what_it_is(start):
    assert stats(start(cache={"mode": "normalized", "namespace": "team", "ttl": "90s",
                              "max_mb": 2})) == {
        "object": "cache", "mode": "normalized", "namespace": "team", "ttl_seconds": 90,
        "hits": 0, "joined": 0, "misses": 0, "bypassed": 0, "hit_percent": None,
        "input_hits": 0, "input_misses": 0, "flights": 0, "entries": 0, "bytes": 0,
        "max_bytes": 2 * 1024 * 1024, "stored": 0, "evicted": 0, "expired": 0, "too_large": 0}


def test_the_counters_add_up_with_what_was_asked(provider, start):
    purser = start()
    words = [word(purser.chat(content, fake=FAKE, temperature=heat, headers=wish))
             for content, heat, wish in [
                 ("a", 0, None), ("a", 0, None), ("b", 0, None), ("a", 1, None), ("b", 0, None),
                 ("a", 0, {"x-purser-cache": "no-cache"}), ("c", 0, {"x-purser-cache": "no-store"}),
                 ("a", 0, {"x-purser-cache": "only-if-cached"})]]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        words += pool.map(lambda _: word(purser.chat(
            "d", fake=FAKE + ",delay_ms=300", temperature=0)), range(10))
    told = stats(purser)
    assert (told["hits"], told["misses"], told["bypassed"]) == tuple(
        words.count(kind) for kind in ("hit", "miss", "bypass"))
    assert told["hits"] == 3 + 9 and told["misses"] == 5 and 0 < told["joined"] <= 9
    assert told["hit_percent"] == 70.58  # of 17: cut off, not rounded
    assert told["entries"] == 3 and told["stored"] == 4 and told["flights"] == 0
    assert 0 < told["bytes"] < told["max_bytes"] == 16 * 1024 * 1024
    assert provider.settled_bill()["requests"] == told["misses"] + told["bypassed"]


def test_a_request_that_is_refused_for_want_of_an_answer_missed(start):
    purser = start()
    wish = {"x-purser-cache": "only-if-cached"}
    missed = error_of(purser.chat(temperature=0, headers=wish), 504, "cache_miss")
    assert missed["message"].startswith("No answer to this request is cached, and only-if-cached")
    never = error_of(purser.chat(temperature=1, headers=wish), 504, "cache_miss")
    assert "(the temperature is absent or too high)" in never["message"]
    error_of(purser.chat(headers={"x-purser-cache": "sometimes"}), 400, "invalid_header")
    error_of(purser.chat(key="sk-wrong"), 401, "invalid_api_key")
    assert counted(purser, "hits", "misses", "bypassed") == (0, 1, 1)


def test_inputs_of_embeddings_are_counted_one_by_one(start):
    purser = start()
    assert word(embed(purser, "a", "b")) == "miss"
    assert word(embed(purser, "b", "c")) == "miss"
    assert word(embed(purser, "c", "a", "b")) == "hit"  # put together from three answers
    assert counted(purser, "hits", "misses", "input_hits", "input_misses") == (1, 2, 4, 3)


def test_flights_are_those_under_way(provider, start):
    purser = start()
    with purser.stream(temperature=0, fake="output=100,gap_ms=20") as answer:
        pieces = answer.iter_raw()
        next(pieces)
        assert counted(purser, "flights", "entries") == (1, 0)
        list(pieces)
    assert counted(purser, "flights", "entries") == (0, 1)


def test_with_the_cache_off_nothing_is_counted(start):
    purser = start(cache={"mode": "off"})
    assert "x-purser-cache" not in purser.chat(temperature=0).headers
    refused = purser.chat(temperature=0, headers={"x-purser-cache": "only-if-cached"})
    assert "(the cache is off)" in error_of(refused, 504, "cache_miss")["message"]
    assert counted(purser, "mode", "hits", "misses", "bypassed", "entries") == ("off", 0, 0, 0, 0)


@pytest.mark.parametrize("method,path", CLEAR)
def test_after_a_clear_everything_is_asked_again(provider, start, method, path):
    purser = start()

    def ask_all():
        return [word(purser.chat(fake=FAKE, temperature=0)), word(embed(purser, "a", "b")),
                word(embed(purser, "b"))]

    assert ask_all() == ["miss", "miss", "hit"]
    assert ask_all() == ["hit", "hit", "hit"]
    before = stats(purser)
    cleared = ask(purser, method, path)
    assert cleared.status_code == 200
    assert cleared.json() == {"object": "cache.cleared", "entries": before["entries"]}
    assert before["entries"] >= 4  # the chat, a batch, two inputs
    after = stats(purser)
    assert (after["entries"], after["bytes"]) == (0, 0)
    assert after["hits"] == before["hits"] and after["stored"] == before["stored"]
    assert "the cache was cleared" in purser.log()
    assert ask_all() == ["miss", "miss", "hit"]
    assert provider.settled_bill()["requests"] == 4


def test_what_was_asked_before_a_clear_is_not_kept_after_it(provider, start):
    purser = start()
    slow = {"x-fake": "delay_ms=700"}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        chat = pool.submit(purser.chat, temperature=0, headers=slow)
        batch = pool.submit(purser.client.post, "/v1/embeddings", headers=slow, json={
            "model": "text-embedding-3-small", "input": ["a", "b"]})
        while provider.bill(False)["open"] < 2:
            pass
        assert ask(purser, "DELETE").json()["entries"] == 0
        assert word(chat.result()) == word(batch.result()) == "miss"
    assert counted(purser, "entries", "stored") == (0, 0)
    assert word(embed(purser, "a")) == "miss"


def test_a_reload_that_switches_it_off_forgets(start):
    purser = start()
    purser.chat(temperature=0)
    assert counted(purser, "mode", "entries") == ("exact", 1)
    purser.configure(cache={"mode": "off"})
    assert purser.reload().status_code == 200
    assert counted(purser, "mode", "entries", "bytes") == ("off", 0, 0)


# ---- who may ----

@pytest.mark.parametrize("method,path", [("GET", "/admin/cache"), *CLEAR])
def test_only_the_admin_token_may(start, method, path):
    purser = start()
    purser.chat(temperature=0)
    error_of(ask(purser, method, path, token=purser.config["keys"][0]["key"]), 403, "not_allowed")
    error_of(ask(purser, method, path, token="wrong"), 401, "invalid_api_key")
    error_of(purser.client.request(method, path, headers={"Authorization": ""}), 401,
             "invalid_api_key")
    assert stats(purser)["entries"] == 1
    without = start(auth={"mode": "keys"})
    error_of(ask(without, method, path), 404, "unknown_path")


def test_other_methods_are_told_which_there_are(start):
    purser = start()
    for method, path, allowed in [("POST", "/admin/cache", "GET, DELETE"),
                                  ("PUT", "/v1/admin/cache", "GET, DELETE"),
                                  ("GET", "/admin/cache/clear", "POST"),
                                  ("DELETE", "/costs", "GET, POST")]:
        answer = ask(purser, method, path)
        error_of(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == allowed
    error_of(ask(purser, "DELETE", "/admin/cache/other"), 404, "unknown_path")


# ---- the command ----

def test_the_command_shows_the_counters_and_clears(start):
    purser = start()
    for _ in range(3):
        purser.chat(temperature=0)
    shown = command(purser, "stats")
    assert (shown.returncode, shown.stderr) == (0, "")
    table = {line.split()[0]: line.split()[1] for line in shown.stdout.splitlines()}
    assert table["mode"] == "exact" and table["hits"] == "2" and table["hit_percent"] == "66.66"
    assert json.loads(command(purser, "stats", "--json").stdout) == stats(purser)
    assert set(table) == set(stats(purser)) - {"object"}
    assert command(purser, "clear").stdout == "cleared: 1 answer forgotten\n"
    assert json.loads(command(purser, "clear", "--json").stdout) == {
        "object": "cache.cleared", "entries": 0}
    assert stats(purser)["entries"] == 0


def test_the_command_finds_a_unix_socket(provider, tmp_path):
    config = tmp_path / "purser.yaml"
    socket = tmp_path / "purser.sock"
    config.write_text(json.dumps({
        "listen": f"unix:{socket}", "auth": {"mode": "open", "admin_token": ADMIN},
        "upstreams": [upstream_of(provider)]}))
    from harness import Process, wait_until
    process = Process([OUT / "purser", "serve", "--config", config], tmp_path / "log")
    try:
        wait_until(socket.exists, what="the socket")
        done = subprocess.run([str(OUT / "purser"), "cache", "clear", "--config", str(config)],
                              text=True, capture_output=True, timeout=30)
        assert (done.returncode, done.stdout) == (0, "cleared: 0 answers forgotten\n"), done.stderr
    finally:
        process.end()
    gone = subprocess.run([str(OUT / "purser"), "cache", "stats", "--config", str(config)],
                          text=True, capture_output=True, timeout=30)
    assert gone.returncode == 1 and "is purser running?" in gone.stderr


def test_the_command_says_why_it_cannot(start, tmp_path):
    purser = start()
    config = tmp_path / "other.yaml"

    def told(**options):
        config.write_text(json.dumps({**purser.config, **options}))
        done = command(purser, "stats", config=config)
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("purser cache: ")
        return done.stderr

    assert "auth.admin_token" in told(auth={"mode": "keys"})
    assert "another admin token" in told(auth={"mode": "keys", "admin_token": "w" * 30})
    without = start(auth={"mode": "keys"})
    assert "no admin token" in told(listen=f"127.0.0.1:{without.port}")
    purser.end()
    assert "refused; is purser running?" in told()
    broken = command(purser, "stats", config=tmp_path / "none.yaml")
    assert broken.returncode == 1 and "none.yaml" in broken.stderr


@pytest.mark.parametrize("arguments", [[], ["stats", "clear"], ["forget"], ["stats", "--fast"],
                                       ["stats", "--config"]])
def test_what_the_command_does_not_understand_gets_its_usage(arguments):
    done = subprocess.run([str(OUT / "purser"), "cache", *arguments], text=True,
                          capture_output=True, timeout=30)
    assert done.returncode == 2 and "usage: purser cache stats" in done.stderr
