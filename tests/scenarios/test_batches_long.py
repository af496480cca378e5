"""Batches: large ones, and many while purser is killed and ended at random."""

import random
import time

from harness import Provider, wait_until
from test_batches import DOLLAR, books_are_the_bill, create, line, purse, spent, started, upload


def test_a_hundred_thousand_lines():
    with Provider() as provider, purse(provider) as purser:
        lines = [line(i, max_tokens=5) for i in range(100_000)]
        purser.configure(budgets=[{**DOLLAR[0], "usd": 1000}])
        assert purser.reload().status_code == 200
        answer = started(purser, lines)
        name = answer.headers["x-purser-request-id"]
        wait_until(lambda: name in purser.settled(), 60, "the batch to be settled")
        bill = books_are_the_bill(purser, provider)
        assert bill["requests"] == 100_000


def test_kills_and_ends_at_random_leave_no_batch_unbooked():
    seed = random.randrange(10 ** 6)
    print("seed", seed)  # pytest shows it if the test fails
    chance = random.Random(seed)
    with Provider() as provider, purse(provider) as purser:
        for _ in range(5):
            for _ in range(chance.randint(1, 3)):
                lines = [line(i, f"[fake output={chance.randint(1, 25)}] x")
                         for i in range(chance.randint(1, 5))]
                wish = f"delay_ms={chance.randint(0, 1500)}" + chance.choice(["", ",die_after=1"])
                assert create(purser, upload(purser, lines), fake=wish).status_code == 200
            purser.chat(max_tokens=10)
            time.sleep(chance.random() / 2)
            if chance.random() < 0.7:
                purser.process.kill()
            else:
                purser.end()
            purser.start()
        wait_until(lambda: not purser.open_holds(), 30, "the batches to be settled")
        bill = provider.settled_bill(False)["cost_nano_usd"]
        booked = sum(purser.settled().values())
        # Only one that died before it was noted is booked at its hold.
        unknown = [entry for entry in purser.ledger() if entry["kind"] == "forfeit"]
        assert booked == bill if not unknown else booked > bill
        assert spent(purser) == (booked, 0)
