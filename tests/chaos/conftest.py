"""Fixtures of the chaos tests. A process under a sanitizer that complained fails its test."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scenarios")]

from harness import Provider, Purser  # noqa: E402

os.environ.setdefault("TSAN_OPTIONS", f"suppressions={HERE / 'tsan.supp'}:exitcode=66")


def assert_no_complaint(log):
    for sign in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
                 "WARNING: ThreadSanitizer", "assertion"):
        at = log.find(sign)
        assert at < 0, log[max(at - 200, 0):at + 6000]


@pytest.fixture
def provider():
    with Provider() as running:
        yield running


@pytest.fixture
def start(provider):
    """start(**options) starts purser in front of the provider; ended after the test."""
    started = []

    def begin(**options):
        purser = Purser(provider, **options)
        started.append(purser)
        return purser

    yield begin
    logs = []
    try:
        for purser in reversed(started):
            if purser.process is not None and purser.process.alive():
                purser.end()
            logs.append(purser.log())
    finally:
        for purser in started:
            purser.close()
    for log in logs:
        assert_no_complaint(log)
