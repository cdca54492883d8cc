"""Answers given again: to whom, for how long, and never when something changed."""

from collections.abc import Iterator
from typing import Any

import pytest

from common import loop
from common.redis import get_redis, key
from rag import pipeline
from rag.services.documents import change_document, delete_document
from rag.types import DECLINED, AnswerCompleted, Question, Turn, Viewer
from tests.factories import make_document, make_user
from tests.providers import served
from tests.stand_ins.mistral import MistralStandIn

pytestmark = pytest.mark.django_db(transaction=True)

REFUNDS = (
    "# Refunds\n\nYou may return goods within 30 days of delivery. The buyer pays the postage."
)
QUESTION = "Within how many days may I return goods?"
SAME = "within how many days may I return goods"
SAID = "You may return goods within 30 days of delivery. [1]"
CHAT = "POST /v1/chat/completions"


@pytest.fixture
def mistral(settings: Any) -> Iterator[MistralStandIn]:
    with served(MistralStandIn()) as app:
        options = {"api_key": "key", "server_url": app.url}
        model = {"BACKEND": "rag.generators.mistral.MistralGenerator", "OPTIONS": options}
        settings.RAG = {
            **settings.RAG,
            "GENERATOR": model,
            "CACHE_SIMILARITY": 0.95,
            "DECLINE_BELOW": 0.0,
            "UNCERTAIN_BELOW": 0.0,
        }
        yield app


def ask(text: str = QUESTION, **fields: Any) -> AnswerCompleted:
    """The whole answer."""

    async def last() -> Any:
        question = Question(**{"text": text, "viewer": Viewer(), **fields})
        return [event async for event in pipeline.answer(question)][-1]

    return loop.run(last())


def test_question_that_means_the_same_gets_the_same_answer_and_is_told(mistral):
    make_document(REFUNDS, title="Refunds")
    first, again = ask(), ask(SAME)
    assert (first.cached, again.cached) == (False, True)
    assert again.text == first.text == SAID
    assert again.citations == first.citations != ()
    assert again.model == first.model
    assert mistral.requests[CHAT] == 1


def test_other_question_is_answered_anew(mistral):
    make_document(REFUNDS, title="Refunds")
    ask()
    assert not ask("Who pays the postage?").cached
    assert mistral.requests[CHAT] == 2


def test_it_is_off_by_default(mistral, settings):
    settings.RAG = {**settings.RAG, "CACHE_SIMILARITY": 0.0}
    make_document(REFUNDS, title="Refunds")
    assert not any(ask().cached for _ in range(2))
    assert not get_redis().keys(key("answers", "*"))


def test_changed_chunk_evicts_the_answer(mistral):
    document = make_document(REFUNDS, title="Refunds")
    ask()
    delete_document(document)
    make_document(REFUNDS.replace("30", "14"), title="Refunds")
    answer = ask()
    assert not answer.cached
    assert "14 days" in answer.text


def test_private_documents_are_never_kept(mistral):
    owner = make_user()
    make_document(REFUNDS, title="Refunds", owner=owner)
    for _ in range(2):
        assert not ask(viewer=Viewer(user_id=owner.pk)).cached
    assert not get_redis().keys(key("answers", "*"))


def test_document_that_becomes_private_is_not_told_again(mistral):
    owner = make_user()
    document = make_document(REFUNDS, title="Refunds")
    ask()
    change_document(document, user_id=owner.pk, changes={"visibility": "private"})
    assert ask().text == DECLINED
    assert not ask(viewer=Viewer(user_id=owner.pk)).cached


def test_follow_up_is_answered_anew(mistral):
    make_document(REFUNDS, title="Refunds")
    ask()
    assert not ask(history=(Turn(role="user", content="My name is Ada."),)).cached


def test_message_that_tells_more_than_it_asks_is_answered_for_itself(mistral):
    """A model may repeat what was told, or heed it ("in French, please")."""
    make_document(REFUNDS, title="Refunds")
    told = "My name is Ada: within how many days may I return goods?"
    ask(told)
    assert not ask(told).cached
    assert not ask("In French, please: within how many days may I return goods?").cached
    assert not ask().cached
    assert not ask(told).cached
    assert ask().cached
    assert mistral.requests[CHAT] == 5


def test_other_prompt_has_other_answers(mistral, monkeypatch):
    make_document(REFUNDS, title="Refunds")
    ask()
    monkeypatch.setattr("rag.cache.PROMPT_VERSION", 99)
    assert not ask().cached


def test_answer_that_failed_is_not_kept(mistral):
    make_document(REFUNDS, title="Refunds")
    mistral.faults.add("cut", path="/chat", after=2)
    with pytest.raises(Exception, match="not available"):
        ask()
    assert not ask().cached
    assert ask().cached
