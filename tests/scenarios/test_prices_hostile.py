"""Price files of people who mean harm: absurd numbers, circles of names, a file that changes under
one's feet. Refused with the file and the record, or priced exactly; never for free."""

import json

import pytest

from harness import error_of
from test_prices import USD, config_file, price_file, record, run

ABSURD = ["1e999", "-1e-400", "-0.5", "NaN", "Infinity", '"free"', "[]", "true", "1e30",
          "9" * 400, "0." + "0" * 400 + "1", '"0x10"', "-0.0000001"]


def foreign(price, **more):
    return {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 1000,
            "max_output_tokens": 1000, "input_cost_per_token": 1e-6, "output_cost_per_token": price,
            **more}


@pytest.mark.parametrize("price", ABSURD, ids=range(len(ABSURD)))
def test_an_absurd_price_is_refused_or_not_taken_for_free(tmp_path, price):
    """In both formats; what the other format's file cannot say is left out, and has no price."""
    text = json.dumps({"m": foreign("?")}).replace('"?"', price)
    own = json.dumps({"format": 1, "models": [record("m", "?")]}).replace('"?"', price)
    for number, content in enumerate((text, own)):
        path = tmp_path / f"prices{number}.json"
        path.write_text(content)
        config = config_file(tmp_path, prices=[str(path)])
        status, _, told = run("check", config)
        shown, out, _ = run("prices", "m", "--config", config, "--json")
        if status == 0 and shown == 0:
            for row in json.loads(out)["data"]:
                assert all(tier["output"] > 0 for tier in row["tiers"]), (content, out)
        elif status != 0:
            assert str(path) in told


def test_circles_of_aliases_end(tmp_path):
    """Of upstreams: a name is looked up once, not until it leads nowhere."""
    circle = {"a": "b", "b": "c", "c": "a", "self": "self"}
    config = config_file(tmp_path, upstreams=[
        {"name": "o", "base_url": "https://api.openai.com/v1", "api_key": "k", "aliases": circle}])
    for name in circle:
        status, out, told = run("prices", name, "--config", config)
        assert status == 1 and out == "" and told


def test_a_long_chain_of_snapshots_ends(tmp_path):
    """m-2031-01-01-2031-01-01…: each its predecessor's snapshot."""
    names = ["m" + "-2031-01-01" * count for count in range(6)]
    config = config_file(tmp_path, prices=[price_file(tmp_path, record("m", 1))])
    assert run("prices", names[1], "--config", config)[0] == 0
    for name in names[2:]:
        assert run("prices", name, "--config", config)[0] == 1


def test_a_hundred_thousand_aliases_are_read_or_refused(tmp_path):
    path = price_file(tmp_path, record("m", 1, aliases=[f"a{number}" for number in range(100000)]))
    status, _, told = run("check", config_file(tmp_path, prices=[path]))
    assert status == 0 or path in told


def test_the_dearest_price_is_booked_exactly_and_overflows_nothing(start, tmp_path):
    """A million dollars for a million tokens, a billion tokens: within what an amount holds."""
    prices = price_file(tmp_path, record("m", 1000000))
    purser = start(prices=[prices], budgets=USD, admission={"clamp": "never"})
    answer = purser.chat(model="m", max_tokens=20, fake="prompt=5,output=7")
    assert answer.status_code == 200, answer.text
    line = purser.booked(answer)
    assert line["cost_nano_usd"] == 12 * 10 ** 9
    error_of(purser.chat(model="m", max_tokens=1000), 400, "request_cost_exceeds_limit")


def test_a_reload_with_a_bad_price_file_changes_nothing(start, tmp_path):
    prices = price_file(tmp_path, record("m", 2))
    purser = start(prices=[prices], budgets=USD)
    for content in ("{", '{"format":1,"models":[{"name":"m"}]}', "", "[]", '{"format":2}'):
        (tmp_path / "own.json").write_text(content)
        answer = purser.reload()
        assert answer.status_code >= 400, (content, answer.text)
        answer = purser.chat(model="m", max_tokens=20, fake="prompt=5,output=7")
        assert purser.booked(answer)["cost_nano_usd"] == 12 * 2000
