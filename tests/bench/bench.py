#!/usr/bin/env python3
"""Measures purser beside nginx's proxy_pass, on loopback, in front of the fake provider.

Every figure is taken for both in the same run, in turns, and given as the median of several runs:

  CPU per request of 1 KB and of 100 KB        closed loop, not streamed
  CPU per streamed event                       100 and 1,000 streams at 50 events/s
  added latency                                p50 at a constant 500 requests/s, less the provider's own
  memory                                       idle, and per open stream (PSS: shared pages by share)

And of purser alone, what the cache costs and saves:

  CPU per answer from memory                   1 KB, the same question again and again
  CPU per cacheable request of 100 KB          asked with `no-cache`: fingerprinted, called, stored;
                                               beside the same request at temperature 1, which is not
  counting a prompt's tokens                   4 KB and 100 KB of English in one message: what a request
                                               pays whose bytes do not fit its budgets, and no other
  admission                                    a hold on three budgets that have headroom, and what
                                               100,000 live sessions cost
  CPU per request in one of many sessions      1 KB: 100,000 live sessions beside 100; what they commit
                                               to ceilings.db is in it
  CPU per request with a Redis                 1 KB, beside the same without one: budgets and rate
                                               limits are leased ahead
  latency of a round trip                      p50 where nothing is leased ahead: each request asks
                                               Redis and waits for the commit of what it was granted;
                                               beside it such a commit alone, on the same disk

CPU is the time the proxy's threads ran (/proc/PID/task/*/schedstat), its children's included. Purser
runs with all gates on: a key, budgets by day, month, session and request, and the ledger; both have
one worker and no access log. With --write the result goes to tests/bench/RESULTS.md.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from servers import (EAGER, HERE, KEY, LIMITS, ROOM, ROOT, SHARED, Failed, Nginx, Provider, Purser, Redis)

PATH = "/v1/chat/completions"
EVENT_GAP_MS = 20

# What is measured: name, what load is told, how a run's figure comes from load's report.
FULL = {
    "request_1k": {"requests": 20000, "connections": 16, "body-size": 1024},
    "request_100k": {"requests": 3000, "connections": 8, "body-size": 102400},
    "few_sessions": {"requests": 20000, "connections": 16, "sessions": 100},
    "many_sessions": {"requests": 20000, "connections": 16, "sessions": 100000},
    "stream_100": {"streams": 100, "chunks": 400},
    "stream_1000": {"streams": 1000, "chunks": 250},
    "hit_1k": {"requests": 40000, "connections": 16},
    "cacheable_100k": {"requests": 3000, "connections": 8},
    "latency": {"rate": 500, "seconds": 5, "connections": 64, "body-size": 1024},
    "memory": {"streams": 1000, "chunks": 300},
    "round_trip": {"rate": 50, "seconds": 8, "connections": 16, "body-size": 1024},
}
QUICK = {
    "request_1k": {"requests": 2000, "connections": 16, "body-size": 1024},
    "request_100k": {"requests": 300, "connections": 8, "body-size": 102400},
    "few_sessions": {"requests": 2000, "connections": 16, "sessions": 100},
    "many_sessions": {"requests": 2000, "connections": 16, "sessions": 2000},
    "stream_100": {"streams": 100, "chunks": 50},
    "stream_1000": {"streams": 200, "chunks": 50},
    "hit_1k": {"requests": 4000, "connections": 16},
    "cacheable_100k": {"requests": 300, "connections": 8},
    "latency": {"rate": 200, "seconds": 1, "connections": 64, "body-size": 1024},
    "memory": {"streams": 200, "chunks": 100},
    "round_trip": {"rate": 50, "seconds": 1, "connections": 16, "body-size": 1024},
}

# Words of the questions; the fake provider answers both with about 1 KB.
HIT_WORDS, CACHEABLE_WORDS = 150, 20000


def children_of(pid):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if entry.name.isdigit() and f"\nPPid:\t{pid}\n" in (entry / "status").read_text():
                found.append(int(entry.name))
    return found


def memory_kb(pid):
    """RSS and PSS of a process and its children."""
    sums = {"Rss:": 0, "Pss:": 0}
    for one in [pid, *children_of(pid)]:
        for line in pathlib.Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            name, *rest = line.split()
            if name in sums:
                sums[name] += int(rest[0])
    return {"rss": sums["Rss:"], "pss": sums["Pss:"]}


def write_question(path, words, temperature):
    """A chat request of so many words, answered with about 1 KB."""
    text = "[fake output=120] " + "word " * words
    path.write_text(json.dumps({"model": "gpt-4o-mini", "temperature": temperature,
                                "messages": [{"role": "user", "content": text}]}))
    return path


def commit_us(directory, times=200):
    """The median of a commit of one row as ceilings.db makes them: SQLite, WAL, FULL."""
    path = pathlib.Path(directory) / "commit.db"
    took = []
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, value INTEGER)")
        for value in range(times):
            began = time.perf_counter()
            database.execute("INSERT OR REPLACE INTO rows VALUES (1, ?)", (value,))
            took.append((time.perf_counter() - began) * 1e6)
    return statistics.median(took)


class Bench:
    def __init__(self, options, directory):
        build = pathlib.Path(options.build).resolve()
        self.load_binary = build / "tests" / "bench" / "load"
        self.estimate_binary = build / "tests" / "bench" / "estimate"
        self.admission_binary = build / "tests" / "bench" / "admission"
        self.plans = QUICK if options.quick else FULL
        self.runs = 1 if options.quick else options.runs
        self.provider = Provider(build / "tests" / "fakes" / "provider", directory)
        proxies = {"nginx": lambda: Nginx(self.provider, directory),
                   "purser": lambda: Purser(build / "purser", self.provider, directory)}
        self.proxies = [proxies[name]() for name in options.only or proxies]
        self.ours = "purser" in [server.name for server in self.proxies]
        self.redis = Redis(directory)
        self.alone, self.shared, self.eager, self.crowded = (
            Purser(build / "purser", self.provider, directory, name, more, redis)
            for name, more, redis in (("alone", LIMITS, None), ("shared", LIMITS + SHARED, self.redis),
                                      ("eager", EAGER, self.redis),
                                      ("crowded", ROOM, None)))
        self.pair = [self.alone, self.shared]
        self.directory = directory
        self.figures = {}
        directory = pathlib.Path(directory)
        self.questions = {
            "hit": write_question(directory / "hit.json", HIT_WORDS, 0),
            "cacheable": write_question(directory / "cacheable.json", CACHEABLE_WORDS, 0),
            "uncacheable": write_question(directory / "uncacheable.json", CACHEABLE_WORDS, 1),
        }

    def keep(self, server, name, value):
        self.figures.setdefault(server.name, {}).setdefault(name, []).append(value)

    def median(self, name, figure):
        values = self.figures.get(name, {}).get(figure)
        return statistics.median(values) if values else None

    def load_command(self, server, plan):
        plan = dict(plan)
        mode = "streams" if "streams" in plan else "rate" if "rate" in plan else "closed"
        chunks = plan.pop("chunks", None)
        if chunks:
            plan["fake"] = f"output={chunks} gap_ms={EVENT_GAP_MS}"
        command = [self.load_binary, mode, "--url", f"http://127.0.0.1:{server.port}{PATH}",
                   "--header", f"authorization: Bearer {KEY}", "--pid", str(server.process.pid),
                   "--limit-seconds", "120"]
        for name, value in plan.items():
            command += [f"--{name}", str(value)]
        return command

    def read_load(self, server, text):
        report = json.loads(text)
        if report["errors"]:
            raise Failed(f"{server.name}: load reports errors: {report}")
        return report

    def load(self, server, plan):
        done = subprocess.run(self.load_command(server, plan), stdout=subprocess.PIPE, check=True)
        return self.read_load(server, done.stdout)

    def warm_up(self, server):
        self.load(server, {"requests": 500, "connections": 16, "body-size": 1024})

    def measure_cpu(self, server):
        for name in ("request_1k", "request_100k"):
            report = self.load(server, self.plans[name])
            self.keep(server, name, report["cpu_us"] / report["requests"])
            self.keep(server, name + "_per_s", report["requests"] / report["seconds"])
        for name in ("stream_100", "stream_1000"):
            report = self.load(server, self.plans[name])
            self.keep(server, name, report["cpu_us"] / report["events"])

    def measure_cache(self, server):
        """The cache is purser's alone."""
        plans = {
            "hit_1k": {**self.plans["hit_1k"], "body": self.questions["hit"]},
            "cacheable_100k": {**self.plans["cacheable_100k"], "body": self.questions["cacheable"],
                               "header": "x-purser-cache: no-cache"},
            "uncacheable_100k": {**self.plans["cacheable_100k"],
                                 "body": self.questions["uncacheable"],
                                 "header": "x-purser-cache: no-cache"},
        }
        for name, plan in plans.items():
            report = self.load(server, plan)
            self.keep(server, name, report["cpu_us"] / report["requests"])

    def measure_latency(self, server):
        report = self.load(server, self.plans["latency"])
        self.keep(server, "p50", report["p50_us"])
        self.keep(server, "p99", report["p99_us"])

    def measure_memory(self, server):
        server.restart()
        time.sleep(0.5)
        idle = memory_kb(server.process.pid)
        plan = self.plans["memory"]
        loader = subprocess.Popen(self.load_command(server, plan), stdout=subprocess.PIPE)
        try:
            open_streams = self.wait_for_streams(plan["streams"])
            busy = memory_kb(server.process.pid)
            self.read_load(server, loader.communicate()[0])
        finally:
            loader.kill()
            loader.wait()
        for kind in ("rss", "pss"):
            self.keep(server, f"idle_{kind}_mb", idle[kind] / 1024)
            self.keep(server, f"stream_{kind}_kb", (busy[kind] - idle[kind]) / open_streams)

    def measure_sessions(self, server):
        """In each session there was a request before, so all are live. Once: opening takes long."""
        server.restart()
        self.warm_up(server)
        for name in ("few_sessions", "many_sessions"):
            plan = self.plans[name]
            self.load(server, {**plan, "requests": plan["sessions"]})
            report = self.load(server, plan)
            self.keep(server, name, report["cpu_us"] / report["requests"])
        server.stop()

    def measure_shared(self, server):
        """CPU per request, of purser alone: with a Redis or without."""
        server.restart()
        self.warm_up(server)
        report = self.load(server, self.plans["request_1k"])
        self.keep(server, "request_1k", report["cpu_us"] / report["requests"])

    def measure_round_trip(self):
        self.eager.restart()
        self.warm_up(self.eager)
        before = self.redis.scripts_run()
        report = self.load(self.eager, self.plans["round_trip"])
        asked = self.redis.scripts_run() - before
        if asked < report["requests"] * 0.6:  # else its p50 may be of one that did not
            raise Failed(f"{report['requests']} requests asked Redis only {asked} times")
        self.keep(self.eager, "p50", report["p50_us"])
        self.eager.stop()
        self.keep(self.eager, "direct", self.load(self.provider, self.plans["round_trip"])["p50_us"])
        self.keep(self.eager, "commit", commit_us(self.directory))

    def measure_store(self):
        self.redis.restart()
        for server in self.pair:
            self.measure_shared(server)
            server.stop()
        self.pair.reverse()
        self.measure_round_trip()
        self.redis.stop()

    def wait_for_streams(self, count):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.provider.streams_open() == count:
                time.sleep(0.5)
                return count
            time.sleep(0.02)
        raise Failed(f"never {count} open streams")

    def run_once(self):
        for server in self.proxies:
            server.restart()
            self.warm_up(server)
            self.measure_cpu(server)
            if server.name == "purser":
                self.measure_cache(server)
        for server in [self.provider, *self.proxies]:
            self.measure_latency(server)
        for server in self.proxies:
            self.measure_memory(server)
        if self.ours:
            self.measure_store()

    def run(self):
        try:
            self.provider.start()
            for number in range(self.runs):
                print(f"run {number + 1} of {self.runs}", file=sys.stderr, flush=True)
                self.run_once()
                self.proxies.reverse()  # who goes first takes turns, too
            if self.ours:
                self.measure_sessions(self.crowded)
        finally:
            for server in [*self.proxies, *self.pair, self.eager, self.crowded, self.redis,
                           self.provider]:
                server.stop()

    def added(self, name):
        through, direct = self.median(name, "p50"), self.median("provider", "p50")
        return None if through is None else through - direct


