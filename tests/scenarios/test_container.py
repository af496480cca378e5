"""The container: what docker/ says is there and fits together, its configuration, and
`purser health`, which its health check runs."""

import contextlib
import fnmatch
import json
import os
import re
import shlex
import socket
import subprocess

import httpx
import pytest

from harness import KEY, OUT, ROOT, Purser, Upstream, plain_answer

ENVIRONMENT = {"OPENAI_API_KEY": "sk-upstream", "PURSER_KEY": KEY, "PURSER_BUDGET_USD": "0.05"}


def run(*arguments, env=None):
    return subprocess.run([str(OUT / "purser"), *map(str, arguments)], text=True,
                          capture_output=True, timeout=30, env={**os.environ, **(env or {})})


def instructions():
    """The Dockerfile as [(instruction, rest)], and its last stage as {instruction: rest}."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "docker/Dockerfile").read_text())
    lines = [tuple(line.split(None, 1)) for line in re.sub(r"\\\n", " ", text).splitlines() if line]
    last = max(at for at, (word, _) in enumerate(lines) if word == "FROM")
    return lines, dict(lines[last:])


def is_sent(path):
    """Whether .dockerignore lets a path go to the engine: the last pattern that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.lstrip("!")
        parents = [path, *(path[:at.start()] for at in re.finditer("/", path))]
        if line and line[0] != "#" and any(fnmatch.fnmatch(name, pattern) for name in parents):
            sent = line[0] == "!"
    return sent


# ---- docker/ ----

def test_everything_that_is_copied_is_there_and_sent():
    copied = []
    for word, rest in instructions()[0]:
        if word == "COPY" and not rest.startswith("--from="):
            copied += shlex.split(rest)[:-1]
    assert "src" in copied and "docker/purser.yaml" in copied
    for path in copied:
        assert (ROOT / path).exists(), path
        assert is_sent(path), path
    assert not is_sent("build") and not is_sent(".git") and not is_sent("data")


def test_the_image_has_what_the_program_is_linked_with():
    """The packages of the libraries that the Makefile names, as Debian 12 calls them."""
    packages = {"libmicrohttpd": "libmicrohttpd12", "libcurl": "libcurl4",
                "sqlite3": "libsqlite3-0", "yaml-0.1": "libyaml-0-2", "libcrypto": "libssl3",
                "zlib": "zlib1g", "hiredis": "libhiredis0.14"}
    linked = re.search(r"(?m)^LIBS *:= *(.*)$", (ROOT / "Makefile").read_text()).group(1).split()
    _, last = instructions()
    for name in linked:
        assert packages[name] in last["RUN"].split()


def test_the_image_is_not_roots_and_runs_what_it_has():
    lines, last = instructions()
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", last["USER"])
    user = last["USER"].split(":")[0]
    assert f"--uid {user} " in last["RUN"] and f"-o {user} " in last["RUN"]
    assert json.loads(last["ENTRYPOINT"]) == ["purser"]
    copied = [rest.split()[-1] for word, rest in lines if word == "COPY"]
    assert json.loads(last["CMD"])[-1] in copied and "/usr/local/bin/purser" in copied
    assert json.loads(last["HEALTHCHECK"].partition("CMD ")[2]) == ["purser", "health"]


def test_dockerfile_configuration_and_compose_agree():
    _, last = instructions()
    config = (ROOT / "docker/purser.yaml").read_text()
    compose = (ROOT / "docker/compose.yml").read_text()
    assert f"data_dir: {last['VOLUME']}" in config and f":{last['VOLUME']}\n" in compose
    assert f"listen: 0.0.0.0:{last['EXPOSE']}" in config
    assert re.search(r"OPENAI_BASE_URL: http://purser:%s/s/[\w-]+/v1" % last["EXPOSE"], compose)
    several = {"PURSER_NODE", "PURSER_REDIS"}  # which only several instances need
    for name in set(re.findall(r"\$\{(\w+)", config)) - several:
        assert f"      {name}: ${{{name}:" in compose
    assert "condition: service_healthy" in compose
    cluster = (ROOT / "docker/compose.cluster.yml").read_text()
    for name in several:
        assert f"{name}: " in cluster
    drain = re.search(r"drain_seconds: (\d+)", (ROOT / "config/purser.yaml").read_text()).group(1)
    for file in compose, cluster:
        for promise in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"):
            assert promise in file
        assert int(re.search(r"stop_grace_period: (\d+)s", file).group(1)) > int(drain)


# ---- its configuration ----

