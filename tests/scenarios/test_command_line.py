"""The program as an operator meets it: serve, check, and what is said when something is wrong."""

import json
import os
import re
import signal
import socket
import subprocess

import httpx
import pytest

from harness import OUT, ROOT, Process, Purser, upstream_of, wait_until

ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name not in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "PURSER_BUDGET_USD")}


def run(*arguments, env=None, cwd=None):
    return subprocess.run([str(OUT / "purser"), *map(str, arguments)], text=True,
                          capture_output=True, timeout=30, cwd=cwd,
                          env={**ENVIRONMENT, **(env or {})})


def configuration(folder, text):
    path = folder / "purser.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("command", ["serve", "check", "prices", "tokens", "cache", "budget",
                                     "health"])
def test_each_command_explains_itself_when_asked(command):
    for arguments in (["--help"], ["-h"], ["whatever", "--help"]):
        done = run(command, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"usage: purser {command} ")


@pytest.mark.parametrize("words", [["tokens"], ["check", "--reference"], ["prices"]])
def test_an_output_that_cannot_be_written_is_no_success(words):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(OUT / "purser"), *words], stdin=subprocess.DEVNULL, stdout=full,
                              stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 1
    assert b"cannot be written" in done.stderr


# ---- tokens ----

def tokens(*arguments, text=None, cwd=None):
    return subprocess.run([str(OUT / "purser"), "tokens", *map(str, arguments)], text=True,
                          input=text, capture_output=True, timeout=30, cwd=cwd)


def test_tokens_counts_files_and_standard_input(tmp_path):
    (tmp_path / "a.txt").write_text("Hello, world!")
    (tmp_path / "b c.txt").write_text("\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440")
    done = tokens("a.txt", "b c.txt", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "4 a.txt\n4 b c.txt\n")
    assert tokens(text="Hello, world!").stdout == "4\n"
    assert tokens("a.txt", "-", text="", cwd=tmp_path).stdout == "4 a.txt\n0\n"
    for chosen in (["--encoding", "cl100k_base"], ["--model", "gpt-4"]):
        assert tokens(*chosen, "b c.txt", cwd=tmp_path).stdout == "6 b c.txt\n"


def test_tokens_counts_chat_requests_by_their_model(tmp_path):
    body = {"model": "gpt-4o", "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Hello!"}]}
    (tmp_path / "chat.json").write_text(json.dumps(body))
    assert tokens("--chat", "chat.json", cwd=tmp_path).stdout == "19 chat.json\n"
    body["model"] = "my-model"
    assert tokens("--chat", "--model", "gpt-4", text=json.dumps(body)).stdout == "19\n"
    assert tokens("--chat", text=json.dumps(body)).stdout == "24 (estimate)\n"
    for text, told in (("{}", "names no model"),
                       ('{"model": "gpt-4o"}', "no chat request"), ("{", "not JSON at byte 1")):
        done = tokens("--chat", text=text)
        assert (done.returncode, done.stdout) == (1, "") and told in done.stderr


def test_tokens_of_a_model_without_a_public_tokeniser_are_an_estimate(tmp_path):
    (tmp_path / "a.txt").write_text("Hello, world!")
    claude = ["--model", "claude-sonnet-4-5"]
    done = tokens(*claude, "a.txt", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "6 a.txt (estimate)\n", "")
    assert tokens(*claude, text="\u65e5\u672c").stdout == "3 (estimate)\n"
    assert tokens("--model", "my-model", "a.txt", cwd=tmp_path).stdout == "5 a.txt (estimate)\n"
    body = {"model": "gpt-4o", "messages": [], "tools": [{"type": "function"}]}
    assert tokens("--chat", text=json.dumps(body)).stdout.endswith(" (estimate)\n")


def test_tokens_names_what_it_cannot_read_and_counts_the_others(tmp_path):
    (tmp_path / "a.txt").write_text("Hello, world!")
    done = tokens("none.txt", tmp_path, "a.txt", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "4 a.txt\n")
    assert "none.txt: No such file" in done.stderr and "Is a directory" in done.stderr


@pytest.mark.parametrize("arguments,told", [
    (["--encoding", "p50k_base"], "o200k_base and cl100k_base"),
    (["--model", "gpt-4", "--encoding", "o200k_base"], "usage"),
    (["--model"], "usage"), (["--fly", "high"], "usage")])
def test_tokens_says_what_it_does_not_understand(arguments, told):
    done = tokens(*arguments, text="x")
    assert (done.returncode, done.stdout) == (2, "") and told in done.stderr


# ---- serve ----

