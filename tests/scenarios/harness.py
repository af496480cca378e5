"""What scenario, chaos and SDK tests share: purser and the fake provider as real processes.

    with Provider() as provider, Purser(provider, budgets=[...]) as purser:
        answer = purser.chat("hello")

Everything listens on loopback, writes below a folder of its own, and is ended with the block.
"""

import base64
import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import typing

import httpx
from preloading import preload

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / os.environ.get("OUT", "build/" + os.environ.get("BUILD", "release"))
KEY = "sk-test-alice-0123456789abcdef"
ADMIN = "admin-token-0123456789abcdef"
NANO = 1_000_000_000


def own_ports():
    """Ports below those that the kernel hands out, round and round; processes that run tests side
    by side have ranges of their own. So nobody takes a port between its choice and its use."""
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    size = 20_000 // count
    return itertools.cycle(range(12_000 + number * size, 12_000 + (number + 1) * size))


PORTS = own_ports()


def free_port(with_one_above=0):
    """`with_one_above`: so far above it is another one that must be free."""
    for port in PORTS:
        with socket.socket() as probe, socket.socket() as above, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if with_one_above:
                above.bind(("127.0.0.1", port + with_one_above))
            return port


def wait_until(condition, seconds=30.0, what="the condition"):
    """Polls until condition() is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


class Process:
    """A child that dies with the block it is used in."""

    def __init__(self, command, log, env=None, cwd=None, preexec=None):
        self.log_path = log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(
                [str(word) for word in command], stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, env=env, cwd=cwd, preexec_fn=preexec)

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def log(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def signal(self, number):
        if self.alive():
            self.child.send_signal(number)

    def end(self, seconds=40):
        """SIGTERM, wait; the exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError("did not stop after SIGTERM:\n" + self.log()[-3000:])

    def kill(self):
        self.signal(signal.SIGKILL)
        self.child.wait()


class Sent(typing.NamedTuple):
    """A request as the provider got it; names of headers are in lower case."""

    target: str
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


class Provider:
    """The fake provider (tests/fakes/README.md)."""

    def __init__(self, *arguments):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="purser-provider-"))
        port_file = self.folder / "port"
        self.process = Process(
            [OUT / "tests/fakes/provider", "--port", 0, "--port-file", port_file,
             "--die-with-parent", *arguments], self.folder / "log")
        wait_until(lambda: port_file.exists() and port_file.read_text().strip(),
                   what="the fake provider's port")
        self.port = int(port_file.read_text())
        self.base = f"http://127.0.0.1:{self.port}"
        self.url = self.base + "/v1"

    def bill(self, calls=True):
        return httpx.get(f"{self.base}/fake/bill?calls={int(calls)}", timeout=30).json()

    def settled_bill(self, calls=True):
        """The bill once no call is open any more."""
        wait_until(lambda: self.bill(False)["open"] == 0, 30, "the provider to end its calls")
        return self.bill(calls)

    def requests(self, last=1):
        return httpx.get(f"{self.base}/fake/requests?last={last}").json()

    def newest(self):
        last = self.requests()["requests"][-1]
        headers = {name.lower(): value for name, value in last["headers"]}
        return Sent(last["target"], headers, base64.b64decode(last["body"]))

    def stats(self):
        return httpx.get(f"{self.base}/fake/stats").json()

    def reset(self):
        httpx.post(f"{self.base}/fake/reset")

    def close(self):
        if self.process.alive():
            self.process.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def upstream_of(provider, **more):
    return {"name": "fake", "base_url": provider.url, "api_key": "sk-upstream",
            "provider": "openai", "cancel_saves": "yes", **more}


def slow_disk():
    """The environment of pursers whose syncs take their time, if SLOW_DISK says with which library
    (tests/run)."""
    return preload(os.environ["SLOW_DISK"]) if "SLOW_DISK" in os.environ else {}


