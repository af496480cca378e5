"""Images, sound and moderations through purser: what is held, what is booked beside the provider's
bill, which bytes go on, and what is refused."""

import base64
import json
import struct

import pytest

from harness import (KEY, Purser, Upstream, error_of, plain_answer, upstream_of, usd,
                     wait_until)

BUDGET = [{"name": "daily", "scope": "global", "window": "day", "usd": 10}]
MODELS = [
    {"name": "flat-voice", "input": 0, "output": 0, "hold_usd": 0.05},
    {"name": "painter", "input": 0, "output": 0, "image": 0.03},
]
IMAGES, EDITS = "/v1/images/generations", "/v1/images/edits"
SPEECH, HEARD, ABROAD = "/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations"
MILLI = 1000000 # nano-dollars


def wav(seconds, rate=8000, extra=b""):
    data = b"\0\0" * rate * seconds
    return (b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " +
            struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16) + b"data" +
            struct.pack("<I", len(data)) + data + extra)


MP3 = b"\xff\xfb\x90\x00" + b"x" * 49996  # the head of a frame


def ogg(head, packet, packets):
    def page(flags, packet, packets):
        return (b"OggS\0" + struct.pack("<BQIIIB", flags, 0, 7, 0, 0, packets) +
                bytes([len(packet)]) * packets + packet * packets)
    return page(2, head, 1) + page(4, packet, packets)


def headers_of(fake):
    return {"Authorization": f"Bearer {KEY}", **({"x-fake": fake} if fake else {})}


def post(purser, path, fake=None, **body):
    return purser.client.post(path, headers=headers_of(fake), json=body)


def send(purser, path, file, fake=None, name="file", **fields):
    return purser.client.post(path, headers=headers_of(fake), data=fields,
                              files={name: ("speech.wav", file)})


def hold_of(purser, answer):
    return purser.lines_of(answer)[0]["hold_nano_usd"]


@pytest.fixture(scope="module")
def purser(shared_provider):
    with Purser(shared_provider, budgets=BUDGET, models=MODELS) as running:
        yield running


# ---- moderations ----

def test_a_moderation_costs_nothing_but_needs_a_key(purser, books):
    answer = post(purser, "/v1/moderations", input="hello")
    assert answer.status_code == 200, answer.text
    assert answer.json()["results"][0]["flagged"] is False
    assert usd(answer.headers["x-purser-cost-usd"]) == 0
    line = purser.booked(answer)
    assert (line["endpoint"], line["cost_nano_usd"]) == ("moderations", 0)
    assert purser.client.post("/v1/moderations", json={"input": "x"},
                              headers={"Authorization": "Bearer nobody"}).status_code == 401


# ---- images ----

@pytest.mark.parametrize("body, milli", [
    ({}, 40), ({"quality": "hd"}, 80), ({"size": "1024x1792"}, 80), ({"size": "1792x1024"}, 80),
    ({"quality": "hd", "size": "1792x1024"}, 120), ({"quality": "standard", "n": 1}, 40)])
def test_an_image_costs_by_its_size_and_quality(purser, books, body, milli):
    answer = post(purser, IMAGES, model="dall-e-3", prompt="a cat", **body)
    assert answer.status_code == 200, answer.text
    assert usd(answer.headers["x-purser-cost-usd"]) == milli * MILLI
    assert answer.headers["x-purser-model"] == "dall-e-3"
    line = purser.booked(answer)
    assert (line["usage_source"], line["model"]) == ("counted", "dall-e-3")
    assert hold_of(purser, answer) == milli * MILLI


@pytest.mark.parametrize("size, micro", [("256x256", 16000), ("512x512", 18000), (None, 20000)])
def test_several_images_cost_as_many(purser, books, size, micro):
    answer = post(purser, IMAGES, model="dall-e-2", prompt="a cat", n=3,
                  **({"size": size} if size else {}))
    assert len(answer.json()["data"]) == 3
    assert usd(answer.headers["x-purser-cost-usd"]) == 3 * micro * 1000


def test_a_size_that_nobody_knows_is_held_at_the_dearest(purser):
    answer = post(purser, IMAGES, model="dall-e-3", prompt="a cat", size="9x9")
    assert hold_of(purser, answer) == 120 * MILLI


