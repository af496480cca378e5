"""The cache as a property: whatever it answers is what the upstream would have answered to that
very request; what is not certain always reaches the upstream; and nothing that differs in what
matters ever shares.

Random requests go through two pursers, one with the cache and one without, to upstreams whose
answer is a function of the request (questions.py). The test keeps its own account of what may be
known, and compares each answer.

PROPERTY_SEED and PROPERTY_STEPS come from the environment.
"""

import concurrent.futures
import os
import random
import re

import pytest

from harness import KEY, Purser, Upstream, upstream_of
from questions import (MISHAPS, Digits, Oracle, canonical, inputs_of, meaning, parse, parts_of,
                       session_path, spell_body)

SEED = int(os.environ.get("PROPERTY_SEED", random.SystemRandom().randrange(1 << 32)))
STEPS = int(os.environ.get("PROPERTY_STEPS", 300 if os.environ.get("BUILD") == "asan" else 700))

CALLERS = {"alice": (KEY, "research"), "bob": ("sk-test-bob-0123456789abcdef", "research"),
           "carol": ("sk-test-carol-0123456789abcdef", "sales"),
           "dave": ("sk-test-dave-0123456789abcdef", None)}
TEXTS = ["hello", "Hello", " hello", "hello.", "hello!?", "HELLO", "hello  world", "hello world",
         "hello\nworld", "...", "", " ", "ünï", "Ünï", "中", "🙂", "a\\b", 'say "hi"', "\u0000", "A"]
TOOLS = [{"type": "function", "function": {
    "name": "tool", "parameters": {"type": "object", "properties": {"x": {"maximum": 1}}}}}]
COMMON = {"temperature": (0, 0, 0, 0, 0, 0, 0, None, 0.5, 1), "top_p": (0.5, 1), "seed": (1, 2),
          "max_tokens": (5, 50), "n": (1, 2, 3), "stop": ("x", ["x"], ["x", "y"]),
          "presence_penalty": (0, 0.5), "logit_bias": ({"5": 1}, {"5": Digits("1.0")}),
          "x_unknown": (True, None, {"a": 1, "b": 2}, {"b": 2, "a": 1}, "[fake]"),
          "user": ("u1", "u2"), "metadata": ({"a": "b"}, {"session_id": "s"}),
          "store": (False, True, None)}
OF_CHAT = {"tools": (TOOLS, TOOLS * 2), "response_format": ({"type": "text"},),
           "web_search_options": ({},), "safety_identifier": ("s",), "prompt_cache_key": ("k",),
           "previous_response_id": ("resp_1",)}
OF_EMBEDDINGS = {"dimensions": (4, 5), "encoding_format": ("float", "base64"), "user": ("u1", "u2")}
AUTH = {"mode": "keys", "foreign_objects": "allow"}  # "resp_1" is nobody's
WISHES = ("no-cache", "no-store", "no-store, no-cache", "only-if-cached", "")


class Question:
    """A request; `members` in no particular spelling."""

    def __init__(self, endpoint, members, headers=(), caller="alice", wish=None):
        self.endpoint, self.members, self.headers = endpoint, members, dict(headers)
        self.caller, self.wish = caller, wish

    def copy(self):
        return Question(self.endpoint, dict(self.members), self.headers, self.caller)

    @property
    def stream(self):
        return self.members.get("stream") is True

    def may_be_kept(self):
        """By routing.md; whatever the upstream answers."""
        if self.endpoint == "embeddings":
            return True
        m = self.members
        return (m.get("temperature") == 0 and not m.get("store") and "web_search_options" not in m
                and "previous_response_id" not in m)

    def is_fit(self):
        """The upstream's answer is a good and complete one."""
        text = repr(self.members.get("messages") or self.members.get("prompt")).lower()
        return not any(f"[[{mishap}]]" in text for mishap in MISHAPS)


def some_text(dice):
    text = dice.choice(TEXTS)
    return text + f"[[{dice.choice(MISHAPS)}]]" if dice.random() < 0.06 else text


def some_content(dice):
    text = some_text(dice)
    return [{"type": "text", "text": text}] if dice.random() < 0.2 else text


def some_messages(dice):
    messages = [{"role": "user", "content": some_content(dice)}]
    if dice.random() < 0.3:
        messages.insert(0, {"role": "system", "content": some_text(dice)})
    if dice.random() < 0.1:
        messages.append({"role": "assistant", "content": some_text(dice)})
    return messages


def some_input(dice):
    """One input, or a list of them: texts, or lists of tokens."""
    tokens = dice.random() < 0.2

    def one():
        return [dice.randrange(3), 5] if tokens else f"i{dice.randrange(12)}"
    return one() if dice.random() < 0.5 else [one() for _ in range(dice.randrange(1, 7))]


