"""Every operation of the schema is called with its own example, and answers as it says.

What only the server can know is put in place of the example's: ids in paths, tokens, links.
"""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factories import make_document, make_user
from tests.openapi.reading import SCHEMA, check, examples, named, operations

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "Tall-Green-Kettle-58"
TEXT = "# Access tokens\n\nAn access token lives 15 minutes. A refresh token lives 7 days.\n"
FOR_STAFF = ("/api/tasks/", "/api/rag/explain/")
# What stands in a query when its parameter has no example.
QUERY = {"q": "access"}


class World:
    """Maria, of the examples, with a document, a session, an answer and her tokens."""

    def __init__(self, sent_mail: Callable[[], list[Any]], staff_api: APIClient) -> None:
        self.sent_mail = sent_mail
        self.staff_api = staff_api
        self.api = APIClient()

    def fill(self) -> None:
        """Everything that the operations of a user who is known need."""
        user = make_user(username="maria", email="maria@example.com", password=PASSWORD)
        login = {"username": "maria", "password": PASSWORD}
        tokens = self.api.post("/api/auth/login/", login).json()
        self.access, self.refresh = tokens["access"], tokens["refresh"]
        self.api.credentials(HTTP_AUTHORIZATION=f"Bearer {self.access}")
        self.document = make_document(TEXT, title="Access tokens", owner=user, category="guide")
        question = {"content": "How long does an access token live?"}
        exchange = self.api.post("/api/chat/messages/", question).json()
        self.session = exchange["bot_message"]["session"]
        self.message = exchange["bot_message"]["id"]

    def path(self, path: str) -> str:
        """`path` with ids that exist."""
        if "{" not in path:
            return path
        if "{family_id}" in path:
            devices = self.api.get("/api/auth/me/sessions/").json()["results"]
            return path.replace("{family_id}", devices[0]["id"])
        if "{run_id}" in path:
            run = self.staff_api.post("/api/tasks/chat_cleanup/run/", {"dry_run": True}).json()
            path = path.replace("{run_id}", run["id"])
        if "{token}" in path:
            uid, token = self.link(path)
            path = path.replace("{uid}", uid).replace("{token}", token)
        return (
            path.replace("{session_id}", self.session)
            .replace("{message_id}", self.message)
            .replace("{document_id}", str(self.document.pk))
            .replace("{name}", "chat_cleanup")
        )

    def link(self, path: str) -> tuple[str, str]:
        """(user's id, one-time token) of the link that a mail of this kind carries."""
        self.sent_mail()
        if "password/reset" in path:
            self.api.post("/api/auth/password/reset/", {"email": "maria@example.com"})
        elif "email/change" in path:
            change = {"new_email": "maria@example.org", "password": PASSWORD}
            self.api.post("/api/auth/email/change/", change)
        else:
            new = {"username": "nina", "email": "nina@example.com", "password": PASSWORD}
            APIClient().post("/api/auth/register/", new)
        kind = "/".join(path.split("/")[3:5]) if "{" not in path else path.partition("{")[0]
        (link,) = [
            word
            for mail in self.sent_mail()
            for word in str(mail.body).split()
            if word.startswith("http") and kind.strip("/") in word
        ]
        uid, token = link.rstrip("/").split("/")[-2:]
        return uid, token

    def body(self, path: str, example: Any) -> Any:
        """`example` with the tokens that the server handed out."""
        if not isinstance(example, dict):
            return example
        known: dict[str, Any] = {}
        if "refresh" in example:
            known["refresh"] = self.refresh
        if path == "/api/auth/token/verify/":
            known["token"] = self.access
        elif "token" in example:
            uid, token = self.link(path)
            known = {"uid": uid, "token": token}
        return example | {key: value for key, value in known.items() if key in example}


CALLS = [
    (operation, example)
    for operation in operations()
    for example in (
        examples(operation[2].get("requestBody", {}).get("content", {}).get("application/json", {}))
        or [None]
    )
]


@pytest.mark.parametrize(("operation", "example"), CALLS, ids=[named(call[0]) for call in CALLS])
def test_example_runs_as_it_stands(operation, example, sent_mail, staff_api, settings) -> None:
    method, path, described = operation
    settings.THROTTLES = {
        scope: dict.fromkeys(rates, "1000/m") for scope, rates in settings.THROTTLES.items()
    }
    world = World(sent_mail, staff_api)
    if path != "/api/auth/register/":
        world.fill()
    client = staff_api if path.startswith(FOR_STAFF) else world.api
    if described["security"] == [{}]:
        client = APIClient()
    body = world.body(path, example)
    if (method, path) == ("DELETE", "/api/auth/me/"):
        body = {"password": PASSWORD}
    answer = client.generic(
        method,
        f"{world.path(path)}{query(described)}",
        data=APIClient()._encode_data(body, "json")[0] if body is not None else b"",
        content_type="application/json",
    )
    hold(answer, described)


def query(described: dict[str, Any]) -> str:
    """The required part of the query."""
    needed = [
        parameter["name"]
        for parameter in described.get("parameters", [])
        if parameter["in"] == "query" and parameter.get("required")
    ]
    return "?" + "&".join(f"{name}={QUERY[name]}" for name in needed) if needed else ""


def hold(answer: Any, described: dict[str, Any]) -> None:
    """Assert that `answer` went well and is what the schema says of it."""
    status = str(answer.status_code)
    assert status.startswith("2"), answer.content
    assert status in described["responses"]
    contents = described["responses"][status].get("content", {})
    media = answer.headers.get("Content-Type", "").partition(";")[0]
    if contents:
        assert media in contents
    if media == "application/json":
        check(answer.json(), contents[media]["schema"])


def test_secret_parts_of_a_schema_name_no_operation_twice() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    assert SCHEMA["info"]["title"] == "Docent"