def test_serve_without_anything_says_what_it_needs(tmp_path):
    done = run("serve", cwd=tmp_path)
    assert done.returncode == 1
    assert "OPENAI_API_KEY" in done.stderr and "--config" in done.stderr
    assert not list(tmp_path.iterdir())


def test_serve_with_a_missing_file_names_it(tmp_path):
    done = run("serve", "--config", tmp_path / "none.yaml")
    assert done.returncode == 1 and "none.yaml" in done.stderr


@pytest.mark.parametrize("arguments", [["serve", "--port", "80"], ["serve", "--config"],
                                       ["fly"], ["check", "--fly"], ["check", "a", "b"],
                                       ["check", "a", "--config", "b"], ["check", "--config"]])
def test_an_argument_that_is_not_understood_gets_the_usage(arguments):
    done = run(*arguments)
    assert done.returncode == 2 and "purser check" in done.stderr or "purser serve" in done.stderr


@pytest.mark.parametrize("argument", ["--help", "help", "-h"])
def test_help_lists_the_commands(argument):
    done = run(argument)
    assert done.returncode == 0
    assert "serve" in done.stdout and "check" in done.stdout


def test_the_version_is_told():
    done = run("--version")
    assert done.returncode == 0 and done.stdout.startswith("purser ")


def test_ceilings_are_made_and_a_damaged_file_of_them_stops_the_start(shared_provider):
    with Purser(shared_provider) as purser:
        path = purser.folder / "data/ceilings.db"
        assert path.stat().st_mode & 0o777 == 0o600
        purser.end()
        assert [found.name for found in path.parent.glob("ceilings.db*")] == ["ceilings.db"]
        sound = path.read_bytes()
        path.write_bytes(b"no database" * 500)
        done = run("serve", "--config", purser.config_path)
        assert done.returncode == 1
        assert f"{path} is damaged: restore it" in done.stderr
        assert path.read_bytes() == b"no database" * 500
        path.write_bytes(sound)
        purser.start()
        assert purser.chat().status_code == 200


def test_a_taken_port_is_named(shared_provider, tmp_path):
    with Purser(shared_provider) as purser:
        done = run("serve", "--config", purser.config_path)
        assert done.returncode == 1
        assert str(purser.port) in done.stderr and "in use" in done.stderr
        assert purser.chat().status_code == 200


def test_a_socket_of_another_purser_is_not_taken(shared_provider, tmp_path):
    path = tmp_path / "purser.sock"
    config = {"listen": f"unix:{path}", "auth": {"mode": "open"}, "data_dir": "one",
              "upstreams": [upstream_of(shared_provider)]}
    first = Process([OUT / "purser", "serve", "--config",
                     configuration(tmp_path, json.dumps(config))], tmp_path / "log")
    wait_until(path.exists, what="the socket")
    done = run("serve", "--config", configuration(tmp_path, json.dumps(
        {**config, "data_dir": "two"})))
    assert done.returncode == 1 and "another process" in done.stderr
    first.kill()  # leaves its socket behind, which the next one takes over
    second = Process([OUT / "purser", "serve", "--config", tmp_path / "purser.yaml"],
                     tmp_path / "log2")

    def answers():
        assert second.alive(), second.log()
        try:
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
                return client.get("http://localhost/healthz").status_code == 200
        except httpx.HTTPError:
            return False
    wait_until(answers, what="the second purser")
    assert second.end() == 0


def test_without_a_file_the_environment_is_enough(tmp_path):
    """auth.mode: open on 127.0.0.1:8080; checked only where nobody has that port."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8080)) == 0:
            pytest.skip("port 8080 is taken")
    process = Process([OUT / "purser", "serve"], tmp_path / "log", cwd=tmp_path, env={
        **ENVIRONMENT, "OPENAI_API_KEY": "sk-x", "PURSER_BUDGET_USD": "1.5"})
    try:
        def budget():
            assert process.alive(), process.log()
            try:
                return httpx.get("http://127.0.0.1:8080/budget").json()["data"]
            except httpx.HTTPError:
                return None
        row, = wait_until(budget, what="purser to listen")
        assert (row["scope"], row["limit"], row["window"]["kind"]) == ("global", 1.5, "day")
    finally:
        process.end()


def test_without_a_budget_there_is_a_loud_warning(shared_provider):
    with Purser(shared_provider) as purser:
        assert "NO BUDGET" in purser.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(shared_provider, number):
    with Purser(shared_provider) as purser:
        purser.chat()
        purser.process.signal(number)
        assert purser.process.child.wait(10) == 0
        assert "everything is booked" in purser.log()
        assert purser.ledger()[-1]["kind"] == "close"


def test_the_access_log_has_a_line_per_request_with_its_cost(shared_provider):
    with Purser(shared_provider) as purser:
        answer = purser.chat(fake="prompt=10,output=10")
        name = answer.headers["x-purser-request-id"]
        line, = [line for line in purser.log().splitlines() if name in line]
        assert "200" in line and "key=alice" in line and "0.0000075" in line


def test_the_access_log_can_be_json_or_silent(shared_provider):
    with Purser(shared_provider, log={"format": "json"}) as purser:
        name = purser.chat().headers["x-purser-request-id"]
        line, = [line for line in purser.log().splitlines() if name in line]
        assert name in json.dumps(json.loads(line))
    with Purser(shared_provider, log={"access": False}) as purser:
        name = purser.chat().headers["x-purser-request-id"]
        assert name not in purser.log()


# ---- check ----

def test_check_tells_all_faults_at_once_with_line_and_remedy(tmp_path):
    path = configuration(tmp_path, """\
