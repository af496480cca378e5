"""The openai package for Python: files, batches and stored responses through purser."""

import json

import openai
import pytest

from harness import KEY, Provider, Purser, wait_until

BOB = "sk-test-bob-0123456789abcdef"


@pytest.fixture(scope="module")
def scene():
    budgets = [{"name": "all", "scope": "global", "window": "total", "usd": 1}]
    with Provider() as provider, \
            Purser(provider, keys=[{"id": "alice", "key": KEY}, {"id": "bob", "key": BOB}],
                   budgets=budgets, limits={"poll_ms": 50}) as purser:
        yield provider, purser


def client_of(purser, key=KEY):
    return openai.OpenAI(api_key=key, base_url=purser.url, timeout=30, max_retries=0)


def jobs(count):
    return b"\n".join(json.dumps({
        "custom_id": f"job-{i}", "method": "POST", "url": "/v1/chat/completions", "body": {
            "model": "gpt-4o-mini", "max_tokens": 20,
            "messages": [{"role": "user", "content": f"job {i}"}]}}).encode()
        for i in range(count))


def test_a_batch_from_its_file_to_its_results(scene):
    provider, purser = scene
    with client_of(purser) as client, client_of(purser, BOB) as other:
        file = client.files.create(file=("jobs.jsonl", jobs(5)), purpose="batch")
        assert client.files.retrieve(file.id).bytes == len(jobs(5))
        batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                      completion_window="24h", metadata={"who": "test"})
        assert batch.id in [row.id for row in client.batches.list()]
        done = wait_until(lambda: next(
            (row for row in [client.batches.retrieve(batch.id)] if row.status == "completed"), None))
        assert done.request_counts.completed == 5 and done.metadata == {"who": "test"}
        results = client.files.content(done.output_file_id).text.splitlines()
        assert [json.loads(row)["custom_id"] for row in results] == [f"job-{i}" for i in range(5)]
        wait_until(lambda: not purser.open_holds())
        assert sum(purser.settled().values()) == provider.bill()["cost_nano_usd"]
        for ask in (lambda: other.batches.retrieve(batch.id), lambda: other.files.content(file.id),
                    lambda: other.batches.cancel(batch.id), lambda: other.files.delete(file.id)):
            with pytest.raises(openai.NotFoundError):
                ask()
        assert list(other.batches.list()) == [] and list(other.files.list()) == []
        assert client.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(file.id)


def test_pages_of_files(scene):
    _, purser = scene
    with client_of(purser) as client:
        made = {client.files.create(file=("a.txt", b"x"), purpose="user_data").id
                for _ in range(5)}
        listed = [row.id for row in client.files.list(purpose="user_data", limit=2)]
        assert set(listed) == made and len(listed) == 5


def test_a_batch_that_is_refused_says_which_line(scene):
    _, purser = scene
    with client_of(purser) as client:
        file = client.files.create(file=("jobs.jsonl", jobs(2) + b"\nnonsense"), purpose="batch")
        with pytest.raises(openai.BadRequestError, match="Line 3 "):
            client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                  completion_window="24h")


def test_responses_are_stored_for_their_key_alone(scene):
    _, purser = scene
    with client_of(purser) as client, client_of(purser, BOB) as other:
        first = client.responses.create(model="gpt-4o-mini", input="hello", max_output_tokens=20)
        assert client.responses.retrieve(first.id).id == first.id
        second = client.responses.create(model="gpt-4o-mini", input="on", max_output_tokens=20,
                                         previous_response_id=first.id)
        assert second.previous_response_id == first.id
        for ask in (lambda: other.responses.retrieve(first.id),
                    lambda: other.responses.delete(first.id),
                    lambda: other.responses.create(model="gpt-4o-mini", input="on",
                                                   previous_response_id=first.id)):
            with pytest.raises(openai.NotFoundError):
                ask()
        client.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(first.id)


def test_a_response_in_the_background(scene):
    provider, purser = scene
    with client_of(purser) as client:
        response = client.responses.create(
            model="gpt-4o-mini", input="hello", background=True, max_output_tokens=20,
            extra_headers={"x-fake": "delay_ms=200"})
        assert response.status == "queued"
        wait_until(lambda: client.responses.retrieve(response.id).status == "completed")
        wait_until(lambda: not purser.open_holds())
        assert sum(purser.settled().values()) == provider.settled_bill()["cost_nano_usd"]
