"""Runs openai.test.mjs, the openai package for Node through purser; each of its tests is one here."""

import json
import os
import pathlib
import re
import subprocess

import pytest

TESTS = pathlib.Path(__file__).resolve().parent / "openai.test.mjs"
NAMES = re.findall(r'(?m)^test\("([^"]*)"', TESTS.read_text())


@pytest.fixture(scope="module")
def outcomes(node, node_modules, purser, provider, keys):
    """{name: None or what went wrong}, read from the report of all tests, run once."""
    env = {**os.environ, "PURSER_URL": purser.base, "PROVIDER_URL": provider.base,
           "KEYS": json.dumps(keys), "PACKAGES": f"{node_modules}/"}
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
