"""Reloads that change nothing: bad files, strangers, bad moments."""

import json
import re
import signal
import socket

import pytest

from harness import ADMIN, KEY, OUT, Process, Provider, Purser, error_of, free_port, upstream_of, \
    wait_until
from purses import Calls, budget
from reloading import ALICE, ONLY_BOB, admin, by_request, by_signal, price_file

# ---- a bad file ----

BROKEN = {
    "yaml": ("keys: [\n", "this is not YAML", 2),
    "unknown option": ("budgest: []\n", 'budgest', 1),
    "type": ("listen: 127.0.0.1:0\nworkers: many\n", "workers", 2),
}


def promised(purser):
    """The rows of /budget without the ceilings, which grow beside it when the disk has synced."""
    return {name: {**row, "ceiling": None} for name, row in purser.budgets().items()}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_file_changes_nothing_and_says_why_with_its_line(start, name):
    text, part, line = BROKEN[name]
    purser = start(budgets=[budget(usd=1)])
    purser.booked(purser.chat())
    before = promised(purser)
    purser.config_path.write_text(text)
    error = error_of(purser.reload(), 400, "invalid_configuration")
    assert f"{purser.config_path}:{line}: error: " in error["message"]
    assert part in error["message"]
    lines = by_signal(purser)
    assert any(f"{purser.config_path}:{line}: error: " in told for told in lines)
    assert "nothing is changed" in lines[-1]
    assert promised(purser) == before
    assert purser.chat().status_code == 200


def test_all_that_is_wrong_is_said_at_once(start):
    purser = start()
    purser.config_path.write_text("a: 1\nb: 2\nc: 3\n" + "d" * 900 + ": 4\n")
    message = error_of(purser.reload(), 400, "invalid_configuration")["message"]
    for number in (1, 2, 3, 4):
        assert f"{purser.config_path}:{number}: error: " in message


def test_a_refusal_tells_the_mistakes_without_the_warnings(start):
    purser = start()
    purser.config_path.write_text(json.dumps({**purser.config, "budgets": [], "budget_status": 7}))
    message = error_of(purser.reload(), 400, "invalid_configuration")["message"]
    mistake, end = message.splitlines()
    assert "error: budget_status: " in mistake and end == "nothing is changed"
    assert not any("warning" in line for line in by_signal(purser))


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
    line = 1 + purser.config_path.read_text().splitlines().index(
        f'  "{tmp_path / "prices.json"}"')
    why = f"{purser.config_path}:{line}: error: prices: {tmp_path / 'prices.json'}"
    error = error_of(purser.reload(), 400, "invalid_configuration")
    assert why in error["message"] and "No such file" in error["message"]
    (tmp_path / "prices.json").write_text("{")
    assert why in error_of(purser.reload(), 400, "invalid_configuration")["message"]
    assert purser.booked(purser.chat())["price_version"] == version


def test_models_without_a_price_are_told_as_at_the_start(start):
    purser = start(budgets=[budget(usd=1)])
    upstream = {"name": "own", "base_url": "http://127.0.0.1:9", "models": ["nobodys-model"]}
    purser.configure(upstreams=[upstream], unpriced="nobodys-model")
    error = error_of(purser.reload(), 400, "invalid_configuration")
    assert re.search(r"purser.yaml:\d+: error: unpriced: ", error["message"])
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