@pytest.mark.parametrize("body", [{"quality": "low"}, {"quality": "high", "size": "1024x1536"},
                                  {"n": 2}])
def test_images_of_tokens_are_booked_by_their_usage(purser, books, body):
    answer = post(purser, IMAGES, model="gpt-image-1", prompt="a cat in the sun", **body)
    assert answer.status_code == 200, answer.text
    line = purser.booked(answer)
    usage = answer.json()["usage"]
    assert line["usage_source"] == "reported"
    assert line["completion_tokens"] == usage["output_tokens"]
    assert hold_of(purser, answer) >= 6540 * 40000 * body.get("n", 1)


def test_large_images_are_relayed_and_booked_by_their_usage(purser, books):
    answer = post(purser, IMAGES, "bytes=2000000", model="gpt-image-1", prompt="a cat")
    assert len(base64.b64decode(answer.json()["data"][0]["b64_json"])) >= 2000000
    assert purser.booked(answer)["usage_source"] == "reported"


def test_streamed_images_are_booked_by_their_last_event(purser, books):
    answer = post(purser, IMAGES, "bytes=200000", model="gpt-image-1", prompt="a cat", stream=True,
                  partial_images=2)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("event: ") == 3
    line = purser.booked(answer)
    assert line["usage_source"] == "reported" and line["completion_tokens"] == 1056 + 200


def test_edits_are_forms_that_pass_unchanged(purser, books, shared_provider):
    request = purser.client.build_request(
        "POST", EDITS, headers=headers_of(None),
        data={"model": "gpt-image-1", "prompt": "more hats", "quality": "low"},
        files=[("image[]", ("a.png", b"\x89PNG\r\n\x1a\n" * 50)), ("image[]", ("b.png", b"x"))])
    request.read()
    answer = purser.client.send(request)
    assert answer.status_code == 200, answer.text
    sent = shared_provider.newest()
    assert sent.body == request.content
    assert sent.headers["content-type"] == request.headers["content-type"]
    line = purser.booked(answer)
    assert line["prompt_tokens"] == 2 * 323 + 3 and line["usage_source"] == "reported"
    assert line["endpoint"] == "images.edits"


# ---- speech ----

def test_speech_is_bytes_and_costs_by_the_character(purser, books):
    answer = post(purser, SPEECH, "bytes=5000", model="tts-1", input="Grüße, 世界!", voice="alloy")
    assert answer.status_code == 200, answer.text
    assert (answer.headers["content-type"], len(answer.content)) == ("audio/mpeg", 5000)
    assert answer.content[:8] == bytes([0xFF, 0xFB, 0x90, 0, 0x0D, 0x0A, 0, 0x80])
    line = purser.booked(answer)
    assert line["cost_nano_usd"] == 10 * 15000 and line["usage_source"] == "counted"
    assert hold_of(purser, answer) == 10 * 15000


def test_long_speech_is_relayed(purser, books):
    answer = post(purser, SPEECH, "bytes=3000000", model="tts-1-hd", input="x" * 100, voice="alloy")
    assert len(answer.content) == 3000000
    assert purser.booked(answer)["cost_nano_usd"] == 100 * 30000


def test_speech_by_tokens_needs_a_flat_price(purser, books):
    answer = post(purser, SPEECH, model="gpt-4o-mini-tts", input="hello", voice="alloy")
    error = error_of(answer, 400, "unbounded_tool")
    assert "hold_usd" in error["message"]


def test_a_flat_price_is_held_and_booked_whatever_happens(purser, shared_provider):
    answer = post(purser, SPEECH, "bytes=100", model="flat-voice", input="hello", voice="alloy")
    assert answer.status_code == 200, answer.text
    assert purser.booked(answer)["cost_nano_usd"] == 50 * MILLI
    assert hold_of(purser, answer) == 50 * MILLI
    answer = send(purser, HEARD, wav(2), model="flat-voice")
    assert purser.booked(answer)["cost_nano_usd"] == 50 * MILLI


def test_an_operators_own_price_by_the_image(purser):
    answer = post(purser, IMAGES, model="painter", prompt="a cat", n=4, size="77x77")
    assert purser.booked(answer)["cost_nano_usd"] == 4 * 30 * MILLI


