"""Fixtures of the scenario tests."""

import ssl
import subprocess

import pytest

from harness import Provider, Purser


@pytest.fixture(scope="module")
def shared_provider():
    """One provider for a file: for tests that look at their own calls only."""
    with Provider() as running:
        yield running


@pytest.fixture
def books(purser, shared_provider):
    """After the test the books of the file's `purser` are the provider's bill, and nothing is held."""
    before = shared_provider.settled_bill(False)["cost_nano_usd"]
    booked = sum(purser.settled().values())
    yield
    purser.idle()
    bill = shared_provider.settled_bill(False)["cost_nano_usd"] - before
    assert sum(purser.settled().values()) - booked == bill
    assert all(row["reserved"] == 0 for row in purser.budgets().values())


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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A folder with cert.pem and key.pem of 127.0.0.1, which nobody trusts."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out",
         folder / "cert.pem"], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def tls_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context