def new_question(dice):
    endpoint = dice.choice(["chat/completions"] * 4 + ["completions", "embeddings"])
    if endpoint == "embeddings":
        return Question(endpoint, {"model": "text-embedding-3-small", "input": some_input(dice)})
    members = {"model": "gpt-4o-mini", "temperature": 0}
    if endpoint == "completions":
        members["prompt"] = dice.choice([some_text(dice), [some_text(dice), "b"]])
        members["model"] = "gpt-3.5-turbo-instruct"
    else:
        members["messages"] = some_messages(dice)
    return Question(endpoint, members)


def change_member(dice, question):
    embeddings = question.endpoint == "embeddings"
    table = OF_EMBEDDINGS if embeddings else \
        {**COMMON, **(OF_CHAT if question.endpoint.startswith("chat") else {})}
    name = dice.choice(list(table))
    if name in question.members and name != "temperature" and dice.random() < 0.5:
        del question.members[name]
    else:
        question.members[name] = dice.choice(table[name])


def change_text(dice, question):
    for name, make in (("input", some_input), ("messages", some_messages)):
        if name in question.members:
            question.members[name] = make(dice)
    if "prompt" in question.members:
        question.members["prompt"] = some_text(dice)


def change_shape(dice, question):
    if question.endpoint == "embeddings":
        return
    question.members.pop("stream_options", None)
    question.members["stream"] = dice.random() < 0.5
    if question.stream and dice.random() < 0.5:
        question.members["stream_options"] = {"include_usage": dice.random() < 0.8}


def change_header(dice, question):
    name = dice.choice(["openai-beta", "x-tenant", "user-agent", "traceparent", "x-purser-tags"])
    question.headers[name] = dice.choice(["a", "b"])


def change_caller(dice, question):
    question.caller = dice.choice(list(CALLERS))


CHANGES = (change_member, change_member, change_text, change_shape, change_shape, change_header,
           change_caller)


def next_question(dice, past):
    """A new one, one of the past, or one that is like it but for a little."""
    if not past or dice.random() < 0.08:
        return new_question(dice)
    question = dice.choice(past[-60:]).copy()
    if dice.random() < 0.6:
        dice.choice(CHANGES)(dice, question)
    if dice.random() < 0.12:
        question.wish = dice.choice(WISHES)
    return question


class Account:
    """What may be known by now, and what a question must come to."""

    def __init__(self, name_space, normalized):
        self.name_space, self.normalized = name_space, normalized
        self.whole = {}  # canonical form: the shapes that its answer may be kept in
        self.parts = set()

    def space_of(self, caller):
        team = CALLERS[caller][1]
        if self.name_space == "global":
            return "all"
        return f"team {team}" if self.name_space == "team" and team else caller

    def forms(self, question, raw):
        path, members = "/v1/" + question.endpoint, parse(raw)
        space = self.space_of(question.caller)
        whole = (space, canonical(path, question.headers, members, self.normalized))
        if question.endpoint != "embeddings":
            return whole, []
        return whole, [(space, part) for part in parts_of(path, question.headers, members)]

    def expect(self, question, raw):
        """The word in x-purser-cache, and for embeddings the inputs that are asked for."""
        whole, parts = self.forms(question, raw)
        wish = question.wish or ""
        inputs = inputs_of(parse(raw)) if parts else []
        if not question.may_be_kept():
            return ("refused" if "only" in wish else "bypass"), inputs
        missing = [value for value, part in zip(inputs, parts) if part not in self.parts]
        if "no-cache" in wish:
            return "miss", inputs
        if whole in self.whole or (parts and not missing):
            return "hit", []
        return ("refused" if "only" in wish else "miss"), missing

    def learn(self, question, raw, word):
        if word != "miss" or "no-store" in (question.wish or ""):
            return
        whole, parts = self.forms(question, raw)
        partial = bool(parts) and "no-cache" not in (question.wish or "") and \
            any(part in self.parts for part in parts)
        self.parts |= set(parts)
        if not partial and question.is_fit():
            self.whole[whole] = question.stream


def ask(purser, question, raw, path):
    headers = {**question.headers, "Authorization": f"Bearer {CALLERS[question.caller][0]}",
               "Content-Type": "application/json"}
    if question.wish is not None:
        headers["x-purser-cache"] = question.wish
    return purser.client.post(path, headers=headers, content=raw)


def without_cost(text):
    return re.sub(r',"cost":[0-9.e-]+', "", text)