listen: 127.0.0.1
wrokers: 2
limits: {body_mb: 0, connections: many}
keys:
  - {id: alice, key: "${NOT_SET_ANYWHERE}"}
  - {id: alice, hash: "sha256:12"}
upstreams:
  - {name: openai, base_url: "ftp://x", dialect: klingon}
budgets:
  - {name: a, scope: planet, window: day, usd: -1}
  - {name: b, scope: key, match: {key: nobody}, window: fortnight, usd: 1}
router: {default: x}
""")
    done = run("check", path)
    assert done.returncode == 1
    faults = done.stderr
    for line, words in ((1, "listen"), (2, "workers"), (3, "body_mb"), (3, "connections"),
                        (5, "NOT_SET_ANYWHERE"), (6, "alice"), (6, "hash"), (8, "base_url"),
                        (8, "dialect"), (10, "scope"), (10, "usd"), (11, "window"), (12, "router")):
        assert [fault for fault in faults.splitlines()
                if f"purser.yaml:{line}:" in fault and words in fault], (line, words, faults)


@pytest.mark.parametrize("text", ["{", "a: [1", "- 1\n- 2", "\x00", "a: &x\n  <<: *x", "", "7",
                                  "keys: 7", "listen: {a: 1}", "a: !!python/object:os.system x"])
def test_check_survives_what_is_no_configuration(tmp_path, text):
    done = run("check", configuration(tmp_path, text))
    assert done.returncode == 1
    assert "purser.yaml" in done.stderr and "error" in done.stderr


def test_check_approves_a_good_file_and_counts_it(tmp_path):
    path = configuration(tmp_path, json.dumps({
        "keys": [{"id": "a", "key": "k" * 20}],
        "upstreams": [{"name": "u", "base_url": "http://127.0.0.1:1/v1"}],
        "budgets": [{"name": "b", "scope": "global", "window": "day", "usd": 1}]}))
    done = run("check", path)
    assert run("check", "--config", path).stdout == done.stdout
    assert done.returncode == 0, done.stderr
    assert "1 upstream" in done.stdout and "1 key" in done.stdout and "1 budget" in done.stdout


def test_print_shows_every_option_in_force_and_no_secret(tmp_path):
    path = configuration(tmp_path, json.dumps({
        "keys": [{"id": "a", "key": "very-secret-key-of-a"}],
        "auth": {"admin_token": "very-secret-admin-token"},
        "upstreams": [{"name": "u", "base_url": "http://127.0.0.1:1/v1",
                       "api_key": "very-secret-upstream"}]}))
    done = run("check", "--print", path)
    assert done.returncode == 0, done.stderr
    assert "very-secret" not in done.stdout
    for option in ("listen:", "body_mb:", "budget_status:", "min_output_tokens:", "rotate_mb:"):
        assert option in done.stdout
    for fixed in ("32", "429", "127.0.0.1:8080"):
        assert fixed in done.stdout


@pytest.mark.parametrize("name", ["minimal.yaml", "purser.yaml"])
def test_the_configurations_that_come_along_are_good(name):
    path = ROOT / "config" / name
    if not path.exists():
        pytest.skip("not there yet")
    wanted = set(re.findall(r"\$\{(\w+)\}", path.read_text()))
    done = run("check", path, env={variable: f"value-of-{variable}-0123456789" for variable in
                                   wanted})
    assert done.returncode == 0, done.stderr


def test_open_mode_on_a_public_address_is_refused(tmp_path):
    path = configuration(tmp_path, json.dumps({
        "listen": "0.0.0.0:9", "auth": {"mode": "open"},
        "upstreams": [{"name": "u", "base_url": "http://127.0.0.1:1/v1"}]}))
    done = run("check", path)
    assert done.returncode == 1 and "open" in done.stderr
