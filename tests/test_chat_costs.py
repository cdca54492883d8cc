"""What a message costs in queries, over all the threads that it passes through."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections
from django.db.backends.signals import connection_created
from rest_framework.test import APIClient

from common.loop import close_threads
from tests.factories import make_document

pytestmark = pytest.mark.django_db(transaction=True)

MOST_QUERIES = 8


class Statements(list[str]):
    """The statements of every connection that is opened while it listens."""

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.append(sql)
        return execute(sql, params, many, context)

    def listen(self, connection: Any, **kwargs: Any) -> None:
        """Hear a new connection's statements."""
        connection.execute_wrappers.append(self)


@pytest.fixture
def statements() -> Iterator[Statements]:
    """What is said to the database from now on."""
    heard = Statements()
    close_threads()
    connections.close_all()
    connection_created.connect(heard.listen)
    yield heard
    connection_created.disconnect(heard.listen)
    close_threads()
    connection.close()


@pytest.fixture(autouse=True)
def document() -> None:
    """Something to answer from."""
    make_document("# Tokens\n\nAn access token lives 15 minutes.", title="Tokens")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the budget is the embedded default's")
@pytest.mark.parametrize("questions_before", [0, 1, 2])
def test_message_takes_at_most_eight_queries(
    user_api: APIClient, statements: Statements, questions_before: int
) -> None:
    path = "/api/chat/messages/"
    # The first question of a process loads the index; it is not what a message costs.
    user_api.post(path, {"content": "How long does a token live?"})
    for _ in range(questions_before):
        body = user_api.post(path, {"content": "How long does a token live?"}).json()
        path = f"/api/chat/sessions/{body['user_message']['session']}/messages/"
    statements.clear()

    response = user_api.post(path, {"content": "How long does an access token live?"})

    assert "15 minutes" in response.json()["bot_message"]["content"]
    asked = [sql for sql in statements if not sql.startswith(("BEGIN", "COMMIT", "PRAGMA"))]
    assert len(asked) <= MOST_QUERIES, "\n".join(asked)