# What a table says: title, unit, figure, and the goal: "x" of nginx's figure, or "at most".
ROWS = [
    ("CPU per request, 1 KB", "µs", "request_1k", ("x", 3.0)),
    ("CPU per request, 100 KB", "µs", "request_100k", ("x", 2.5)),
    ("CPU per event, {stream_100} streams", "µs", "stream_100", ("x", 1.6)),
    ("CPU per event, {stream_1000} streams", "µs", "stream_1000", ("x", 1.6)),
    ("Added p50 at {rate} requests/s", "µs", "added", None),
    ("Memory idle (RSS)", "MB", "idle_rss_mb", ("at most", 20)),
    ("Memory per open stream (PSS)", "KB", "stream_pss_kb", ("at most", 60)),
    ("Requests/s at full load, 1 KB", "", "request_1k_per_s", None),
    ("p99 at {rate} requests/s", "µs", "p99", None),
    ("Memory idle (PSS)", "MB", "idle_pss_mb", None),
]


def show(value):
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"


def judge(goal, ours, ratio):
    if goal is None:
        return "", ""
    kind, most = goal
    said = {"x": f"≤ {most}x nginx", "at most": f"≤ {most}", "at least": f"≥ {most:,}"}[kind]
    figure = ratio if kind == "x" else ours
    if figure is None:
        return said, "not measured"
    good = figure >= most if kind == "at least" else figure <= most
    return said, "reached" if good else "**missed**"