class Pair:
    """A purser with the cache, one without, and what each of them asked of its upstream."""

    def __init__(self, dice, normalized):
        self.dice = dice
        space = dice.choice(["key", "team", "global"])
        self.account = Account(space, normalized)
        self.upstreams = [Upstream(Oracle(normalized)) for _ in range(2)]
        keys = [{"id": name, "key": key, **({"team": team} if team else {})}
                for name, (key, team) in CALLERS.items()]
        mode = "normalized" if normalized else "exact"
        self.cached, self.direct = (
            Purser(keys=keys, auth=AUTH, upstreams=[upstream_of(upstream)], cache=cache)
            for upstream, cache in zip(self.upstreams, (
                {"mode": mode, "namespace": space, "max_mb": 256}, {"mode": "off"})))
        self.words = {"hit": 0, "miss": 0, "bypass": 0, "refused": 0}

    def step(self, question):
        """Asks both, and checks everything about the answer."""
        raw = spell_body(self.dice, question.members)
        path = session_path(self.dice, question.endpoint)
        word, missing = self.account.expect(question, raw)
        asked = len(self.upstreams[0].asked)
        answer = ask(self.cached, question, raw, path)
        asked = self.upstreams[0].asked[asked:]
        context = f"{vars(question)}\n{raw}\n{answer.headers}\n{answer.text}"
        self.words[word] += 1
        if word == "refused":
            assert answer.status_code == 504 and not asked, context
            return
        assert answer.headers.get("x-purser-cache") == word, context
        assert len(asked) == (0 if word == "hit" else 1), context
        if question.endpoint == "embeddings" and asked:
            assert inputs_of(parse(asked[0][1].decode())) == missing, context
        direct = question.copy()
        self.compare(question, raw, word, answer, ask(self.direct, direct, raw, path), context)
        self.account.learn(question, raw, word)

    def compare(self, question, raw, word, answer, direct, context):
        context += f"\nand directly:\n{direct.headers}\n{direct.text}"
        assert answer.status_code == direct.status_code, context
        assert answer.headers["content-type"] == direct.headers["content-type"], context
        whole, parts = self.account.forms(question, raw)
        same_shape = word != "hit" or self.account.whole.get(whole) == question.stream
        if not parts and same_shape:
            assert without_cost(answer.text) == without_cost(direct.text), context
        else:
            assert meaning(question.endpoint, question.stream, answer.text) == \
                meaning(question.endpoint, question.stream, direct.text), context
            assert not parts or dict(parse(answer.text))["model"] == question.members["model"]

    def close(self):
        for thing in (self.cached, self.direct, *self.upstreams):
            thing.close()


@pytest.mark.parametrize("mode", ["exact", "normalized"])
def test_whatever_the_cache_answers_the_upstream_would_have_answered(mode):
    print(f"PROPERTY_SEED={SEED} PROPERTY_STEPS={STEPS}")
    dice = random.Random(f"{SEED} {mode}")
    pair = Pair(dice, mode == "normalized")
    past = []
    try:
        for _ in range(STEPS):
            past.append(next_question(dice, past))
            pair.step(past[-1])
    finally:
        pair.close()
    print(pair.account.name_space, pair.words)
    assert pair.words["hit"] > 0 and pair.words["miss"] > 0


# ---- many at the same time ----

def told_directly(oracle, question, raw):
    """What the upstream says to this very request."""
    headers = {name.lower(): value for name, value in question.headers.items()}
    text, kind, status = oracle.answer("/v1/" + question.endpoint, headers, parse(raw))
    return int(status.split()[0]), kind, text


def ask_and_compare(purser, oracle, dice, past):
    question = next_question(dice, past)
    past.append(question)
    raw = spell_body(dice, question.members)
    answer = ask(purser, question, raw, session_path(dice, question.endpoint))
    status, kind, text = told_directly(oracle, question, raw)
    context = f"{vars(question)}\n{raw}\n{answer.headers}\n{answer.text}\nand directly:\n{text}"
    if answer.headers.get("x-purser-error") == "cache_miss":
        assert question.wish == "only-if-cached", context
        return
    assert (answer.status_code, answer.headers["content-type"]) == (status, kind), context
    if status != 200:
        assert answer.text == text, context
        return
    assert meaning(question.endpoint, question.stream, answer.text) == \
        meaning(question.endpoint, question.stream, text), context


def test_also_when_many_ask_at_the_same_time():
    """Flights of whole answers and of events, and parts of embeddings, from several workers."""
    print(f"PROPERTY_SEED={SEED}")
    oracle = Oracle(False)
    keys = [{"id": name, "key": key, "team": "all"} for name, (key, _) in CALLERS.items()]
    past = []  # common to all: so most of them ask what others are just asking
    with Upstream(oracle) as upstream, Purser(
            keys=keys, auth=AUTH, upstreams=[upstream_of(upstream)], workers=2,
            cache={"namespace": "team", "ttl": "1s"}) as purser:

        def client(number):
            dice = random.Random(f"{SEED} client {number}")
            for _ in range(STEPS // 8):
                ask_and_compare(purser, oracle, dice, past)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(client, range(8)))
        hits = sum(line.get("cache") == "hit" for line in purser.ledger())
        print(f"{hits} hits, {len(upstream.asked)} calls")
        assert hits > 0
