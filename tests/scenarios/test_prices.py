"""Prices: both file formats, dates, snapshots, `unpriced`, `purser prices`, bad files."""

import datetime
import json
import pathlib
import subprocess

import pytest

from harness import OUT, error_of

SAMPLE = pathlib.Path(__file__).parents[1] / "unit/money/model_prices_sample.json"
USD = [{"name": "all", "scope": "global", "window": "total", "usd": 1000}]
NOW = datetime.datetime.now(datetime.timezone.utc).date()


def day(offset):
    return (NOW + datetime.timedelta(days=offset)).isoformat()


def record(name, price, **more):
    return {"provider": "openai", "name": name, "kind": "chat", "reasoning": False,
            "max_input": 100000, "max_output": 1000,
            "tiers": [{"input": price, "output": price}], **more}


def price_file(folder, *records, name="own.json"):
    path = folder / name
    path.write_text(json.dumps({"format": 1, "models": records}))
    return str(path)


def run(*arguments):
    done = subprocess.run([OUT / "purser", *map(str, arguments)], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout, done.stderr


def config_file(folder, **options):
    path = folder / "purser.yaml"
    path.write_text(json.dumps({
        "keys": [{"id": "a", "key": "sk-test-0123456789abcdef"}],
        "upstreams": [{"name": "o", "base_url": "https://api.openai.com/v1", "api_key": "k"}],
        "budgets": USD, **options}))
    return path


def cost_of(purser, answer):
    """What was booked, and the tokens it was for."""
    line = purser.booked(answer)
    return line["cost_nano_usd"], line["prompt_tokens"], line["completion_tokens"]


# ---- the other format ----

def test_the_other_format_prices_calls_unchanged(start):
    purser = start(prices=[str(SAMPLE)], budgets=USD)
    answer = purser.chat(model="acme-small", max_tokens=20)
    assert answer.status_code == 200, answer.text
    cost, prompt, completion = cost_of(purser, answer)
    assert cost == prompt * 150 + completion * 600 and completion > 0
    error_of(purser.chat(model="acme-hours", max_tokens=20), 400, "model_not_priced")
    assert "3 of 11 models are left out" in purser.log()


def test_names_with_the_providers_prefix_are_priced(start):
    purser = start(prices=[str(SAMPLE)], budgets=USD)
    answer = purser.chat(model="openai/acme-small", max_tokens=20)
    assert answer.status_code == 200, answer.text
    assert purser.booked(answer)["model"] == "acme-small"


def test_a_later_file_wins_over_an_earlier_of_another_format(tmp_path):
    own = price_file(tmp_path, record("acme-small", 7))
    config = config_file(tmp_path, prices=[str(SAMPLE), own])
    status, out, _ = run("prices", "acme-small", "--config", config, "--json")
    shown = json.loads(out)["data"][0]
    assert status == 0 and shown["file"] == own and shown["tiers"][0]["input"] == 7
    status, out, _ = run("prices", "acme-small", "--config",
                         config_file(tmp_path, prices=[own, str(SAMPLE)]), "--json")
    assert json.loads(out)["data"][0]["file"] == str(SAMPLE)


# ---- dates ----

def test_the_price_in_force_today_is_booked(start, tmp_path):
    prices = price_file(tmp_path, record("m", 1, until=day(-10)),
                        record("m", 2, **{"from": day(-10), "until": day(10)}),
                        record("m", 3, **{"from": day(10)}))
    purser = start(prices=[prices], budgets=USD)
    cost, prompt, completion = cost_of(purser, purser.chat(model="m", max_tokens=20))
    assert cost == (prompt + completion) * 2000


@pytest.mark.parametrize("offset,price", [(-20, 1), (0, 2), (20, 3)])
def test_a_date_may_be_asked_for(tmp_path, offset, price):
    prices = price_file(tmp_path, record("m", 1, until=day(-10)),
                        record("m", 2, **{"from": day(-10), "until": day(10)}),
                        record("m", 3, **{"from": day(10)}))
    status, out, _ = run("prices", "m", "--config", config_file(tmp_path, prices=[prices]),
                         "--date", day(offset), "--json")
    assert status == 0 and json.loads(out)["data"][0]["tiers"][0]["input"] == price


def test_a_price_that_is_not_in_force_any_more_is_none(start, tmp_path):
    purser = start(prices=[price_file(tmp_path, record("m", 1, until=day(-1)))], budgets=USD)
    error_of(purser.chat(model="m", max_tokens=20), 400, "model_not_priced")


# ---- snapshots ----

@pytest.mark.parametrize("suffix", ["-2031-01-01", "-20310101", "-0101"])
def test_a_dated_snapshot_is_priced_as_its_family(start, suffix):
    purser = start(budgets=USD)
    for _ in range(3):
        answer = purser.chat(model="gpt-4o-mini" + suffix, max_tokens=20)
        assert answer.status_code == 200, answer.text
    cost, prompt, completion = cost_of(purser, answer)
    assert cost == prompt * 150 + completion * 600
    assert purser.booked(answer)["model"] == "gpt-4o-mini"
    assert purser.log().count("has no price of its own") == 1


@pytest.mark.parametrize("suffix", ["-preview", "-2031-13-01", "-9999", "-2031-01-01-x", "-v2"])
def test_other_suffixes_inherit_nothing(start, suffix):
    purser = start(budgets=USD)
    error_of(purser.chat(model="gpt-4o-mini" + suffix, max_tokens=20), 400, "model_not_priced")


def test_a_snapshot_with_a_record_of_its_own_has_its_own_price(start, tmp_path):
    prices = price_file(tmp_path, record("m", 1), record("m-2031-01-01", 9))
    purser = start(prices=[prices], budgets=USD,
                   models=[{"name": "m", "input": 5, "output": 5}])
    cost, prompt, completion = cost_of(purser, purser.chat(model="m-2031-01-01", max_tokens=9))
    assert cost == (prompt + completion) * 9000
    cost, prompt, completion = cost_of(purser, purser.chat(model="m-2031-01-02", max_tokens=9))
    assert cost == (prompt + completion) * 5000


# ---- unpriced ----

def test_a_model_without_a_price_is_refused_by_default(start):
    purser = start(budgets=USD)
    error_of(purser.chat(model="nobody-knows", max_tokens=20), 400, "model_not_priced")


def test_unpriced_allow_books_nothing_and_warns_at_the_start(start):
    purser = start(budgets=USD, unpriced="allow")
    answer = purser.chat(model="nobody-knows", max_tokens=20)
    assert answer.status_code == 200, answer.text
    line = purser.booked(answer)
    assert line["cost_nano_usd"] == 0 and line["completion_tokens"] > 0
    assert line["model"] == "nobody-knows"
    assert "A MODEL WITHOUT A PRICE IS TAKEN FOR FREE" in purser.log()
    answer = purser.chat(max_tokens=20)
    assert purser.booked(answer)["cost_nano_usd"] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_unpriced_may_name_a_model_to_price_by(start, stream):
    purser = start(budgets=USD, unpriced="gpt-4o")
    if stream:
        with purser.stream(model="nobody-knows", max_tokens=20) as answer:
            answer.read()
    else:
        answer = purser.chat(model="nobody-knows", max_tokens=20)
    assert answer.status_code == 200, answer.text
    cost, prompt, completion = cost_of(purser, answer)
    assert cost == prompt * 2500 + completion * 10000
    assert purser.booked(answer)["model"] == "nobody-knows"
    assert {row["id"] for row in purser.client.get("/v1/models").json()["data"]}.isdisjoint(
        {"(unpriced)", "nobody-knows"})


def test_the_limits_of_a_stand_in_bound_nothing(start, tmp_path):
    """The unknown model may take more than the one whose price it gets: its bytes are held."""
    small = {**record("small", 1000), "max_input": 5, "max_output": 5}
    purser = start(prices=[price_file(tmp_path, small)], unpriced="small",
                   budgets=[{**USD[0], "usd": 0.1}])
    error_of(purser.chat("x" * 200, model="nobody-knows", max_tokens=64), 400,
             "request_cost_exceeds_limit")


def test_unpriced_must_name_a_model_with_a_price(tmp_path):
    status, _, told = run("check", config_file(tmp_path, unpriced="nobody-knows"))
    assert status == 1 and 'the model "nobody-knows" has no price itself' in told
    assert run("check", config_file(tmp_path, unpriced="gpt-4o"))[0] == 0
    status, _, told = run("check", config_file(tmp_path, unpriced="allow"))
    assert status == 0 and "TAKEN FOR FREE" in told


# ---- purser prices ----

def test_prices_shows_record_file_and_cost():
    status, out, told = run("prices", "gpt-4o-mini", "--input", 2000, "--output", 1000)
    assert status == 0 and told == ""
    assert "file           config/prices.json, built in\n" in out
    assert "$0.0009 for 2000 tokens in and 1000 out\n" in out
    assert "openai" in out and "azure" in out


@pytest.mark.parametrize("model,most,cost", [
    ("claude-sonnet-4", 200000, (0.615, 1.222506)),
    ("claude-sonnet-4-20250514", 200000, (0.615, 1.222506)),
    ("claude-sonnet-4-5", 200000, (0.615, 1.222506)),
    ("gemini-2.5-pro", 200000, (0.26, 0.5150025)),
    ("grok-4", 128000, (0.399, 0.798006)),
    ("gpt-5.4", 271999, (0.6949975, 1.3825)),
    ("gpt-4.1", 1000000, (2.008, 2.008002)),  # one price for all
])
def test_a_large_input_costs_more_where_the_provider_says_so(model, most, cost):
    for tokens, expected in zip((most, most + 1), cost):
        _, out, _ = run("prices", model, "--input", tokens, "--output", 1000, "--json")
        assert f'"cost_usd":{expected}}}' in out, out


def test_prices_follows_aliases_and_own_models(tmp_path):
    config = config_file(
        tmp_path, models=[{"name": "mine", "upstream": "o", "input": 1.5, "output": 2}],
        upstreams=[{"name": "o", "base_url": "https://api.openai.com/v1", "api_key": "k",
                    "models": ["mine"], "aliases": {"fast": "gpt-4o-mini"}}])
    status, out, _ = run("prices", "fast", "--config", config)
    assert status == 0 and "sent as        gpt-4o-mini\n" in out
    status, out, _ = run("prices", "mine", "--config", config, "--json")
    shown = json.loads(out)["data"][0]
    assert shown["file"].startswith(f"{config}:") and shown["cost_usd"] == 0.0025
    status, out, told = run("prices", "gpt-4o", "--config", config)
    assert status == 1 and out == "" and "'gpt-4o' has no price, or no upstream serves it" in told


def test_prices_says_what_unpriced_stands_for(tmp_path):
    status, out, _ = run("prices", "nobody-knows", "--config",
                         config_file(tmp_path, unpriced="gpt-4o-mini"))
    assert status == 0 and "what `unpriced` says" in out and "$0.00045" in out


def test_prices_lists_everything_aligned():
    status, out, _ = run("prices")
    lines = out.splitlines()
    assert status == 0 and len(lines) > 1000
    assert len({len(line) for line in lines[:-1]}) == 1
    status, out, _ = run("prices", "--json")
    assert len(json.loads(out)["data"]) == len(lines) - 2


def test_prices_of_an_unpriced_model_end_with_1():
    status, out, told = run("prices", "nobody-knows")
    assert (status, out) == (1, "") and "'nobody-knows' has no price" in told
    status, out, _ = run("prices", "nobody-knows", "--json")
    assert status == 1 and json.loads(out)["data"] == []


@pytest.mark.parametrize("arguments", [["a", "b"], ["--input"], ["--input", "-1"], ["--what", "x"],
                                       ["--output", "1e9"], ["--date", "soon"]])
def test_prices_explains_itself(arguments):
    status, out, told = run("prices", *arguments)
    assert (status, out) == (2, "") and told.startswith("usage: purser prices")


# ---- bad files ----

def circle(a, b):
    return [record("a", 1, aliases=[b]), record("b", 1, aliases=[a])]


@pytest.mark.parametrize("records,says", [
    (circle("a", "b"), 'record 2 (b): "b" is a name of a already'),
    ([record("a", 1, aliases=["a"])], "record 1 (a): is an alias of itself"),
    ([record("a", 1), record("a", 1)], "record 2 (a): stands twice for the same time"),
    ([record("a", -1)], '"input" is not a price'),
    ([record("a", 1000001)], '"input" is not a price'),
    ([record("a", 1, until="2020-13-01")], '"from" and "until" are days'),
])
def test_a_bad_file_is_refused_with_file_and_record(tmp_path, records, says):
    path = price_file(tmp_path, *records)
    status, _, told = run("check", config_file(tmp_path, prices=[path]))
    assert status == 1 and says in told and path in told


@pytest.mark.parametrize("content,says", [
    (b"[" * 100000, "nested too deep"),
    (b'{"a":{"litellm_provider":"x","mode":"chat","input_cost_per_token":-1}}', 'record "a"'),
    (b'{"a":{"litellm_provider":"x"},"a":{"litellm_provider":"x"}}', 'record "a": stands twice'),
    (b"not json", "not JSON"),
    (b" " * (64 * 1024 * 1024 + 1), "larger than 67108864 bytes"),
    (b"", "not JSON"),
], ids=["deep", "negative", "twice", "text", "huge", "empty"])
def test_a_file_that_is_no_price_file_is_refused(tmp_path, content, says):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    config = config_file(tmp_path, prices=[str(path)])
    for command in (["check", config], ["prices", "--config", config]):
        status, _, told = run(*command)
        assert status == 1 and says in told and str(path) in told, told