def table(bench):
    sizes = {name: plan["streams"] for name, plan in bench.plans.items() if "streams" in plan}
    lines = ["| figure | unit | nginx | purser | ratio | goal | |", "|---|---|--:|--:|--:|---|---|"]
    for title, unit, figure, goal in ROWS:
        pick = bench.added if figure == "added" else lambda name, f=figure: bench.median(name, f)
        theirs, ours = pick("nginx"), pick("purser")
        ratio = ours / theirs if ours is not None and theirs else None
        said, verdict = judge(goal, ours, ratio)
        title = title.format(rate=bench.plans["latency"]["rate"], **sizes)
        shown_ratio = f"{ratio:.2f}" if ratio is not None else "–"
        lines.append(f"| {title} | {unit} | {show(theirs)} | {show(ours)} | {shown_ratio} |"
                     f" {said} | {verdict} |")
    return lines


def cache_table(bench):
    hit, cacheable, uncacheable = (bench.median("purser", name) for name in
                                   ("hit_1k", "cacheable_100k", "uncacheable_100k"))
    if hit is None:
        return []
    rows = [("CPU per answer from memory, 1 KB", "µs", hit, ("at most", 20)),
            ("Answers from memory per second of CPU", "", 1e6 / hit, ("at least", 40000)),
            ("CPU per cacheable request, 100 KB", "µs", cacheable, None),
            ("the same, not cacheable", "µs", uncacheable, None),
            ("ratio", "", cacheable / uncacheable, ("at most", 1.5))]
    lines = ["", "The cache (purser alone):", "", "| figure | unit | purser | goal | |",
             "|---|---|--:|---|---|"]
    for title, unit, value, goal in rows:
        said, verdict = judge(goal, value, None)
        shown = f"{value:.2f}" if value < 10 else show(value)
        lines.append(f"| {title} | {unit} | {shown} | {said} | {verdict} |")
    return lines


