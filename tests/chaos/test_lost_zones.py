"""The files of time zones are away for a while, as when tzdata is replaced: what was made or deleted
elsewhere meanwhile is in force when they are back (lost_zones.c)."""

import os
import pathlib

import pytest
from fleet import Fleet
from harness import error_of, wait_until
from preloading import library_of, preload
from redises import Redis
from runtime import delete, listed, make_budget, make_key

SOURCE = pathlib.Path(__file__).with_name("lost_zones.c")

pytestmark = pytest.mark.skipif(os.environ.get("BUILD") == "tsan",
                                reason="TSan's own runtime stands in front of a preloaded one")


def test_a_key_that_was_deleted_meanwhile_ends_when_they_are_back(provider, tmp_path):
    sign = tmp_path / "lost"
    shim = library_of(SOURCE, tmp_path / "lost_zones.so")
    with Redis() as redis, Fleet(provider, redis, calls=100,
                                 envs=[None, preload(shim, LOST_ZONES=str(sign))]) as fleet:
        one, other = fleet.pursers
        key = make_key(one)
        make_budget(one, name="madrid", scope="global", window="day", timezone="Europe/Madrid",
                    usd=1)
        wait_until(lambda: "madrid" in listed(other, "budgets"), 30, "the budget")
        assert other.chat(key=key).status_code == 200
        sign.touch()
        delete(one, "/admin/keys/bob")
        wait_until(lambda: "are not in force here, until this is mended" in other.log(), 30, "a word")
        assert "Europe/Madrid" in other.log()
        assert other.chat(key=key).status_code == 200
        sign.unlink()
        wait_until(lambda: "bob" not in listed(other, "keys"), 30, "its end")
        wait_until(lambda: other.chat(key=key).status_code == 401, 30, "its end everywhere")
        error_of(other.chat(key=key), 401, "invalid_api_key")
        assert other.log().count("until this is mended") == 1
