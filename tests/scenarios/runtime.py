"""What the tests of keys and budgets made at run time share."""

from harness import ADMIN


def ask(purser, method, path, body=None, token=ADMIN):
    headers = {"Authorization": f"Bearer {token}"}
    if body is None:
        return purser.client.request(method, path, headers=headers)
    return purser.client.request(method, path, headers=headers, json=body)


def done(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def make_key(purser, name="bob", **members):
    """Its secret."""
    return done(ask(purser, "POST", "/admin/keys", {"id": name, **members}))["key"]


def make_budget(purser, **members):
    return done(ask(purser, "POST", "/admin/budgets", members))


def delete(purser, path):
    return done(ask(purser, "DELETE", path))


def listed(purser, what):
    name = "id" if what == "keys" else "name"
    return {row[name]: row for row in done(ask(purser, "GET", f"/admin/{what}"))["data"]}
