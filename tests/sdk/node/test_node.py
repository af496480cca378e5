"""Runs openai.test.mjs, the openai package for Node through purser; each of its tests is one here.

Its packages go into build/node. The package asks for Node 22; where the system's is older, one
comes along by npm.
"""

import json
import os
import pathlib
import platform
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PACKAGES = ROOT / "build" / "node"
TESTS = HERE / "openai.test.mjs"
NAMES = re.findall(r'(?m)^test\("([^"]*)"', TESTS.read_text())
NODE_LEAST, NODE_PACKAGE = 22, "22.23.3"


def npm_install(wanted):
    """Puts what package.json wants into build/node, unless it is there."""
    have = PACKAGES / "package.json"
    if have.exists() and have.read_text() == wanted and (PACKAGES / "done").exists():
        return
    shutil.rmtree(PACKAGES, ignore_errors=True)
    PACKAGES.mkdir(parents=True)
    have.write_text(wanted)
    run = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock",
                          "--loglevel=error"], cwd=PACKAGES, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    (PACKAGES / "done").touch()


@pytest.fixture(scope="session")
def node():
    """The program, new enough, and the packages installed."""
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    wanted = json.loads((HERE / "package.json").read_text())
    program = "node"
    if int(version[1:].split(".")[0]) < NODE_LEAST:
        machine = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
        wanted["dependencies"][f"node-linux-{machine}"] = NODE_PACKAGE
        program = PACKAGES / f"node_modules/node-linux-{machine}/bin/node"
    npm_install(json.dumps(wanted, indent=2))
    return program


@pytest.fixture(scope="module")
def outcomes(node, purser, provider, keys):
    """{name: None or what went wrong}, read from the report of all tests, run once."""
    env = {**os.environ, "PURSER_URL": purser.base, "PROVIDER_URL": provider.base,
           "KEYS": json.dumps(keys), "PACKAGES": f"{PACKAGES}/"}
    run = subprocess.run([node, "--test", "--test-reporter=tap", TESTS], env=env,
                         capture_output=True, text=True, timeout=300)
    report = {}
    for part in re.split(r"(?m)^(?= *(?:not )?ok \d+ - )", run.stdout)[1:]:
        fine, name = re.match(r" *(not )?ok \d+ - (.*)", part).groups()
        report[name.replace("\\#", "#")] = part + run.stderr if fine else None
    return report, run.stdout + run.stderr


@pytest.mark.parametrize("name", NAMES)
def test_in_node(outcomes, name):
    report, everything = outcomes
    assert name in report, everything
    assert report[name] is None, report[name]
