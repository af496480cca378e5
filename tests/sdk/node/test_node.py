"""Runs openai.test.mjs, the openai package for Node through purser; each of its tests is one here."""

import pathlib

import pytest

import nodes

TESTS = pathlib.Path(__file__).resolve().parent / "openai.test.mjs"


@pytest.fixture(scope="module")
def outcomes(node, node_modules, purser, provider, keys):
    return nodes.run_tests(node, TESTS, node_modules, purser, provider, keys)


@nodes.each_test(TESTS)
def test_in_node(outcomes, name):
    nodes.must_have_passed(name, outcomes)
