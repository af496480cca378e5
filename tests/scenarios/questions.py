"""Random questions for the property test of the cache, an upstream whose answer is a function of
the question alone, and what an answer means whatever its shape.

`canonical` says, independently of purser, what a question is: two requests with the same canonical
form have the same answer, any two others have answers that name different digests.
"""

import base64
import decimal
import hashlib
import json
import random
import re
import urllib.parse

from harness import plain_answer

# Members that say who asks, or in which shape the answer is wanted.
LEFT_OUT = {"stream", "stream_options", "user", "metadata", "safety_identifier",
            "prompt_cache_key", "prompt_cache_retention"}
HEADERS_THAT_MATTER = ("openai-beta", "x-tenant")
MISHAPS = ("error", "no end", "no reason", "one less")
SPACE = " \t\n\r\v\f"


class Digits(str):
    """A number as it is written."""


class Members(list):
    """An object: its members in order, also those standing twice."""


def parse(text):
    return json.loads(text, object_pairs_hook=Members, parse_int=Digits, parse_float=Digits)


def number(digits):
    value = decimal.Decimal(digits).normalize()
    return Digits(value if value else 0)


def fold(text):
    """Of the last user message in normalized mode; what nothing would be left of stays."""
    lower = "".join(c.lower() if c.isascii() else c for c in text)
    folded = re.sub(f"[{SPACE}]+", " ", lower).lstrip(" ").rstrip(" .!?")
    return folded or text


def fold_messages(messages):
    for message in reversed(messages):
        members = dict(message)
        if members.get("role") != "user":
            continue
        content = members["content"]
        if isinstance(content, str):
            members["content"] = ("folded", fold(content))
        elif len(content) == 1 and ("type", "text") in content[0]:
            part = dict(content[0])
            members["content"] = [("folded", fold(part.pop("text"))), tuple(part.items())]
        message[:] = members.items()
        return


def canonical(path, headers, members, normalized=False):
    """A text; `members` is a parsed body."""
    kept = {}
    for name, value in members:
        if name in LEFT_OUT:
            continue
        if name == "messages" and normalized:
            value = [Members(message) for message in value]
            fold_messages(value)
        kept[name] = ("number", number(value)) if isinstance(value, Digits) else value
    matter = [(name, headers[name]) for name in HEADERS_THAT_MATTER if name in headers]
    return repr((path, matter, sorted(kept.items())))