# ---- transcriptions ----

def test_sound_costs_by_the_second(purser, books):
    answer = send(purser, HEARD, wav(3), model="whisper-1")
    assert answer.status_code == 200, answer.text
    line = purser.booked(answer)
    assert line["cost_nano_usd"] == 3 * 100000 and line["usage_source"] == "reported"
    assert hold_of(purser, answer) == 3 * 100000
    assert line["endpoint"] == "audio.transcriptions"


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_subtitles_name_no_usage_but_a_wave_tells_its_length(purser, books, form):
    answer = send(purser, HEARD, wav(5), model="whisper-1", response_format=form)
    assert answer.headers["content-type"].startswith("text/plain")
    assert len(answer.text.split()) == 16
    line = purser.booked(answer)
    assert (line["cost_nano_usd"], line["usage_source"]) == (5 * 100000, "counted")


def test_compressed_sound_is_held_by_its_bytes_and_booked_by_its_usage(purser, books):
    answer = send(purser, HEARD, MP3, model="whisper-1")
    assert hold_of(purser, answer) == 100 * 100000
    assert purser.booked(answer)["cost_nano_usd"] == 4 * 100000


def test_without_usage_the_hold_of_compressed_sound_is_booked(purser):
    answer = send(purser, ABROAD, MP3, model="whisper-1")
    line = purser.booked(answer)
    assert (line["cost_nano_usd"], line["usage_source"]) == (100 * 100000, "bound")
    assert line["endpoint"] == "audio.translations"


