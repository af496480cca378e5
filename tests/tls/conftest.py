"""Fixtures of the TLS tests: authorities and certificates, made once. A purser under a sanitizer that
complained fails its test."""

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scenarios"), str(HERE.parent / "chaos")]

from harness import Provider  # noqa: E402

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """Signs certificates: NAME.pem and NAME.key in a folder; its own is `path`."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.path = folder / f"{name}.pem"
        self.openssl("req", "-x509", *KEY, "-days", "2", "-subj", f"/CN={name}", "-keyout",
                     folder / f"{name}.key", "-out", self.path)

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

    def sign(self, name, names, days=2):
        """For `names` ("IP:127.0.0.1,DNS:redis.test"); the paths of certificate and key."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        cert, extension = self.folder / f"{name}.pem", self.folder / f"{name}.ext"
        self.openssl("req", "-new", *KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extension.write_text(f"subjectAltName={names}\n")
        self.openssl("x509", "-req", "-in", request, "-CA", self.path, "-CAkey",
                     self.folder / f"{self.name}.key", "-CAcreateserial", "-days", days,
                     "-extfile", extension, "-out", cert)
        return cert, key


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "theirs")


@pytest.fixture(scope="session")
def certificate(authority):
    """Of every server here."""
    return authority.sign("server", "IP:127.0.0.1,DNS:localhost")


@pytest.fixture
def provider():
    with Provider() as running:
        yield running
