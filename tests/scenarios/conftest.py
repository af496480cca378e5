"""Fixtures of the scenario tests."""

import pytest

from harness import Provider, Purser


@pytest.fixture
def provider():
    with Provider() as running:
        yield running


@pytest.fixture
def start(provider):
    """start(**options) starts purser in front of the provider; ended after the test."""
    started = []

    def begin(*arguments, **options):
        purser = Purser(*(arguments or (provider,)), **options)
        started.append(purser)
        return purser

    yield begin
    for purser in reversed(started):
        purser.close()
