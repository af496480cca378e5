"""Test files in Node (*.test.mjs): run once, each of their tests is one of pytest."""

import json
import os
import re
import subprocess

import pytest


def each_test(path):
    """The test is called with the name of each one in the file."""
    return pytest.mark.parametrize("name", re.findall(r'(?m)^test\("([^"]*)"', path.read_text()))


def run_tests(node, path, packages, purser, provider, keys):
    """{name: None or what went wrong} and the whole output. `packages` has node_modules in it."""
    env = {**os.environ, "PURSER_URL": purser.base, "PROVIDER_URL": provider.base,
           "KEYS": json.dumps(keys), "PACKAGES": f"{packages}/"}
    run = subprocess.run([node, "--test", "--test-reporter=tap", path], env=env,
                         capture_output=True, text=True, timeout=300)
    report = {}
    for part in re.split(r"(?m)^(?= *(?:not )?ok \d+ - )", run.stdout)[1:]:
        fine, name = re.match(r" *(not )?ok \d+ - (.*)", part).groups()
        report[name.replace("\\#", "#")] = part + run.stderr if fine else None
    return report, run.stdout + run.stderr


def must_have_passed(name, outcomes):
    report, everything = outcomes
    assert name in report, everything
    assert report[name] is None, report[name]
