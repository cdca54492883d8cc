"""No text outside what a user may see reaches that user, however documents change."""

import logging

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from common import loop
from rag import pipeline
from rag.lexical.filters import visible_sql
from rag.models import Document
from rag.prompts import build_prompt
from rag.retrieval import retrieve
from rag.selectors.passages import READ
from rag.services import process_queue
from rag.services.documents import change_document, delete_document
from rag.types import AnswerCompleted, Filters, Question, Viewer
from tests.factories import make_document, make_user

pytestmark = pytest.mark.django_db(transaction=True)

USERS = 3
QUESTION = "What is the secret word of the treasure?"


class Documents(RuleBasedStateMachine):
    """Documents come, change hands and go; a model in memory knows who may see what."""

    def __init__(self) -> None:
        super().__init__()
        Document.objects.all().delete()
        self.users = [make_user() for _ in range(USERS)]
        self.number = 0
        # document id -> (owner or None, hidden, words that its current version holds)
        self.known: dict = {}

    def _text(self) -> tuple[str, str]:
        self.number += 1
        word = f"zq{self.number}xv"
        return f"The secret word of the treasure is {word}.", word

    @rule(owner=st.integers(-1, USERS - 1))
    def add(self, owner: int) -> None:
        text, word = self._text()
        user = self.users[owner] if owner >= 0 else None
        document = make_document(text, title=f"Treasure {word}", owner=user)
        self.known[document.pk] = [user, False, word]

    @rule(pick=st.integers(0, 50), hidden=st.booleans())
    def hide(self, pick: int, hidden: bool) -> None:
        if document := self._pick(pick):
            self._change(document, {"hidden": hidden})
            self.known[document.pk][1] = hidden

    @rule(pick=st.integers(0, 50), owner=st.integers(-1, USERS - 1))
    def move(self, pick: int, owner: int) -> None:
        document = self._pick(pick)
        if document is None:
            return
        user = self.users[owner] if owner >= 0 else None
        with transaction.atomic():
            self._change(document, {"visibility": "public"})
            if user:
                document.refresh_from_db()
                change_document(document, user_id=user.pk, changes={"visibility": "private"})
        self.known[document.pk][0] = user

    @rule(pick=st.integers(0, 50))
    def edit(self, pick: int) -> None:
        if document := self._pick(pick):
            text, word = self._text()
            self._change(document, {"content": text, "title": f"Treasure {word}"})
            process_queue()
            self.known[document.pk][2] = word

    @rule(pick=st.integers(0, 50))
    def delete(self, pick: int) -> None:
        if document := self._pick(pick):
            del self.known[document.pk]
            delete_document(document)

    def _pick(self, pick: int):
        keys = sorted(self.known)
        return Document.objects.get(pk=keys[pick % len(keys)]) if keys else None

    def _change(self, document: Document, changes: dict) -> None:
        change_document(document, user_id=self.users[0].pk, changes=changes)

    @invariant()
    def nobody_sees_more_than_they_may(self) -> None:
        if not hasattr(self, "known"):
            return
        for user in [None, *self.users]:
            seen = everything_shown_to(user.pk if user else None)
            for owner, hidden, word in self.known.values():
                may_see = not hidden and (owner is None or owner == user)
                if not may_see:
                    assert word not in seen
            stale = {f"zq{n}xv" for n in range(1, self.number + 1)}
            stale -= {word for _, _, word in self.known.values()}
            assert not any(word in seen for word in stale)


def everything_shown_to(user_id) -> str:
    """Prompt, answer, sources and citations of one question, and what was logged meanwhile."""
    question = Question(text=QUESTION, viewer=Viewer(user_id=user_id), top_k=10)
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    try:
        retrieved = loop.run(retrieve(question))
        answer = loop.run(last_event(question))
    finally:
        logging.getLogger().removeHandler(handler)
    return repr([build_prompt(question, retrieved), retrieved, answer, records])


async def last_event(question: Question) -> AnswerCompleted:
    async for event in pipeline.answer(question):
        last = event
    return last


Documents.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_no_text_reaches_those_who_may_not_see_it():
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(Documents, settings=Documents.TestCase.settings)


def test_owner_finds_the_own_private_documents():
    user = make_user()
    make_document("The secret word of the treasure is zq0xv.", title="Treasure", owner=user)

    assert "zq0xv" in everything_shown_to(user.pk)


def test_neither_leg_names_a_chunk_that_its_caller_may_not_see():
    from rag.backends import get_vector_store
    from rag.lexical import search_lexical
    from rag.models import Chunk

    owner, other = make_user(), make_user()
    make_document("The treasure is old.", title="Own", owner=owner)
    make_document("The treasure is new.", title="Other", owner=other)
    filters = Filters(viewer=Viewer(user_id=owner.pk))
    store = get_vector_store()
    vector = next(iter(loop.run(store_vectors("the treasure"))))

    by_words = search_lexical([("the treasure", 1.0)], filters=filters, limit=50).scores
    by_vectors = loop.run(store.search(vector, filters=filters, limit=50))

    own = set(Chunk.objects.filter(document__owner=owner).values_list("pk", flat=True))
    assert set(by_words) == own
    assert {hit.key for hit in by_vectors} == own


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a plan of SQLite's")
def test_passages_are_looked_up_by_key_for_everybody():
    """And not by walking all public documents."""
    for viewer in (Viewer(), Viewer(user_id=make_user().pk)):
        visible, values = visible_sql(Filters(viewer=viewer))
        with connection.cursor() as cursor:
            query = READ.format(visible=visible, marks="%s, %s")
            cursor.execute(f"EXPLAIN QUERY PLAN {query}", [*values, 1, 2])
            first = cursor.fetchone()[3]
        assert first == "SEARCH c USING INTEGER PRIMARY KEY (rowid=?)"


async def store_vectors(text):
    from rag.backends import get_embedder

    return await get_embedder().embed([text])
