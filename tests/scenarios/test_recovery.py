"""What budgets are after a kill, a power loss, a lost or damaged file, and while a disk is full:
the provider's bill is never above what is booked, nor that above a limit."""

import hashlib
import re
import resource
import shutil
import sqlite3

import httpx
import pytest
from harness import ADMIN, NANO, error_of, usd, wait_until

BUDGETS = [{"name": "all", "scope": "global", "window": "total", "usd": 1},
           {"name": "keys", "scope": "key", "window": "day", "usd": 0.5, "tokens": 1000000}]
ALL = ("all", "all", "usd")


@pytest.fixture
def purser(provider, start):
    return start(provider, budgets=BUDGETS)


def ready(purser):
    return httpx.get(purser.base + "/readyz").status_code


def some_calls(purser, count=5):
    for number in range(count):
        answer = purser.chat(f"call {number}", fake="prompt=100,output=400", max_tokens=500)
        assert answer.status_code == 200
        purser.booked(answer)


def ceilings(purser):
    return purser.folder / "data/ceilings.db"


def alter(purser, sql):
    with sqlite3.connect(ceilings(purser)) as database:
        database.execute(sql)
    database.close()


def kill(purser, another_boot=False):
    """As kill -9; or as if the machine had lost its power: what was synced is there."""
    purser.process.kill()
    if another_boot:
        alter(purser, "UPDATE journal SET boot = 'of another day'")


def noted(purser):
    """{(budget, id, unit): ceiling}, as on disk."""
    with sqlite3.connect(ceilings(purser)) as database:
        rows = database.execute("SELECT budget, id, unit, amount FROM ceiling").fetchall()
    database.close()
    units = ("usd", "tokens", "requests")
    return {(name.decode(), id_.decode(), units[unit]): amount for name, id_, unit, amount in rows}


def forfeits(purser):
    return [line for line in purser.ledger() if line["kind"] == "forfeit"]


def cut_ledger(purser, lines):
    """What was not synced is lost."""
    path = sorted((purser.folder / "data/ledger").glob("*.jsonl"))[-1]
    kept = path.read_text().splitlines(keepends=True)[:-lines]
    path.write_text("".join(kept))


def check_against_the_bill(purser, provider):
    bill = provider.settled_bill(False)["cost_nano_usd"]
    row = purser.budgets()[ALL]
    assert bill <= usd(row["spent"]) <= usd(row["limit"])
    assert usd(row["spent"]) == purser.costs()["total"]["cost_nano_usd"]
    return usd(row["spent"]) - bill


def test_a_kill_forfeits_nothing_but_what_was_in_flight(purser, provider):
    some_calls(purser)
    kill(purser)
    purser.start()
    assert check_against_the_bill(purser, provider) == 0
    assert not forfeits(purser) and purser.budgets()[ALL]["forfeited"] == 0
    some_calls(purser)


def test_headroom_is_used_further_after_a_kill(purser):
    some_calls(purser)
    kill(purser)
    before = noted(purser)[ALL]
    purser.start()
    row = purser.budgets()[ALL]
    assert usd(row["ceiling"]) == before > usd(row["spent"])


def test_after_a_power_loss_what_is_not_proven_counts_as_spent(purser, provider):
    some_calls(purser)
    kill(purser, another_boot=True)
    before = noted(purser)
    cut_ledger(purser, 4)
    purser.start()
    excess = check_against_the_bill(purser, provider)
    rows = purser.budgets()
    assert usd(rows[ALL]["spent"]) == usd(rows[ALL]["ceiling"]) == before[ALL]
    lost = {(line["accounts"][0]["budget"], line["accounts"][0]["unit"]): line
            for line in forfeits(purser) if "call" not in line}
    assert all(line["stop_reason"] == "lost" for line in lost.values())
    assert set(lost) == {("all", "usd"), ("keys", "usd"), ("keys", "tokens")}
    assert lost["keys", "tokens"]["cost_nano_usd"] == 0
    one, other = lost["all", "usd"]["cost_nano_usd"], lost["keys", "usd"]["cost_nano_usd"]
    assert min(one, other) == 0 < max(one, other)  # the same money
    assert usd(rows[ALL]["forfeited"]) >= lost["all", "usd"]["accounts"][0]["amount"] > 0
    assert rows[("keys", "alice", "tokens")]["forfeited"] > 0
    assert excess > 0 and "booked as spent" in purser.log()
    some_calls(purser)

    # It is told once, and remembered.
    shown = purser.budgets()[ALL]["forfeited"]
    purser.end()
    purser.start()
    assert purser.budgets()[ALL]["forfeited"] == shown
    assert len(forfeits(purser)) == len(lost) + len([x for x in forfeits(purser) if "call" in x])


def test_a_clean_end_survives_another_boot(purser, provider):
    some_calls(purser)
    purser.end()
    alter(purser, "UPDATE journal SET boot = 'of another day'")
    purser.start()
    assert check_against_the_bill(purser, provider) == 0
    assert not forfeits(purser)


def test_at_a_clean_end_no_headroom_is_kept(purser):
    some_calls(purser)
    purser.end()
    assert noted(purser)[ALL] == sum(purser.settled().values())


def test_a_ledger_that_is_gone_does_not_reset_a_budget(purser, provider):
    some_calls(purser)
    kill(purser)
    shutil.rmtree(purser.folder / "data/ledger")
    purser.start()
    assert check_against_the_bill(purser, provider) >= 0
    assert forfeits(purser)


