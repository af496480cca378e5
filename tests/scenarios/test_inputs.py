"""Inputs are counted where their bytes would not fit: texts exactly, images by their size."""

import base64
import struct

import pytest

from harness import NANO, error_of, upstream_of
from purses import HELLO, INPUT, OUTPUT, amount, budget

# What is counted of these, and what the fake bills (words and 3), is below what bytes bound.
WORDS = "word " * 4000
COUNTED = 3 + 3 + 1 + 4001 + 1  # "word", 3,999 times " word", " " and [fake] has none


def png(width, height):
    """The begin of a picture, which is all that is looked at, and some bytes of data."""
    data = (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06" +
            bytes(6000))
    return "data:image/png;base64," + base64.b64encode(data).decode()


def picture(url, **more):
    return {"type": "image_url", "image_url": {"url": url, **more}}


@pytest.fixture
def tight(shared_provider, start):
    def begin(nano, **more):
        return start(shared_provider, budgets=[budget(usd=amount(nano))], **more)
    return begin


def hold_of(purser, answer):
    return purser.lines_of(answer)[0]["hold_nano_usd"]


def test_a_prompt_whose_bytes_do_not_fit_is_admitted_by_its_tokens(tight, shared_provider):
    limit = (COUNTED + 10) * INPUT + 100 * OUTPUT
    purser = tight(limit)
    shared_provider.reset()
    answer = purser.chat(WORDS, max_tokens=100, fake="output=100")
    assert answer.status_code == 200, answer.text
    assert "x-purser-clamped-max-tokens" not in answer.headers
    assert COUNTED * INPUT - 10 * INPUT <= hold_of(purser, answer) - 100 * OUTPUT <= limit
    assert purser.booked(answer)["cost_nano_usd"] == \
        shared_provider.settled_bill(False)["cost_nano_usd"] <= limit


def test_where_there_is_room_nothing_is_counted(tight):
    purser = tight(NANO)
    answer = purser.chat(WORDS, max_tokens=100)
    assert hold_of(purser, answer) > 20000 * INPUT


def test_a_model_without_a_public_tokeniser_is_held_by_its_bytes(shared_provider, start):
    models = [{"name": "my-own", "input": 0.15, "output": 0.6, "context": 90000}]
    purser = start(shared_provider, models=models,
                   budgets=[budget(usd=amount(9000 * INPUT + 100 * OUTPUT))])
    error_of(purser.chat(WORDS, model="my-own", max_tokens=100), 400, "request_cost_exceeds_limit")
    answer = purser.chat(WORDS[:8000], model="my-own", max_tokens=100)
    assert answer.status_code == 200, answer.text
    assert 8000 * INPUT <= hold_of(purser, answer) - 100 * OUTPUT <= 9000 * INPUT


def test_a_model_of_another_provider_is_not_taken_for_openais(shared_provider, start):
    purser = start(shared_provider, upstreams=[{**upstream_of(shared_provider), "provider": "groq"}],
                   models=[{"name": "gpt-4o-mini", "input": 0.15, "output": 0.6, "context": 90000}],
                   budgets=[budget(usd=amount(9000 * INPUT + 100 * OUTPUT))])
    error_of(purser.chat(WORDS, max_tokens=100), 400, "request_cost_exceeds_limit")


def test_embeddings_are_counted_too(shared_provider, start):
    price = 20  # nano-dollars a token of text-embedding-3-small
    purser = start(shared_provider, budgets=[budget(usd=amount(4100 * price))])
    answer = purser.client.post("/v1/embeddings", json={
        "model": "text-embedding-3-small", "input": [WORDS, "hello"]})
    assert answer.status_code == 200, answer.text
    assert 4000 * price <= hold_of(purser, answer) <= 4100 * price


def test_a_token_budget_is_asked_with_counted_tokens(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(tokens=HELLO + 20)])
    answer = purser.chat(max_tokens=20, fake="output=20")
    assert answer.status_code == 200 and "x-purser-clamped-max-tokens" not in answer.headers


