"""Responses made in the background: the hold stays until they tell what they used."""

from harness import NANO, Provider, error_of, usd
from test_batches import AS_BOB, books_are_the_bill, purse, settled, spent


def test_background_responses_are_settled_when_they_are_done():
    with Provider() as provider, purse(provider) as purser:
        answer = purser.client.post("/v1/responses", headers={"x-fake": "delay_ms=400,output=20"},
                                    json={"model": "gpt-4o-mini", "input": "hello",
                                          "background": True, "max_output_tokens": 50})
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "queued"
        held = usd(answer.headers["x-purser-hold-usd"])
        assert spent(purser) == (0, held)
        entry = settled(purser, answer)
        bill = books_are_the_bill(purser, provider)
        assert entry["completion_tokens"] == bill["completion_tokens"] == 20
        name = answer.json()["id"]
        assert purser.client.get(f"/v1/responses/{name}").json()["status"] == "completed"
        error_of(purser.client.get(f"/v1/responses/{name}", headers=AS_BOB), 404,
                 "object_not_found")


def test_a_background_response_survives_a_kill_and_a_cancel():
    with Provider() as provider, purse(provider) as purser:
        answer = purser.client.post("/v1/responses", headers={"x-fake": "delay_ms=1200,output=20"},
                                    json={"model": "gpt-4o-mini", "input": "hello",
                                          "background": True, "max_output_tokens": 50})
        name = answer.json()["id"]
        assert purser.client.get(f"/v1/responses/{name}").status_code == 200  # it is noted
        purser.process.kill()
        purser.start()
        assert spent(purser) == (0, usd(answer.headers["x-purser-hold-usd"]))
        settled(purser, answer)
        books_are_the_bill(purser, provider)
        answer = purser.client.post("/v1/responses", headers={"x-fake": "delay_ms=60000"},
                                    json={"model": "gpt-4o-mini", "input": "hello",
                                          "background": True, "max_output_tokens": 50})
        cancelled = purser.client.post(f"/v1/responses/{answer.json()['id']}/cancel")
        assert cancelled.json()["status"] == "cancelled"
        entry = settled(purser, answer)
        assert entry["cost_nano_usd"] <= usd(answer.headers["x-purser-hold-usd"]) < NANO
        assert provider.bill()["cost_nano_usd"] <= spent(purser)[0]