def test_without_ceilings_the_ledger_says_what_is_spent(purser, provider):
    some_calls(purser)
    kill(purser)
    for name in ("ceilings.db", "ceilings.db-wal", "ceilings.db-shm"):
        (purser.folder / "data" / name).unlink(missing_ok=True)
    purser.start()
    assert check_against_the_bill(purser, provider) == 0
    row = purser.budgets()[ALL]
    assert row["ceiling"] == row["spent"] > 0
    some_calls(purser)


def test_an_emptied_folder_begins_anew(purser):
    some_calls(purser)
    kill(purser)
    shutil.rmtree(purser.folder / "data")
    purser.start()
    assert purser.budgets()[ALL]["spent"] == 0
    some_calls(purser)


def test_damaged_ceilings_are_for_an_operator_to_move(purser, provider):
    some_calls(purser)
    purser.end()
    path = ceilings(purser)
    path.write_bytes(b"not a database at all" * 400)
    purser.launch()
    assert purser.process.child.wait(30) == 1
    assert "ceilings.db is damaged: restore it from a backup" in purser.log()
    path.rename(path.with_suffix(".damaged"))
    purser.start()
    assert check_against_the_bill(purser, provider) == 0
    some_calls(purser)


def test_what_was_in_flight_at_a_kill_is_shown_as_forfeited(purser, provider):
    with purser.stream(fake="output=50,gap_ms=100", max_tokens=60) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        kill(purser)
        with pytest.raises(httpx.HTTPError):
            list(pieces)
    purser.start()
    shown = usd(purser.budgets()[ALL]["forfeited"])
    line, = forfeits(purser)
    assert shown == line["cost_nano_usd"] > 0
    check_against_the_bill(purser, provider)


def test_while_the_disk_is_full_no_budget_grows_and_it_ends_by_itself(purser, provider):
    some_calls(purser, 1)
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    # The ledger has room, which is short yet; the journal of ceilings.db has none.
    resource.prlimit(purser.process.pid, resource.RLIMIT_FSIZE, (24 * 1024, unlimited[1]))

    def refused():
        answer = purser.chat(fake="prompt=10,output=10000", max_tokens=16000)
        return answer if answer.status_code != 200 else None
    error_of(wait_until(refused, 20, "no headroom to be left"), 503, "budget_store_unavailable")
    assert ready(purser) == 503
    assert "ceilings cannot be noted" in purser.log()
    resource.prlimit(purser.process.pid, resource.RLIMIT_FSIZE, unlimited)
    wait_until(lambda: ready(purser) == 200, what="purser to be ready again")
    some_calls(purser, 1)
    purser.idle()
    assert check_against_the_bill(purser, provider) == 0


def test_the_last_dollars_are_granted_to_the_nano_dollar(provider, start):
    """Ceilings reach the limit itself."""
    purser = start(provider, budgets=[{"name": "all", "scope": "global", "window": "total",
                                       "usd": "0.001"}], admission={"clamp": "never"})
    while purser.chat(fake="prompt=5,output=100", max_tokens=100).status_code == 200:
        pass
    row = purser.budgets()[ALL]
    assert usd(row["ceiling"]) == usd(row["limit"]) == NANO // 1000
    assert {"limit", "spent", "reserved", "remaining", "forfeited", "ceiling"} <= set(row)


def test_the_store_is_told(purser):
    answer = purser.client.get("/budget", headers={"Authorization": f"Bearer {ADMIN}"})
    assert answer.json()["store"] == "embedded"


def set_back(purser, seconds):
    """As if all that ledger and ceilings say of sessions had been so much earlier."""
    before = None
    for path in sorted((purser.folder / "data/ledger").glob("*.jsonl")):
        lines = []
        for line in path.read_text().splitlines():
            sealed, said = line.rsplit(',"hash":"', 1)
            before = before or re.search('"chained_to":"(.*?)"', line).group(1)
            sealed = re.sub('"(since|until)":(\\d+)',
                            lambda found: f'"{found[1]}":{int(found[2]) - seconds}', sealed)
            sealed = re.sub('"chained_to":".*?"', f'"chained_to":"{before}"', sealed)
            before = hashlib.sha256((before + sealed).encode()).hexdigest()
            assert len(said) == len(before) + 2
            lines.append(f'{sealed},"hash":"{before}"}}\n')
        path.write_text("".join(lines))
    alter(purser, f"UPDATE ceiling SET until_s = until_s - {seconds}")


@pytest.mark.parametrize("by_kill", [False, True])
def test_a_session_that_began_anew_does_not_get_its_old_spend_back(provider, start, by_kill):
    purser = start(provider, budgets=[{"name": "session", "scope": "session", "window": "total",
                                       "usd": 1, "requests": 3, "idle": "1s"}])
    session = {"headers": {"x-purser-session": "s"}}

    def call():
        return purser.booked(purser.chat(fake="prompt=100,output=400", max_tokens=500, **session))

    def restart():
        purser.process.kill() if by_kill else purser.end()
        purser.start()

    def spent(unit):
        return purser.budgets()[("session", "alice/s", unit)]["spent"]

    call(), call()
    purser.end()
    set_back(purser, 2 * 3600 + 60)  # a session is remembered for two hours more than `idle`
    purser.start()
    cost = call()["cost_nano_usd"]
    for _ in range(2):
        restart()
        assert (usd(spent("usd")), spent("requests")) == (cost, 1)
    call(), call()
    restart()
    assert (usd(spent("usd")), spent("requests")) == (3 * cost, 3)
    error_of(purser.chat(**session), 429, "budget_exceeded")