def count_table(bench):
    """Counting is timed in a process of its own: it is the least of several rounds."""
    done = subprocess.run([bench.estimate_binary, ROOT / "LICENSE", "4096", "102400"],
                          capture_output=True, text=True, check=True)
    small, large = (int(line) / 1000 for line in done.stdout.split())
    lines = ["", "Counting the input of a request that its bytes would not let pass (purser alone):", "",
             "| figure | unit | purser | goal | |", "|---|---|--:|---|---|"]
    for title, value, goal in (("a prompt of 4 KB", small, ("at most", 40)),
                               ("a prompt of 100 KB", large, None)):
        said, verdict = judge(goal, value, None)
        lines.append(f"| {title} | µs | {show(value)} | {said} | {verdict} |")
    return lines


def admission_table(bench):
    """Likewise: the median of a hundred thousand admissions; and what sessions are for a request."""
    done = subprocess.run([bench.admission_binary, "100", "100000"],
                          capture_output=True, text=True, check=True)
    few, many = ([float(field) for field in line.split()] for line in done.stdout.splitlines())
    lines = ["", "Admission that finds headroom on three budgets (the budget core alone):", "",
             "| figure | unit | purser | goal | |", "|---|---|--:|---|---|"]
    for title, unit, value, goal in (
            ("an admission, 100 live sessions", "µs", few[0] / 1000, ("at most", 1)),
            ("an admission, 100,000 live sessions", "µs", many[0] / 1000, ("at most", 1)),
            ("a settlement, 100,000 live sessions", "µs", many[1] / 1000, None),
            ("memory of 100,000 live sessions", "MB", many[2] / 1024, ("at most", 60))):
        said, verdict = judge(goal, value, None)
        lines.append(f"| {title} | {unit} | {value:.2f} | {said} | {verdict} |")
    return lines + session_rows(bench)


