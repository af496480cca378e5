#!/usr/bin/env python3
"""The fake provider makes images and sound, transcribes and moderates as its README says."""

import base64
import json
import struct
import unittest

from dialects_test import kinds
from provider_test import Fake, chunks


def wav(seconds, rate=8000):
    data = b"\0\0" * rate * seconds
    return (b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " +
            struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16) + b"data" +
            struct.pack("<I", len(data)) + data)


def form(fields, files, boundary="X-b1"):
    """Body and headers of a form."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
             for name, value in fields.items()]
    parts += [f'Content-Disposition: form-data; name="{name}"; filename="f"\r\n'
              f'Content-Type: application/octet-stream\r\n\r\n'.encode() + data
              for name, data in files]
    mark = f"--{boundary}".encode()
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


class Media(Fake):
    def post(self, path, **members):
        return self.fake.call("POST", path, json.dumps(members))

    def send(self, path, files, **fields):
        return self.fake.call("POST", path, *form(fields, files))

    def cost(self):
        return self.bill()["cost_nano_usd"]


class Moderations(Media):
    def test_moderates_for_nothing(self):
        body = json.loads(self.post("/v1/moderations", model="omni-moderation-latest",
                                    input="hello").text)
        self.assertEqual(body["results"][0]["flagged"], False)
        self.assertEqual((self.bill()["requests"], self.cost()), (1, 0))


class Images(Media):
    def test_bills_images_by_size_and_quality(self):
        for members, nano in (({}, 40), ({"quality": "hd"}, 80), ({"size": "1024x1792"}, 80),
                              ({"quality": "hd", "size": "1792x1024"}, 120)):
            self.fake.call("POST", "/fake/reset")
            body = json.loads(self.post("/v1/images/generations", model="dall-e-3",
                                        prompt="a cat", response_format="url", **members).text)
            self.assertEqual(len(body["data"]), 1)
            self.assertTrue(body["data"][0]["url"].startswith("https://"))
            self.assertNotIn("usage", body)
            self.assertEqual(self.cost(), nano * 1000000, members)

    def test_bills_several_images(self):
        body = json.loads(self.post("/v1/images/generations", model="dall-e-2", prompt="a cat", n=3,
                                    size="256x256").text)
        self.assertEqual(len(body["data"]), 3)
        self.assertEqual(self.cost(), 3 * 16000000)

    def test_bills_tokens_of_images(self):
        body = json.loads(self.post("/v1/images/generations", model="gpt-image-1", prompt="abcd",
                                    n=2, quality="low").text)
        self.assertEqual(body["usage"], {
            "type": "tokens", "input_tokens": 1,
            "input_tokens_details": {"text_tokens": 1, "image_tokens": 0},
            "output_tokens": 544, "total_tokens": 545})
        self.assertEqual(self.cost(), 5000 + 544 * 40000)
        self.assertEqual(len(base64.b64decode(body["data"][0]["b64_json"])), 300)

    def test_edits(self):
        answer = self.send("/v1/images/edits", [("image", b"png"), ("image", b"png\r\n")],
                           model="gpt-image-1", prompt="abcd", quality="high", size="1024x1536")
        usage = json.loads(answer.text)["usage"]
        self.assertEqual((usage["input_tokens"], usage["output_tokens"]), (1 + 2 * 323, 6240))
        self.assertEqual(self.cost(), 5000 + 646 * 10000 + 6240 * 40000)
        self.assertEqual(self.send("/v1/images/edits", [], model="gpt-image-1").status, 400)

    def test_streams_images(self):
        answer = self.post("/v1/images/generations", model="gpt-image-1", prompt="abcd",
                           stream=True, partial_images=2, quality="low")
        parts = [json.loads(block.split("\ndata: ")[1])
                 for block in answer.text.decode().split("\n\n") if block]
        self.assertEqual(kinds(parts), ["image_generation.partial_image"] * 2 +
                         ["image_generation.completed"])
        self.assertEqual(parts[-1]["usage"]["output_tokens"], 272 + 200)
        self.assertEqual(self.bill()["completion_tokens"], 472)


class Sound(Media):
    def test_speaks_bytes_and_bills_characters(self):
        answer = self.post("/v1/audio/speech", model="tts-1", input="héllo", voice="alloy")
        self.assertEqual((answer.headers["content-type"], len(answer.text)), ("audio/mpeg", 300))
        self.assertEqual(self.cost(), 5 * 15000)

    def test_speaks_by_tokens(self):
        answer = self.post("/v1/audio/speech", model="gpt-4o-mini-tts", voice="alloy",
                           input="[fake output=5 prompt=7]", stream_format="sse")
        parts = chunks(answer.text)
        self.assertEqual(kinds(parts), ["speech.audio.delta"] * 5 + ["speech.audio.done"])
        self.assertEqual(parts[-1]["usage"]["output_tokens"], 5)
        self.assertEqual(self.cost(), 7 * 600 + 5 * 12000)

    def test_transcribes_by_the_second(self):
        answer = self.send("/v1/audio/transcriptions", [("file", wav(3))], model="whisper-1")
        body = json.loads(answer.text)
        self.assertEqual(len(body["text"].split()), 16)
        self.assertEqual(body["usage"], {"type": "duration", "seconds": 3})
        self.assertEqual(self.cost(), 3 * 100000)
        answer = self.send("/v1/audio/translations", [("file", wav(2))], model="whisper-1",
                           response_format="srt")
        self.assertTrue(answer.headers["content-type"].startswith("text/plain"))
        self.assertEqual(self.cost(), 5 * 100000)

    def test_transcribes_by_tokens_and_streams(self):
        answer = self.send("/v1/audio/transcriptions", [("file", wav(3))], stream="true",
                           model="gpt-4o-transcribe", prompt="[fake output=4 prompt=2]")
        parts = chunks(answer.text)
        self.assertEqual(kinds(parts), ["transcript.text.delta"] * 4 + ["transcript.text.done"])
        self.assertEqual(parts[-1]["usage"]["input_token_details"],
                         {"text_tokens": 2, "audio_tokens": 30})
        self.assertEqual(self.cost(), 2 * 2500 + 30 * 6000 + 4 * 10000)

    def test_refuses_what_is_no_form(self):
        self.assertEqual(self.post("/v1/audio/transcriptions", model="whisper-1").status, 400)
        answer = self.send("/v1/audio/transcriptions", [], model="whisper-1")
        self.assertEqual(answer.status, 400)


if __name__ == "__main__":
    unittest.main()
