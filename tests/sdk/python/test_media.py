"""The openai package for Python through purser: images, sound, moderations."""

import io

import openai
import pytest

from harness import KEY, usd


@pytest.fixture
def client(purser):
    with openai.OpenAI(api_key=KEY, base_url=purser.base + "/v1", timeout=30) as made:
        yield made


def wishes(**fake):
    return {"x-fake": ",".join(f"{name}={value}" for name, value in fake.items())}


def sound():
    file = io.BytesIO(b"\xff\xfb\x90\x00" + b"x" * 1000)
    file.name = "a.mp3"
    return file


def test_an_image_is_made(client):
    raw = client.images.with_raw_response.generate(model="dall-e-3", prompt="a cat",
                                                   size="1024x1792")
    assert len(raw.parse().data) == 1
    assert usd(raw.headers["x-purser-cost-usd"]) == 80000000


def test_images_are_streamed(client):
    stream = client.images.generate(model="gpt-image-1", prompt="a cat", stream=True,
                                    partial_images=2)
    events = list(stream)
    assert [event.type for event in events] == [
        *["image_generation.partial_image"] * 2, "image_generation.completed"]
    assert events[-1].usage.output_tokens == 1056 + 200


def test_images_are_edited(client):
    image = ("a.png", b"\x89PNG", "image/png")
    edited = client.images.edit(model="gpt-image-1", prompt="a hat", quality="low",
                                image=[image, image], mask=image)
    assert edited.usage.output_tokens == 272


def test_a_text_is_spoken(client):
    spoken = client.audio.speech.create(model="tts-1", voice="alloy", input="hello",
                                        extra_headers=wishes(bytes=777))
    assert len(spoken.read()) == 777
    with client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input="hello",
            extra_headers=wishes(bytes=2000000)) as stream:
        assert sum(len(piece) for piece in stream.iter_bytes()) == 2000000


def test_sound_is_transcribed(client):
    raw = client.audio.transcriptions.with_raw_response.create(
        model="whisper-1", file=sound(), extra_headers=wishes(seconds=2))
    assert len(raw.parse().text.split()) == 16
    assert usd(raw.headers["x-purser-cost-usd"]) == 200000
    text = client.audio.transcriptions.create(model="whisper-1", file=sound(),
                                              response_format="srt")
    assert len(text.split()) == 16
    words = client.audio.transcriptions.create(
        model="whisper-1", file=sound(), response_format="verbose_json",
        timestamp_granularities=["word", "segment"])
    assert words.duration >= 1


def test_a_transcription_is_streamed(client):
    stream = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound(),
                                                stream=True, extra_headers=wishes(output=3))
    assert [event.type for event in stream] == [*["transcript.text.delta"] * 3,
                                                "transcript.text.done"]


def test_sound_is_translated(client):
    assert client.audio.translations.create(model="whisper-1", file=sound()).text


def test_a_text_is_moderated(client):
    raw = client.moderations.with_raw_response.create(input="hello")
    assert raw.parse().results[0].flagged is False
    assert usd(raw.headers["x-purser-cost-usd"]) == 0


def test_what_nobody_can_bound_is_refused(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="hello")
    assert "hold_usd" in refused.value.message