def session_rows(bench):
    few, many = bench.median("crowded", "few_sessions"), bench.median("crowded", "many_sessions")
    if few is None:
        return []
    return [f"| CPU per request, 1 KB, 100 live sessions | µs | {few:.1f} |  |  |",
            f"| the same among {bench.plans['many_sessions']['sessions']:,} | µs | {many:.1f} |  |  |",
            f"| ratio | | {many / few:.2f} |  |  |"]


def store_table(bench):
    alone, shared = bench.median("alone", "request_1k"), bench.median("shared", "request_1k")
    if alone is None:
        return []
    p50, direct, commit = (bench.median("eager", name) for name in ("p50", "direct", "commit"))
    plan = bench.plans["round_trip"]
    rows = [("CPU per request, 1 KB, without a Redis", "µs", alone, None),
            ("the same with one", "µs", shared, None),
            ("ratio", "", shared / alone, ("at most", 1.15)),
            (f"p50 of a request that asks Redis and commits, {plan['rate']} requests/s", "µs", p50, None),
            ("the provider's own p50 at that rate", "µs", direct, None),
            ("so much is added", "µs", p50 - direct, ("at most", 1500)),
            ("a commit alone (SQLite, FULL, this disk)", "µs", commit, None)]
    lines = ["", "Budgets and rate limits shared through a Redis (purser alone):", "",
             "| figure | unit | purser | goal | |", "|---|---|--:|---|---|"]
    for title, unit, value, goal in rows:
        said, verdict = judge(goal, value, None)
        shown = f"{value:.2f}" if value < 10 else show(value)
        lines.append(f"| {title} | {unit} | {shown} | {said} | {verdict} |")
    return lines


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "not there"
    return (done.stdout + done.stderr).strip().split("\n")[0]


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def machine(options):
    purser = pathlib.Path(options.build) / "purser"
    return [
        f"* CPU: {cpu_model()}, {os.cpu_count()} cores; kernel {platform.release()}",
        f"* nginx: {first_line(shutil.which('nginx') or '/usr/sbin/nginx', '-v')}",
        f"* purser: {first_line(purser, '--version')}, revision "
        f"{first_line('git', '-C', str(ROOT), 'rev-parse', '--short', 'HEAD')}",
        f"* date: {datetime.date.today().isoformat()}",
    ]


def results(bench, options):
    direct = bench.median("provider", "p50")
    return "\n".join([
        "# Benchmark", "",
        "Made by `make bench` (`tests/bench/bench.py` says how each figure is taken): nginx `proxy_pass`",
        "and purser with all gates on, one worker each, in front of the fake provider on loopback;",
        f"medians of {bench.runs} runs, taken in turns. Load and provider share the machine.", "",
        *machine(options), "", *table(bench), *cache_table(bench), *count_table(bench),
        *admission_table(bench), *store_table(bench), "",
        f"The provider's own p50 without a proxy: {show(direct)} µs.", ""])


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=ROOT / "build" / "release", help="where the binaries are")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short run: does it work at all?")
    parser.add_argument("--only", action="append", choices=["nginx", "purser"], help="may repeat")
    parser.add_argument("--write", action="store_true", help="write tests/bench/RESULTS.md")
    return parser.parse_args()


def main():
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    with tempfile.TemporaryDirectory(prefix="purser-bench-") as directory:
        bench = Bench(options, directory)
        try:
            bench.run()
        except Failed as failed:
            sys.exit(f"bench: {failed}")
        text = results(bench, options)
    if options.write:
        (HERE / "RESULTS.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
