"""What the tests of budgets share: two callers, amounts, the hold that a call must take."""

import contextlib
import json
import socket
import threading

import httpx

from harness import KEY, NANO, wait_until

BOB = "sk-test-bob-0123456789abcdef"
KEYS = [{"id": "alice", "key": KEY, "user": "ann", "team": "research", "tags": ["batch"]},
        {"id": "bob", "key": BOB, "user": "ben", "team": "sales",
         "may_set": ["session", "label", "tags", "user"]}]
INPUT, OUTPUT = 150, 600  # nano-dollars per token of gpt-4o-mini


def budget(**more):
    return {"name": "one", "scope": "global", "window": "total", **more}


def dollars(nano):
    return f"{nano // NANO}.{nano % NANO:09d}"


def amount(nano):
    """As a YAML number that loses nothing."""
    return json.loads(dollars(nano))


def sent(provider):
    return provider.newest().json()


HELLO = 8  # input tokens of a chat that says "hello", counted: 3 + role + content + 3


def size_of(content, **body):
    """Bytes of the request body that purser.chat sends, and so the bound of its input tokens
    where a budget has room for it; where it has not, the tokens are counted."""
    request = httpx.Request("POST", "http://x", json={
        "model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}], **body})
    return len(request.content) + 3


def counted_of(**body):
    """The hold of a chat that says "hello", in nano-dollars, where its input is counted."""
    return HELLO * INPUT + body["max_tokens"] * OUTPUT


def bound_of(content="hello", **body):
    """The hold of such a call in nano-dollars, where there is room for the bytes of its input."""
    return size_of(content, **body) * INPUT + body["max_tokens"] * OUTPUT


@contextlib.contextmanager
def held(purser, content="hello", **body):
    """Within it a call is under way, and holds what it reserved; its client leaves with the block."""
    request = httpx.Request("POST", f"{purser.url}/chat/completions", json={
        "model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}], **body},
        headers={"Authorization": f"Bearer {KEY}", "x-fake": "delay_ms=600000"})
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection(("127.0.0.1", purser.port), 60) as client:
        client.sendall(f"POST {request.url.path} HTTP/1.1\r\n{head}\r\n".encode() + request.content)
        wait_until(lambda: reserved(purser), 30, "its hold")
        yield


class Calls:
    """Calls on threads of their own."""

    def __init__(self, purser):
        self.purser = purser
        self.answers = {}
        self.threads = []

    def add(self, name, **how):
        def run():
            with contextlib.suppress(httpx.HTTPError), \
                    httpx.Client(base_url=self.purser.base, timeout=60) as client:
                self.answers[name] = client.post(
                    "/v1/chat/completions",
                    headers={"Authorization": f"Bearer {KEY}", "x-purser-label": name,
                             "x-fake": how.pop("fake", "output=1")},
                    json={"model": "gpt-4o-mini", "max_tokens": 100,
                          "messages": [{"role": "user", "content": "hello"}], **how})
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def all(self):
        for thread in self.threads:
            thread.join()
        return self.answers


def reserved(purser):
    return purser.budgets()[("one", "all", "usd")]["reserved"]
