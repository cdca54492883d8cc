"""The full-text index of SQLite, which takes in messages by the hundred."""

from collections.abc import Sequence

import pytest
from django.core.management import call_command
from django.db import connection

from chat.models import ChatMessage, ChatSession, SenderType, Status
from chat.services.search import search_messages
from tests.factories import make_user

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL indexes by itself"),
]


@pytest.fixture
def session() -> ChatSession:
    return ChatSession.objects.create(user=make_user(), title="Search")


def ask(session: ChatSession, texts: Sequence[str]) -> list[ChatMessage]:
    """A stored question for each text."""
    first = ChatMessage.objects.filter(session=session).count() * 2
    return [
        ChatMessage.objects.create(
            session=session, sender_type=SenderType.USER, content=text, position=first + 2 * place
        )
        for place, text in enumerate(texts)
    ]


def find(session: ChatSession, query: str) -> set[str]:
    """The texts of the messages that a search finds."""
    found = search_messages(user_id=session.user_id, query=query)
    return {each.message.content for each in found}


def count(table: str) -> int:
    """The rows of a table that no model stands for."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def check_index() -> None:
    """An error from the database when the index is not sound."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO chat_message_text(chat_message_text) VALUES('integrity-check')")


def test_message_is_found_as_soon_as_it_is_stored(session: ChatSession) -> None:
    for number in range(3):
        ask(session, [f"walrus {number}"])
        assert len(find(session, "walrus")) == number + 1
    assert count("chat_message_unindexed") == 0


def test_no_more_than_a_hundred_wait_to_be_indexed(session: ChatSession) -> None:
    waiting = []
    for number in range(250):
        ask(session, [f"walrus {number} octopus{number}"])
        waiting.append(count("chat_message_unindexed"))
    assert max(waiting) == 99
    assert find(session, "octopus7") == {"walrus 7 octopus7"}
    assert find(session, "octopus249") == {"walrus 249 octopus249"}
    check_index()


def test_deleted_messages_are_gone_whether_they_were_indexed_or_not(session: ChatSession) -> None:
    indexed, other = ask(session, ["walrus indexed", "otter indexed"])
    assert len(find(session, "indexed")) == 2
    waiting, kept = ask(session, ["walrus waiting", "otter waiting"])

    ChatMessage.objects.filter(pk__in=[indexed.pk, waiting.pk]).delete()

    assert find(session, "walrus") == set()
    assert find(session, "otter") == {other.content, kept.content}
    session.delete()
    assert count("chat_message_unindexed") == 0
    check_index()


def test_answers_are_found_when_they_have_ended(session: ChatSession) -> None:
    [question] = ask(session, ["question"])
    answer = ChatMessage.objects.create(
        session=session,
        sender_type=SenderType.BOT,
        status=Status.PENDING,
        position=1,
        reply_to=question,
    )
    ChatMessage.objects.save_partial({answer.pk: "walrus so far"}, {})
    assert find(session, "walrus") == set()

    ChatMessage.objects.finish(
        answer.pk, status=Status.COMPLETE, content="walrus to the end", metadata={}
    )

    assert find(session, "walrus") == {"walrus to the end"}
    check_index()


@pytest.mark.parametrize("indexed", [True, False])
def test_changed_text_is_found_by_its_new_words_alone(session: ChatSession, indexed: bool) -> None:
    [message] = ask(session, ["walrus"])
    if indexed:
        find(session, "walrus")

    ChatMessage.objects.filter(pk=message.pk).update(content="octopus")

    assert find(session, "walrus") == set()
    assert find(session, "octopus") == {"octopus"}
    check_index()


def test_index_survives_the_migration_there_and_back(session: ChatSession) -> None:
    ask(session, ["walrus first"])
    try:
        call_command("migrate", "chat", "0002", verbosity=0)
        ask(session, ["walrus second"])
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM chat_message_text WHERE chat_message_text MATCH 'walrus'"
            )
            assert cursor.fetchone()[0] == 2
    finally:
        call_command("migrate", "chat", verbosity=0)
    ask(session, ["walrus third"])

    assert find(session, "walrus") == {"walrus first", "walrus second", "walrus third"}
    ChatMessage.objects.all().delete()
    assert find(session, "walrus") == set()
    check_index()