class Purser:
    """purser in front of a provider. Keyword arguments are top-level options of its
    configuration (JSON is YAML); `config` replaces all of it."""

    def __init__(self, provider=None, *, folder=None, config=None, env=None, preexec=None,
                 wrapper=(), start=True, **options):
        self.owned = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="purser-test-"))
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.url = self.base + "/v1"
        if config is None:
            config = {
                "listen": f"127.0.0.1:{self.port}",
                "workers": 2,
                "auth": {"mode": "keys", "admin_token": ADMIN},
                "keys": [{"id": "alice", "key": KEY, "team": "research"}],
                "upstreams": [upstream_of(provider)] if provider is not None else [],
                **options,
            }
        self.config = config
        self.config_path = self.folder / "purser.yaml"
        self.configure()
        self.env = {**os.environ, **slow_disk(), **(env or {})}
        self.preexec = preexec
        self.wrapper = wrapper
        self.process = None
        self.client = httpx.Client(base_url=self.base, timeout=180,
                                   headers={"Authorization": f"Bearer {KEY}"})
        if start:
            self.start()

    def configure(self, **options):
        """Writes the configuration again, with other top-level options."""
        self.config = {**self.config, **options}
        self.config_path.write_text(json.dumps(self.config, indent=1))

    def reload(self):
        """POST /admin/reload: the answer."""
        return self.client.post("/admin/reload", headers={"Authorization": f"Bearer {ADMIN}"})

    def launch(self):
        """Starts it, and does not wait for anything."""
        self.process = Process([*self.wrapper, OUT / "purser", "serve", "--config",
                                self.config_path], self.folder / "log", env=self.env,
                               preexec=self.preexec)

    def start(self):
        self.launch()
        wait_until(self._up, 30, "purser to listen")
        return self

    def _up(self):
        assert self.process.alive(), "purser ended:\n" + self.log()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def log(self):
        return self.process.log()

    def chat(self, content="hello", model="gpt-4o-mini", key=KEY, fake=None, headers=None, **body):
        """One chat completion, not streamed unless asked; the httpx response."""
        return self.client.post(
            "/v1/chat/completions", headers=self._headers(key, fake, headers),
            json={"model": model, "messages": [{"role": "user", "content": content}], **body})

    def stream(self, content="hello", model="gpt-4o-mini", key=KEY, fake=None, headers=None,
               **body):
        """The same as a stream: a context manager of an httpx response."""
        return self.client.stream(
            "POST", "/v1/chat/completions", headers=self._headers(key, fake, headers),
            json={"model": model, "stream": True,
                  "messages": [{"role": "user", "content": content}], **body})

    @staticmethod
    def _headers(key, fake, more):
        headers = {"Authorization": f"Bearer {key}"}
        if fake:
            headers["x-fake"] = fake
        return {**headers, **(more or {})}

    def budgets(self, key=ADMIN):
        """GET /budget as {(name, id, unit): row}."""
        answer = self.client.get("/budget", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200, answer.text
        return {(row["name"], row["id"], row["unit"]): row for row in answer.json()["data"]}

    def costs(self, key=ADMIN, **query):
        answer = self.client.get("/costs", params=query,
                                 headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ledger(self):
        """All lines of all files, in order."""
        lines = []
        for path in sorted((self.folder / "data/ledger").glob("*.jsonl")):
            whole, _, _ = path.read_text().rpartition("\n")  # the rest is being written
            for line in whole.splitlines():
                lines.append(json.loads(line))
        return sorted(lines, key=lambda line: line["seq"])

    def settled(self):
        """{request id: booked nano-dollars} from settle and forfeit lines."""
        sums = {}
        for line in self.ledger():
            if line["kind"] in ("settle", "forfeit"):
                sums[line["request_id"]] = sums.get(line["request_id"], 0) + \
                    line.get("cost_nano_usd", 0)
        return sums

    def open_holds(self):
        held = set()
        for line in self.ledger():
            if line["kind"] == "reserve":
                held.add(line["call"])
            elif line["kind"] in ("settle", "forfeit"):
                held.discard(line.get("call"))  # an answer from the cache had none
        return held

    def lines_of(self, answer):
        """The ledger lines of an answer's request, once its last one is there."""
        name = answer if isinstance(answer, str) else answer.headers["x-purser-request-id"]

        def lines():
            found = [line for line in self.ledger() if line["request_id"] == name]
            return found if found and found[-1]["kind"] in ("settle", "refuse") else None
        return wait_until(lines, what=f"the lines of {name}")

    def booked(self, answer):
        """The settle line of an answer's request."""
        return self.lines_of(answer)[-1]

    def request(self, data, seconds=10.0):
        """Sends bytes on a connection of their own; what comes until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
            received = b""
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(65536):
                    received += piece
        return received

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_kb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def idle(self):
        """Waits until no hold is left open."""
        wait_until(lambda: not self.open_holds(), 30, "all holds to be settled")

    def end(self):
        status = self.process.end()
        assert status == 0, f"exit status {status}:\n" + self.log()[-4000:]

    def close(self):
        try:
            if self.process is not None and self.process.alive():
                self.end()
        finally:
            self.client.close()
            if self.process is not None and self.process.alive():
                self.process.kill()
            if self.owned:
                shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and self.process is not None:
            print(self.log()[-4000:])
        self.close()


class Upstream:
    """An upstream for what the fake provider cannot do: answer(connection, head, body) is called
    for each request, on a thread of its own; the connection is closed after it."""

    def __init__(self, answer, tls=None):
        self.answer = answer
        self.tls = tls
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            connection.settimeout(30)
            if self.tls:
                connection = stack.enter_context(
                    self.tls.wrap_socket(connection, server_side=True))
            head, body = read_message(connection)
            if head:
                self.asked.append((head, body))
                self.answer(connection, head, body)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def when_told(event, data):
    """For Upstream: each request is answered with these bytes, once the event is set."""
    def answer(connection, _head, _body):
        event.wait(120)
        connection.sendall(data)
    return answer


def read_message(connection):
    """Head and body (by its Content-Length) of one HTTP message; empty if there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b"", b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    while length and len(body) < int(length.group(1)):
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return head, body


def plain_answer(body, status="200 OK", content_type="application/json", more=""):
    """An HTTP answer as bytes."""
    body = body if isinstance(body, bytes) else body.encode()
    return (f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n{more}\r\n").encode() + body


def error_of(answer, status, code):
    """Checks that the answer is a refusal of purser in OpenAI's shape; its error object."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    error = answer.json()["error"]
    assert error["code"] == code, error
    assert answer.headers["x-purser-error"] == code
    assert answer.headers["x-purser-request-id"].startswith("req_")
    assert isinstance(error["message"], str) and error["message"]
    assert isinstance(error["type"], str) and "param" in error
    return error


def events_of(lines):
    """The data of server-sent events from an iterator of text lines."""
    for line in lines:
        if line.startswith("data: "):
            yield line[6:]


def usd(text):
    """Exact nano-dollars from decimal text or a JSON number."""
    match = re.fullmatch(r"(-?)(\d+)(?:\.(\d{1,9}))?", f"{text:.9f}" if isinstance(text, float)
                         else str(text))
    assert match, text
    sign, whole, part = match.groups()
    return (-1 if sign else 1) * (int(whole) * NANO + int((part or "").ljust(9, "0")))