def test_the_configuration_is_accepted_without_a_warning():
    done = run("check", ROOT / "docker/purser.yaml", env=ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 upstream, 1 key, 1 budget; 0 warnings" in done.stdout


@pytest.mark.parametrize("keys, upstreams", [
    ({"OPENAI_API_KEY": "sk-1"}, ["openai"]), ({"ANTHROPIC_API_KEY": "sk-2"}, ["anthropic"]),
    ({"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"}, ["anthropic", "openai"])])
def test_the_key_of_either_provider_is_enough(keys, upstreams):
    env = {**ENVIRONMENT, "OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": "", **keys}
    done = run("check", "--print", ROOT / "docker/purser.yaml", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"(?m)^ *-? *name: (openai|anthropic)$", done.stdout) == upstreams


def test_without_any_providers_key_it_ends_and_says_whose_are_missing():
    env = {**ENVIRONMENT, "OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": ""}
    done = run("serve", "--config", ROOT / "docker/purser.yaml", env=env)
    assert done.returncode == 1
    assert "docker/purser.yaml:" in done.stderr
    assert "nowhere to send calls" in done.stderr and "(anthropic, openai)" in done.stderr


@pytest.mark.parametrize("name", ["PURSER_BUDGET_USD", "PURSER_KEY"])
def test_without_one_of_its_variables_it_is_refused_and_the_variable_named(name):
    env = {**os.environ, **ENVIRONMENT}
    del env[name]
    done = subprocess.run([str(OUT / "purser"), "check", str(ROOT / "docker/purser.yaml")],
                          text=True, capture_output=True, timeout=30, env=env)
    assert done.returncode == 1
    assert f"environment variable {name} is not set" in done.stderr


@pytest.mark.parametrize("name", ["PURSER_KEY", "PURSER_BUDGET_USD"])
def test_neither_the_key_nor_the_budget_may_be_empty(name):
    done = run("check", ROOT / "docker/purser.yaml", env={**ENVIRONMENT, name: ""})
    assert done.returncode == 1 and "error: " in done.stderr


def test_an_application_calls_it_by_its_services_name(provider, tmp_path):
    """With the shipped configuration; address, folder and upstream are this test's own."""
    purser = Purser(folder=tmp_path, config={}, env=ENVIRONMENT, start=False)
    text = (ROOT / "docker/purser.yaml").read_text()
    for old, new in (("0.0.0.0:8080", f"127.0.0.1:{purser.port}"), ("/data", "data"),
                     ("https://api.openai.com/v1", provider.url),
                     ("  - name: openai\n", "  - name: openai\n    provider: openai\n")):
        assert old in text
        text = text.replace(old, new)
    purser.config_path.write_text(text)
    with purser.start():
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
        url = f"{purser.base}/s/example-app/v1/chat/completions"
        host = {"Host": f"purser:{purser.port}"}
        answer = httpx.post(url, json=body, headers={**host, "Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200, answer.text
        assert purser.booked(answer)["session"] == "example-app"
        assert httpx.post(url, json=body, headers=host).status_code == 401
        assert run("health", purser.base).returncode == 0


# ---- purser health ----

def test_health_is_well_while_purser_answers(shared_provider):
    with Purser(shared_provider) as purser:
        purser.client.get("/healthz")  # this one waits until it has begun, however long that takes
        for url in (purser.base, purser.base + "/healthz", purser.base + "/readyz",
                    f"http://localhost:{purser.port}"):
            done = run("health", url)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        gone = run("health", purser.base + "/nowhere")
        assert gone.returncode == 1 and "404" in gone.stderr
    stopped = run("health", purser.base)
    assert stopped.returncode == 1 and "refused" in stopped.stderr


@pytest.mark.parametrize("answer", [plain_answer("", "503 Service Unavailable"), b"HTTP/1.1 20",
                                    b"", b"SSH-2.0-OpenSSH_9 200\r\n"])
def test_any_other_answer_is_not_well(answer):
    with Upstream(lambda connection, head, body: connection.sendall(answer)) as upstream:
        done = run("health", f"http://127.0.0.1:{upstream.port}/healthz")
        assert done.returncode == 1 and done.stderr.startswith("purser health: http://127.0.0.1:")


def test_silence_is_not_well():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        done = run("health", f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert done.returncode == 1 and "no answer" in done.stderr


@pytest.mark.parametrize("arguments", [["https://127.0.0.1:8080"], ["127.0.0.1:8080"],
                                       ["http://127.0.0.1", "twice"], ["-help"]])
def test_what_health_does_not_understand_gets_its_usage(arguments):
    done = run("health", *arguments)
    assert done.returncode == 2 and "usage: purser health [URL]" in done.stderr
