"""Fixtures of the scenario tests."""

import pytest

from harness import Provider, Purser


@pytest.fixture(scope="module")
def shared_provider():
    """One provider for a file: for tests that look at their own calls only."""
    with Provider() as running:
        yield running


@pytest.fixture
def provider():
    with Provider() as running:
        yield running


@pytest.fixture
def start(request):
    """start(**options) starts purser in front of the provider; ended after the test."""
    started = []

    def begin(*arguments, **options):
        arguments = arguments or (request.getfixturevalue("provider"),)
        purser = Purser(*arguments, **options)
        started.append(purser)
        return purser

    yield begin
    for purser in reversed(started):
        purser.close()