def test_tools_are_held_with_a_margin(tight):
    tool = {"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {"a": {"type": "string"}}}}}
    purser = tight(170 * INPUT + 70 * OUTPUT)  # about (25 + 56) x 1.5 and the question
    answer = purser.chat(tools=[tool], max_tokens=100)
    assert answer.status_code == 200, answer.text
    held = hold_of(purser, answer) - int(answer.headers["x-purser-clamped-max-tokens"]) * OUTPUT \
        if "x-purser-clamped-max-tokens" in answer.headers else \
        hold_of(purser, answer) - 100 * OUTPUT
    assert 100 * INPUT < held < 170 * INPUT


def test_the_margin_of_tools_goes_when_usage_confirms_them(shared_provider, start):
    tool = {"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {name: {"type": "string"} for name in "abcdefgh"}}}}
    purser = start(shared_provider, budgets=[budget(usd=10)], workers=1)

    def held():
        answer = purser.chat(tools=[tool], max_tokens=20,
                             headers={"x-purser-max-tokens": "400"})
        assert answer.status_code == 200, answer.text
        return hold_of(purser, answer) - 20 * OUTPUT

    before = held()
    for _ in range(16 * 64):
        assert purser.chat(tools=[tool], max_tokens=20).status_code == 200
    after = held()
    assert 0.6 * before < after < 0.75 * before  # the question itself never had a margin
    assert purser.chat(tools=[tool], max_tokens=20, fake="prompt=5000").status_code == 200
    assert held() == before


# ---- images ----

@pytest.mark.parametrize("width,height,more,tokens", [
    (1024, 1024, {}, 2833 + 4 * 5667),
    (2048, 4096, {"detail": "high"}, 2833 + 6 * 5667),
    (4096, 8192, {"detail": "low"}, 2833),
    (20, 20, {"detail": "auto"}, 2833 + 5667),
])
def test_an_image_is_held_as_its_size_says(tight, width, height, more, tokens):
    limit = (tokens + 20) * INPUT + 64 * OUTPUT
    purser = tight(limit)
    content = [{"type": "text", "text": "what?"}, picture(png(width, height), **more)]
    answer = purser.chat(content, max_tokens=64)
    assert answer.status_code == 200, answer.text
    assert tokens * INPUT < hold_of(purser, answer) - 64 * OUTPUT <= (tokens + 20) * INPUT


@pytest.mark.parametrize("url", ["https://example.org/a.png", "data:image/png;base64,AAAA"])
def test_an_image_of_unknown_size_is_held_at_its_familys_most(tight, url):
    purser = tight(NANO)
    answer = purser.chat([picture(url)], max_tokens=10)
    assert answer.status_code == 200, answer.text
    most = 2833 + 8 * 5667
    assert most <= (hold_of(purser, answer) - 10 * OUTPUT) // INPUT < most + 200


@pytest.mark.parametrize("part", [{"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}},
                                  {"type": "input_audio", "input_audio": {"data": "AAAA"}}])
def test_what_is_neither_text_nor_image_is_held_at_the_models_whole_context(tight, part):
    purser = tight(NANO)
    answer = purser.chat([{"type": "text", "text": "what?"}, part], max_tokens=10)
    assert answer.status_code == 200, answer.text
    assert hold_of(purser, answer) >= 128_000 * INPUT + 10 * OUTPUT


def test_images_for_a_model_of_unknown_family_are_held_at_its_whole_context(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(usd=1)], models=[
        {"name": "my-own", "input": 0.15, "output": 0.6, "context": 9000, "max_output": 500}])
    answer = purser.chat([picture(png(20, 20))], model="my-own", max_tokens=10)
    assert answer.status_code == 200, answer.text
    assert hold_of(purser, answer) == 9000 * INPUT + 10 * OUTPUT


def test_the_hold_of_an_image_is_the_bound_of_the_bill(tight, shared_provider):
    purser = tight(772 * 2500 + 64 * 10000)  # 3 + 3 + role + 765
    shared_provider.reset()
    answer = purser.chat([picture(png(1024, 1024))], model="gpt-4o", max_tokens=64,
                         fake="prompt=772,output=64")
    assert answer.status_code == 200, answer.text
    line = purser.booked(answer)
    assert line["cost_nano_usd"] == shared_provider.settled_bill(False)["cost_nano_usd"]
    assert line["cost_nano_usd"] <= hold_of(purser, answer)


# ---- other dialects ----

def test_responses_are_counted_too(tight):
    limit = (4001 + 8 + 64 + 40) * INPUT + 100 * OUTPUT
    purser = tight(limit)
    answer = purser.client.post("/v1/responses", headers={"x-fake": "output=100"}, json={
        "model": "gpt-4o-mini", "max_output_tokens": 100,
        "input": [{"role": "user", "content": [{"type": "input_text", "text": WORDS}]}]})
    assert answer.status_code == 200, answer.text
    assert 4000 * INPUT < hold_of(purser, answer) - 100 * OUTPUT <= limit


def test_an_image_of_responses_is_held_as_its_size_says(tight):
    tokens = 2833 + 4 * 5667
    purser = tight((tokens + 130) * INPUT + 64 * OUTPUT)
    answer = purser.client.post("/v1/responses", headers={"x-fake": "output=10"}, json={
        "model": "gpt-4o-mini", "max_output_tokens": 64, "input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": png(1024, 1024), "detail": "high"}]}]})
    assert answer.status_code == 200, answer.text
    assert tokens * INPUT < hold_of(purser, answer) - 64 * OUTPUT


# ---- booked without having been told ----

def test_a_stream_that_tells_no_usage_is_booked_with_its_counted_input(tight):
    purser = tight(NANO)
    with purser.stream("hello", max_tokens=50, fake="usage=missing,output=20") as answer:
        answer.read()
    line = purser.booked(answer)
    assert (line["usage_source"], line["prompt_tokens"]) == ("counted", HELLO)


def test_without_a_public_tokeniser_what_was_held_is_booked(shared_provider, start):
    purser = start(shared_provider, budgets=[budget(usd=1)], models=[
        {"name": "my-own", "input": 0.15, "output": 0.6, "context": 9000, "max_output": 500}])
    with purser.stream("hello", model="my-own", max_tokens=50,
                       fake="usage=missing,output=20") as answer:
        answer.read()
    line = purser.booked(answer)
    assert line["usage_source"] == "counted" and line["prompt_tokens"] > 80