def digest_of(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


# ---- the upstream ----

WORDS = ["the", "of", "añb", "中文", "🙂", '"quoted"', "back\\slash", "line\nbreak", "tab\t", "</p>",
         "data: x", "\u2028", "[DONE]", "{}", "é"]


def some_text(dice, digest, index):
    return " ".join([digest, str(index)] + dice.choices(WORDS, k=dice.randrange(12)))


def some_choice(dice, digest, index, chat, tools):
    choice = {"text": some_text(dice, digest, index), "refusal": None, "calls": [],
              "finish": dice.choice(["stop", "stop", "length", "content_filter"])}
    if not chat:
        return choice
    if tools and dice.random() < 0.7:
        choice["calls"] = [
            {"id": f"call_{digest}_{index}_{number}", "type": "function", "function": {
                "name": f"tool{number}",
                "arguments": json.dumps({"x": some_text(dice, digest, number)})}}
            for number in range(dice.randrange(1, 4))]
        choice["finish"] = "tool_calls"
        choice["text"] = dice.choice([None, choice["text"]])
    elif dice.random() < 0.1:
        choice["refusal"], choice["text"] = choice["text"], None
    return choice


def in_pieces(dice, text):
    while text:
        size = dice.randrange(1, 9)
        yield text[:size]
        text = text[size:]


def deltas_of(dice, choice):
    if choice["text"] is not None:
        yield from ({"content": piece} for piece in in_pieces(dice, choice["text"]))
    if choice["refusal"] is not None:
        yield from ({"refusal": piece} for piece in in_pieces(dice, choice["refusal"]))
    for number_, call in enumerate(choice["calls"]):
        function = call["function"]
        yield {"tool_calls": [{"index": number_, **call,
                               "function": {"name": function["name"], "arguments": ""}}]}
        for piece in in_pieces(dice, function["arguments"]):
            yield {"tool_calls": [{"index": number_, "function": {"arguments": piece}}]}


def chunks_of(dice, choice, index, chat):
    if not chat:
        for piece in in_pieces(dice, choice["text"]):
            yield {"index": index, "text": piece, "logprobs": None, "finish_reason": None}
        yield {"index": index, "text": "", "logprobs": None, "finish_reason": choice["finish"]}
        return
    first = {"role": "assistant", "content": "" if choice["text"] is not None else None}
    yield {"index": index, "delta": first, "finish_reason": None}
    for delta in deltas_of(dice, choice):
        yield {"index": index, "delta": delta, "finish_reason": None}
    yield {"index": index, "delta": {}, "finish_reason": choice["finish"]}


def whole_choice(choice, index, chat):
    if not chat:
        return {"text": choice["text"], "index": index, "logprobs": None,
                "finish_reason": choice["finish"]}
    message = {"role": "assistant", "content": choice["text"], "refusal": choice["refusal"]}
    if choice["calls"]:
        message["tool_calls"] = choice["calls"]
    return {"index": index, "message": message, "logprobs": None,
            "finish_reason": choice["finish"]}


def sse(dice, events, ends):
    """The text of events, the last of which may be [DONE]."""
    end = dice.choice(["\n\n", "\r\n\r\n"])
    texts = [json.dumps(event, ensure_ascii=dice.random() < 0.5) for event in events]
    return "".join(f"data: {text}{end}" for text in texts + (["[DONE]"] if ends else []))


class Oracle:
    """Answers requests as a function of what they are. A mishap is named by the request's text:
    "[[no end]]" and so on; those answers are not to be kept by anybody."""

    def __init__(self, normalized):
        self.normalized = normalized

    def __call__(self, connection, head, raw):
        lines = head.decode("latin-1").split("\r\n")
        path = lines[0].split()[1]
        headers = {name.lower(): value for name, value in
                   (line.split(": ", 1) for line in lines[1:] if ": " in line)}
        body, kind, status = self.answer(path, headers, parse(raw.decode()))
        connection.sendall(plain_answer(body, status, kind, "Connection: close\r\n"))

    def answer(self, path, headers, members):
        asked = dict(members)
        text = json.dumps(asked.get("messages", asked.get("prompt", "")), ensure_ascii=False)
        found = re.search(rf"\[\[({'|'.join(MISHAPS)})\]\]", text.lower())
        mishap = found and found.group(1)
        if path.endswith("/embeddings"):
            return self.embeddings(path, headers, members), "application/json", "200 OK"
        digest = digest_of(canonical(path, headers, members, self.normalized))
        if mishap == "error":
            return json.dumps({"error": {"message": digest, "type": "x", "param": None,
                                         "code": None}}), "application/json", "400 Bad Request"
        stream = asked.get("stream") is True
        if mishap == "no end" and not stream:
            mishap = "no reason"
        dice = random.Random(digest)
        body = self.events if stream else self.whole
        kind = "text/event-stream" if stream else "application/json"
        return body(dice, digest, path.endswith("/chat/completions"), asked, mishap), kind, "200 OK"

    @staticmethod
    def choices(dice, digest, chat, asked, mishap):
        prompts = asked.get("prompt")
        count = int(asked.get("n") or 1)
        if isinstance(prompts, list) and prompts and not isinstance(prompts[0], Digits):
            count *= len(prompts)
        made = [some_choice(dice, digest, index, chat, asked.get("tools"))
                for index in range(count)]
        if mishap == "one less" and count > 1:
            return made[:-1]
        if mishap in ("no reason", "one less"):
            made[-1]["finish"] = None
        return made

    @staticmethod
    def begin(digest, chat, asked, chunk):
        kind = ("chat.completion" + ".chunk" * chunk) if chat else "text_completion"
        return {"id": f"chatcmpl-{digest}", "object": kind, "created": int(digest[:6], 16),
                "model": asked["model"], "system_fingerprint": f"fp_{digest[:4]}"}

    @staticmethod
    def usage(digest):
        prompt, completion = int(digest[:2], 16), int(digest[2:4], 16)
        return {"prompt_tokens": prompt, "completion_tokens": completion,
                "total_tokens": prompt + completion}

    def whole(self, dice, digest, chat, asked, mishap):
        choices = self.choices(dice, digest, chat, asked, mishap)
        return json.dumps({
            **self.begin(digest, chat, asked, False),
            "choices": [whole_choice(choice, index, chat) for index, choice in enumerate(choices)],
            "usage": self.usage(digest)}, ensure_ascii=dice.random() < 0.5)

    def events(self, dice, digest, chat, asked, mishap):
        begin = self.begin(digest, chat, asked, True)
        queues = [list(chunks_of(dice, choice, index, chat)) for index, choice
                  in enumerate(self.choices(dice, digest, chat, asked, mishap))]
        events = []
        while any(queues):
            queue = dice.choice([queue for queue in queues if queue])
            events.append({**begin, "choices": [queue.pop(0)], "usage": None})
        events.append({**begin, "choices": [], "usage": self.usage(digest)})
        return sse(dice, events, mishap != "no end")

    def embeddings(self, path, headers, members):
        rows = [{"object": "embedding", "index": index, "embedding": self.vector(digest_of(part))}
                for index, part in enumerate(parts_of(path, headers, members))]
        dice = random.Random(repr(rows))
        dice.shuffle(rows)
        if dict(members).get("encoding_format") == "base64":
            for row in rows:
                row["embedding"] = base64.b64encode(repr(row["embedding"]).encode()).decode()
        return json.dumps({"object": "list", "data": rows, "model": dict(members)["model"],
                           "usage": {"prompt_tokens": len(rows), "total_tokens": len(rows)}})

    @staticmethod
    def vector(digest):
        return [int(digest[at:at + 4], 16) / 65536 for at in range(0, 20, 4)]


def inputs_of(members):
    value = dict(members)["input"]
    single = not isinstance(value, list) or isinstance(value, Members) or \
        isinstance(value[0], Digits)
    return [value] if single else value


def parts_of(path, headers, members):
    """What each input of an embeddings request is by itself."""
    others = [(name, value) for name, value in members if name != "input"]
    common = canonical(path, headers, others)
    return [repr((common, element)) for element in inputs_of(members)]


# ---- what an answer means ----

def meaning(endpoint, stream, text):
    """The same for the same answer in any shape; what it cost is left out."""
    if endpoint == "embeddings":
        whole = parse(text)
        rows = [dict(row) for row in dict(whole)["data"]]
        return [row["embedding"] for row in sorted(rows, key=lambda row: int(row["index"]))]
    return meaning_of_events(text) if stream else meaning_of_whole(json.loads(text))


def meaning_of_whole(whole):
    choices = {}
    for choice in whole.get("choices", []):
        message = choice.get("message", choice)
        text = message.get("content", message.get("text"))
        calls = [(call["id"], call["function"]["name"], call["function"]["arguments"])
                 for call in message.get("tool_calls") or []]
        choices[choice["index"]] = (text or "", message.get("refusal") or "", calls,
                                    choice["finish_reason"])
    return whole.get("id"), whole.get("model"), whole.get("created"), choices, whole.get("error")


def meaning_of_events(text):
    ids, choices, ended, error = set(), {}, False, None
    for line in re.split("\r\n|\n", text):
        if not line.startswith("data: "):
            continue
        ended = line == "data: [DONE]"
        if ended:
            continue
        event = json.loads(line[6:])
        error = event.get("error", error)
        ids.add((event.get("id"), event.get("model"), event.get("created")))
        for choice in event["choices"]:
            add_delta(choices.setdefault(choice["index"], ["", "", {}, None]), choice)
    assert len(ids) == 1, text
    named = {index: (text, refusal, [tuple(calls[at]) for at in sorted(calls)], finish)
             for index, (text, refusal, calls, finish) in choices.items()}
    return (*ids.pop(), named, error) + (() if ended else ("no end",))


def add_delta(sum_, choice):
    delta = choice.get("delta", choice)
    sum_[0] += delta.get("content") or delta.get("text") or ""
    sum_[1] += delta.get("refusal") or ""
    for call in delta.get("tool_calls") or []:
        made = sum_[2].setdefault(call["index"], [None, None, ""])
        made[0] = call.get("id") or made[0]
        made[1] = call["function"].get("name") or made[1]
        made[2] += call["function"].get("arguments") or ""
    sum_[3] = choice.get("finish_reason") or sum_[3]


# ---- spelling ----

def spell_string(dice, text):
    def spell(char):
        if dice.random() < 0.15:
            units = char.encode("utf-16-be", "surrogatepass")
            return "".join(f"\\u{units[at:at + 2].hex()}" for at in range(0, len(units), 2))
        return json.dumps(char, ensure_ascii=dice.random() < 0.5)[1:-1]
    return '"' + "".join(map(spell, text)) + '"'


def spell(dice, value):
    """JSON in one of its many spellings; numbers keep their digits."""
    def gap():
        return dice.choice(["", "", "", " ", "\n\t"])
    if isinstance(value, str) and not isinstance(value, Digits):
        return spell_string(dice, value)
    if isinstance(value, dict):
        members = (f"{gap()}{spell_string(dice, name)}{gap()}:{gap()}{spell(dice, member)}{gap()}"
                   for name, member in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(gap() + spell(dice, item) + gap() for item in value) + "]"
    return value if isinstance(value, Digits) else json.dumps(value)


def other_digits(dice, value):
    """The same number, written otherwise."""
    if value == 0:
        return Digits(dice.choice(["0", "0.0", "-0", "0e7", "0.000"]))
    return Digits(dice.choice([f"{value}", f"{value:.3f}", f"{int(value * 1000)}e-3"]))


def spell_body(dice, members):
    names = list(members)
    dice.shuffle(names)
    numbers = ("temperature", "top_p", "presence_penalty")
    return spell(dice, {
        name: other_digits(dice, members[name])
        if name in numbers and members[name] is not None else members[name] for name in names})


def session_path(dice, endpoint):
    prefix = dice.choice(["", "/v1", "/s/" + urllib.parse.quote(f"s{dice.randrange(3)}") + "/v1"])
    return f"{prefix}/{endpoint}"