def test_silence_that_takes_no_room_is_held_by_its_packets(purser):
    # 200 packets of a byte and 60 ms each: of so few bytes there would be a second
    file = ogg(b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0", b"\x18", 200)
    assert len(file) < 500
    assert hold_of(purser, send(purser, HEARD, file, model="whisper-1")) == 13 * 100000


@pytest.mark.parametrize("file", [
    b"fLaC" + b"x" * 100,
    b"ID3\x04\0\0\0\0\0\x02__fLaC" + b"x" * 100,
    ogg(b"\x7fFLAC\x01\0\0\x01fLaC", b"x", 9),
    b"\0\0\0\x10ftypM4A \0\0\0\0" + b"x" * 100,
    b"what is that?",
])
def test_sound_that_its_file_does_not_bound_needs_a_flat_price(purser, file):
    error = error_of(send(purser, HEARD, file, model="whisper-1"), 400, "unbounded_tool")
    assert error["param"] == "file" and "hold_usd" in error["message"]


@pytest.mark.parametrize("more", [{}, {"stream": "true"}])
def test_sound_by_tokens_is_booked_by_its_usage(purser, books, more):
    answer = send(purser, HEARD, wav(3), "prompt=4,output=9", model="gpt-4o-transcribe", **more)
    assert answer.status_code == 200, answer.text
    line = purser.booked(answer)
    assert line["usage_source"] == "reported"
    assert line["cost_nano_usd"] == 4 * 2500 + 30 * 6000 + 9 * 10000
    assert hold_of(purser, answer) == 16000 * 6000 + 2000 * 10000


def test_sound_that_is_not_told_from_text_is_booked_as_sound(shared_provider):
    def answer(connection, head, body):
        connection.sendall(plain_answer(json.dumps(
            {"text": "x", "usage": {"input_tokens": 100, "output_tokens": 1}})))
    with Upstream(answer) as upstream, Purser(upstream, budgets=BUDGET) as running:
        line = running.booked(send(running, HEARD, wav(1), model="gpt-4o-transcribe"))
        assert line["cost_nano_usd"] == 100 * 6000 + 10000


@pytest.mark.parametrize("path, body", [
    ("/v1/chat/completions", {"model": "dall-e-3", "messages": [{"role": "user", "content": "x"}]}),
    ("/v1/embeddings", {"model": "whisper-1", "input": "x"}),
    (IMAGES, {"model": "tts-1", "prompt": "x"}),
    (SPEECH, {"model": "whisper-1", "input": "x", "voice": "alloy"})])
def test_a_model_that_is_priced_by_what_a_call_has_not_is_refused(purser, books, path, body):
    assert error_of(post(purser, path, **body), 400, "unbounded_tool")["param"] == "model"


def test_sizes_are_not_listed_as_models(purser):
    names = [model["id"] for model in purser.client.get("/v1/models").json()["data"]]
    assert "dall-e-3" in names and not any("-x-" in name for name in names)


# ---- ends ----

def test_an_error_costs_nothing(purser, books):
    for answer in (post(purser, IMAGES, "status=400", model="dall-e-3", prompt="x"),
                   send(purser, HEARD, wav(1), "status=429", model="whisper-1"),
                   post(purser, SPEECH, "status=500", model="tts-1", input="x", voice="alloy")):
        assert answer.status_code in (400, 429, 500)
        assert purser.booked(answer)["cost_nano_usd"] == 0


def test_an_answer_that_is_lost_is_booked_all_the_same(purser, books):
    answer = post(purser, IMAGES, "no_answer=1", model="dall-e-3", prompt="x")
    error_of(answer, 502, "upstream_no_answer")
    assert purser.booked(answer)["cost_nano_usd"] == 40 * MILLI


def test_a_client_that_leaves_pays_for_what_was_made(purser, books, shared_provider):
    import httpx
    with pytest.raises(httpx.TimeoutException):
        purser.client.post(IMAGES, headers=headers_of("delay_ms=300"), timeout=0.1,
                           json={"model": "gpt-image-1", "prompt": "x", "quality": "low"})
    purser.idle()
    call = shared_provider.bill()["calls"][-1]
    assert (call["state"], call["completion_tokens"]) == ("done", 272)


def test_the_budget_refuses_what_does_not_fit(shared_provider):
    small = [{"name": "daily", "scope": "global", "window": "day", "usd": 0.1}]
    with Purser(shared_provider, budgets=small) as running:
        answer = post(running, IMAGES, model="dall-e-3", prompt="x", quality="hd",
                      size="1024x1792")
        error_of(answer, 400, "request_cost_exceeds_limit")
        assert post(running, IMAGES, model="dall-e-3", prompt="x").status_code == 200
        assert post(running, IMAGES, model="dall-e-3", prompt="x").status_code == 200
        error_of(post(running, IMAGES, model="dall-e-3", prompt="x"), 429, "budget_exceeded")
        error_of(post(running, IMAGES, model="nobodys", prompt="x"), 400, "model_not_priced")


def test_another_name_is_written_into_json_and_forms(shared_provider):
    upstream = upstream_of(shared_provider, aliases={"ears": "whisper-1", "brush": "dall-e-3",
                                                     "judge": "omni-moderation-latest"},
                           models=["ears", "brush", "judge"])
    with Purser(budgets=BUDGET, upstreams=[upstream]) as running:
        assert send(running, HEARD, wav(1), model="ears").status_code == 200
        body = shared_provider.newest().body
        assert b'name="model"\r\n\r\nwhisper-1\r\n' in body and b"ears" not in body
        answer = post(running, IMAGES, model="brush", prompt="x", quality="hd")
        assert usd(answer.headers["x-purser-cost-usd"]) == 80 * MILLI
        assert shared_provider.newest().json()["model"] == "dall-e-3"
        assert post(running, "/v1/moderations", model="judge", input="x").status_code == 200
        assert shared_provider.newest().json()["model"] == "omni-moderation-latest"


# ---- bad input ----

def raw(purser, path, body, content_type):
    return purser.client.post(path, content=body, headers={
        **headers_of(None), "Content-Type": content_type})


PART = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
FILE = PART % (b"file", b'; filename="a.wav"', b"RIFF")
MODEL = PART % (b"model", b"", b"whisper-1")
END = b"--b--\r\n"
BAD_FORMS = [
    (FILE + MODEL, "invalid_form"),
    (b"x" + FILE + MODEL + END, "invalid_form"),
    (FILE + MODEL + END + b"more", "invalid_form"),
    (FILE + MODEL.replace(b"\r\n", b"\n") + END, "invalid_form"),
    (FILE + PART % (b"model", b"", b"tts-1\n--b\r\nx") + END, "invalid_form"),
    (FILE + b'--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n' + END, "invalid_form"),
    (FILE + PART % (b"model", b'; name="n"', b"whisper-1") + END, "invalid_form"),
    (FILE + MODEL.replace(b"form-data;", b"form-data;\r\n") + END, "invalid_form"),
    (FILE + MODEL.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n") + END,
     "invalid_form"),
    (FILE + MODEL + MODEL + END, "duplicate_member"),
    (FILE + FILE + MODEL + END, "duplicate_member"),
    (FILE + MODEL.replace(b"model", b"Model") + END, "misspelt_member"),
    (FILE + MODEL.replace(b'"model"', b'"model[]"') + END, "misspelt_member"),
    (FILE + END, "missing_member"),
    (MODEL + END, "missing_member"),
    (FILE + PART % (b"model", b"", b"") + END, "invalid_value"),
    (FILE + PART % (b"model", b"", b"\xff") + END, "invalid_value"),
    (FILE + PART % (b"model", b'; filename="m"', b"whisper-1") + END, "invalid_type"),
    (FILE + MODEL + PART % (b"stream", b"", b"maybe") + END, "invalid_type"),
    (FILE + MODEL + PART % (b"prompt", b"", b"p" * 70000) + END, "invalid_value"),
]


def test_forms_that_may_be_read_in_two_ways_are_refused(purser, books):
    for body, code in BAD_FORMS:
        error_of(raw(purser, HEARD, body, "multipart/form-data; boundary=b"), 400, code)


def test_a_good_form_of_that_kind_passes(purser, books):
    body = MODEL + PART % (b"file", b'; filename="a.wav"', wav(1)) + END
    assert raw(purser, HEARD, body, "multipart/form-data; boundary=b").status_code == 200


def test_another_content_type_is_refused(purser, books):
    for kind in ("application/json", "multipart/form-data", "text/plain",
                 "multipart/mixed; boundary=b", "multipart/form-data; boundary=" + "b" * 71,
                 "multipart/form-data; boundary=b; boundary=c"):
        answer = raw(purser, HEARD, FILE + MODEL + END, kind)
        assert answer.status_code == 400 and answer.headers["x-purser-error"] in (
            "invalid_content_type", "invalid_form")


BAD_BODIES = [
    (IMAGES, {"model": "dall-e-3"}, "missing_member"),
    (IMAGES, {"model": "dall-e-3", "prompt": 1}, "invalid_type"),
    (IMAGES, {"model": "dall-e-3", "prompt": "x", "n": 0}, "invalid_value"),
    (IMAGES, {"model": "dall-e-3", "prompt": "x", "n": 10**6}, "invalid_value"),
    (IMAGES, {"model": "dall-e-3", "prompt": "x", "N": 4}, "misspelt_member"),
    (IMAGES, {"model": "dall-e-3", "prompt": "x", "num_images": 4}, "unbounded_tool"),
    (IMAGES, {"model": "gpt-image-1", "prompt": "x", "partial_images": 9}, "invalid_value"),
    (SPEECH, {"model": "tts-1"}, "missing_member"),
    (SPEECH, {"model": "tts-1", "input": ["x"]}, "invalid_type"),
    (SPEECH, {"input": "x"}, "missing_member"),
    ("/v1/moderations", {"model": "m"}, "missing_member"),
]


def test_bad_bodies_are_refused(purser, books):
    for path, body, code in BAD_BODIES:
        error_of(post(purser, path, **body), 400, code)


def test_a_member_twice_is_refused(purser, books):
    body = b'{"model":"dall-e-3","prompt":"x","n":1,"n":10}'
    error_of(raw(purser, IMAGES, body, "application/json"), 400, "duplicate_member")


def test_a_web_page_cannot_send_a_form(purser, books):
    answer = purser.client.post(HEARD, headers={**headers_of(None), "Origin": "https://evil.example"},
                                data={"model": "whisper-1"}, files={"file": ("a", wav(1))})
    assert answer.status_code == 403


def test_other_paths_of_their_kind_stay_unknown(purser):
    for path in ("/v1/images/variations", "/v1/audio/voices", "/v1/audio"):
        error_of(post(purser, path, model="dall-e-2"), 404, "unknown_path")


def test_the_books_show_nothing_held_in_the_end(purser):
    wait_until(lambda: not purser.open_holds(), 10, "all holds to be settled")
