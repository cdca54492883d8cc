"""Rows that statements written by hand bring back."""

from contextlib import nullcontext
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from chat.models import ChatMessage, ChatSession, SenderType, Status
from common.database import ROWS_AT_ONCE, Rows, Statement, stored_uuid
from rag.models import Chunk, Document, DocumentVersion
from tests.factories import make_user
from users.models import User
from users.selectors import usable_family

pytestmark = pytest.mark.django_db


def test_row_read_by_hand_is_the_row_that_the_orm_reads() -> None:
    user = make_user()
    rows = Rows(User)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {rows.columns('u')} FROM users_user u")
        found = rows.read(cursor.fetchone())

    expected = User.objects.get(pk=user.pk)
    assert {name: getattr(found, name) for name in rows.names} == {
        name: getattr(expected, name) for name in rows.names
    }


def test_family_comes_with_its_user_and_can_be_saved() -> None:
    from users.models import TokenFamily

    user = make_user()
    from datetime import timedelta

    from django.utils import timezone

    end = timezone.now() + timedelta(days=1)
    made = TokenFamily.objects.create(user=user, idle_at=end, expires_at=end)

    family = usable_family(made.pk)

    assert family is not None
    assert family.user == user
    family.user.first_name = "Ada"
    family.user.save()
    assert User.objects.get(pk=user.pk).first_name == "Ada"
    assert family.expires_at == TokenFamily.objects.get(pk=made.pk).expires_at


def test_rows_stored_by_hand_are_the_rows_that_the_orm_stores() -> None:
    session = ChatSession(user=make_user(), title="Zażółć", next_position=2)
    question = ChatMessage(
        session=session,
        sender_type=SenderType.USER,
        content="How long?",
        position=0,
        metadata={"category": "faq", "top_k": 3, "text": "\U0001f600 \u2028"},
    )
    answer = ChatMessage(
        session=session,
        sender_type=SenderType.BOT,
        status=Status.PENDING,
        position=1,
        reply_to=question,
        heartbeat_at=timezone.now(),
    )

    Rows(ChatSession).insert(session)
    Rows(ChatMessage).insert(question, answer)

    for made in (session, question, answer):
        found = type(made).objects.get(pk=made.pk)
        for field in made._meta.concrete_fields:
            assert getattr(found, field.attname) == getattr(made, field.attname), field
        assert not made._state.adding


def test_appended_rows_have_keys_in_their_order() -> None:
    document = Document.objects.create(title="Many")
    version = DocumentVersion.objects.create(document=document, number=1, title="Many")
    chunks = [
        Chunk(document=document, version=version, ordinal=place, start=place, end=place + 1)
        for place in range(2 * ROWS_AT_ONCE + 1)
    ]

    Rows(Chunk).append(chunks)

    keys = list(Chunk.objects.order_by("ordinal").values_list("key", flat=True))
    assert [chunk.key for chunk in chunks] == keys == sorted(keys)
    found = Chunk.objects.get(pk=chunks[-1].key)
    for field in Chunk._meta.concrete_fields:
        assert getattr(found, field.attname) == getattr(chunks[-1], field.attname), field


def test_insert_by_hand_keeps_the_constraints() -> None:
    session = ChatSession(user=make_user())
    with pytest.raises(IntegrityError), transaction.atomic():
        Rows(ChatSession).insert(session, session)


def test_json_stored_by_hand_is_read_by_the_orm() -> None:
    session = ChatSession.objects.create(user=make_user())
    answer = ChatMessage.objects.create(
        session=session, sender_type=SenderType.BOT, status=Status.STREAMING, position=0
    )
    metadata = {"id": uuid4(), "spans": (1, 2), 3: None, "quote": 'ü \\ " % %s ?'}

    assert ChatMessage.objects.finish(
        answer.pk, status=Status.COMPLETE, content="100 % of %s?", metadata=metadata
    )
    assert not ChatMessage.objects.finish(answer.pk, status=Status.FAILED, content="", metadata={})

    answer.refresh_from_db()
    assert answer.content == "100 % of %s?"
    assert answer.metadata == {
        "id": str(metadata["id"]),
        "spans": [1, 2],
        "3": None,
        "quote": metadata["quote"],
    }


@pytest.mark.parametrize("listening", [False, True])
def test_statement_is_heard_and_gives_the_same_either_way(listening: bool) -> None:
    user = make_user()
    statement = Statement("SELECT username FROM users_user WHERE id = %s")
    change = Statement("UPDATE users_user SET first_name = %s WHERE id = %s")
    heard = []

    def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        heard.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen) if listening else nullcontext():
        assert statement.fetch_one(stored_uuid(user.pk)) == (user.username,)
        assert statement.fetch_one(stored_uuid(uuid4())) is None
        assert statement.fetch_all(stored_uuid(user.pk)) == [(user.username,)]
        assert change.run("100 % Ada %s ?", stored_uuid(user.pk)) == 1
        assert change.run("Ada", stored_uuid(uuid4())) == 0

    user.refresh_from_db()
    assert user.first_name == "100 % Ada %s ?"
    assert len(heard) == (5 if listening else 0)


def test_statement_is_counted_where_queries_are_counted(
    django_assert_num_queries: Any,
) -> None:
    with django_assert_num_queries(1):
        Statement("SELECT count(*) FROM users_user").fetch_one()


def test_statement_fails_with_django_s_errors() -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        Statement("SELECT nothing FROM nowhere").fetch_one()


def test_no_statement_runs_in_a_transaction_that_is_broken() -> None:
    statement = Statement("SELECT 1")
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            statement.fetch_one()
