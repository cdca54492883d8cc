"""From a question to an answer with citations, with no key and no network."""

import pytest

from common import loop
from rag import pipeline
from rag.models import Chunk, DocumentVersion
from rag.types import (
    DECLINED,
    AnswerCompleted,
    AnswerDelta,
    CitationAdded,
    PipelineEvent,
    Question,
    RetrievalCompleted,
    Viewer,
)
from tests.factories import make_document, make_user

pytestmark = pytest.mark.django_db(transaction=True)

REFUNDS = """# Refunds

You may return goods within 30 days of delivery. The buyer pays the postage.

## Damaged goods

Damaged goods are replaced free of charge. Send a photograph to the support desk.
"""
PARKING = """# Parking

The car park opens at six in the morning. Visitors use the spaces by the gate.
"""


def ask(text: str, viewer: Viewer | None = None, **fields: object) -> list[PipelineEvent]:
    async def collect() -> list[PipelineEvent]:
        question = Question(text=text, viewer=viewer or Viewer(), **fields)
        return [event async for event in pipeline.answer(question)]

    return loop.run(collect())


def answer_of(events: list[PipelineEvent]) -> AnswerCompleted:
    assert isinstance(events[-1], AnswerCompleted)
    return events[-1]


def test_answer_quotes_the_document_word_for_word():
    make_document(REFUNDS, title="Refunds")
    make_document(PARKING, title="Parking")

    answer = answer_of(ask("Within how many days may I return goods?"))

    assert answer.mode == "extractive"
    assert answer.sources[0].passage.title == "Refunds"
    assert answer.text.startswith("You may return goods within 30 days of delivery. [1]")


def test_every_citation_points_into_the_stored_text():
    make_document(REFUNDS, title="Refunds")

    answer = answer_of(ask("Who pays the postage when I return goods?"))

    assert answer.citations
    for citation in answer.citations:
        passage = answer.sources[citation.ref - 1].passage
        version = DocumentVersion.objects.get(
            document_id=passage.document_id, number=passage.version
        )
        assert version.content[slice(*citation.source_span)] == citation.quote
        assert answer.text[slice(*citation.answer_span)] == citation.quote
        assert citation.verdict == "supported"


def test_events_come_in_the_order_of_the_contract():
    make_document(REFUNDS, title="Refunds")

    kinds = [type(event) for event in ask("Are damaged goods replaced?")]

    assert kinds[0] is RetrievalCompleted
    assert kinds[-1] is AnswerCompleted
    assert kinds.index(AnswerDelta) < kinds.index(CitationAdded)
    assert kinds.count(AnswerCompleted) == 1


def test_deltas_add_up_to_the_text():
    make_document(REFUNDS, title="Refunds")

    events = ask("Are damaged goods replaced?")

    deltas = "".join(event.text for event in events if isinstance(event, AnswerDelta))
    assert deltas == answer_of(events).text


def test_question_that_no_document_answers_is_declined():
    make_document(REFUNDS, title="Refunds")

    answer = answer_of(ask("What is the boiling point of mercury?"))

    assert (answer.text, answer.mode, answer.citations) == (DECLINED, "extractive", ())


def test_question_to_an_empty_knowledge_base_is_declined():
    assert answer_of(ask("Anything at all?")).text == DECLINED


def test_private_document_answers_its_owner_alone():
    owner = make_user()
    make_document("The vault code is 4711 and opens the north vault.", title="Vault", owner=owner)

    own = answer_of(ask("What is the vault code?", Viewer(user_id=owner.pk)))
    others = answer_of(ask("What is the vault code?", Viewer(user_id=make_user().pk)))

    assert "4711" in own.text
    assert others.text == DECLINED
    assert others.sources == ()


def test_category_is_part_of_the_search():
    make_document(REFUNDS, title="Refunds", category="policy")
    make_document("Goods return to their shelf within 30 days.", title="Shelf", category="guide")

    answer = answer_of(ask("When do goods return?", category="GUIDE"))

    assert {source.passage.category for source in answer.sources} == {"guide"}


def test_deleted_document_is_out_of_the_next_answer():
    document = make_document(REFUNDS, title="Refunds")
    ask("Within how many days may I return goods?")

    document.delete()

    assert answer_of(ask("Within how many days may I return goods?")).text == DECLINED


def test_chunks_are_the_text_of_their_spans():
    document = make_document(REFUNDS, title="Refunds")

    for chunk in Chunk.objects.filter(document=document, live=True):
        assert document.current_version.content[chunk.start : chunk.end] == chunk.text
        assert chunk.heading_path.startswith("Refunds")


def test_state_and_lexical_leg_take_one_query_each(django_assert_max_num_queries):
    from django.db import connection

    from rag.lexical import search_lexical
    from rag.selectors.index import read_state
    from rag.types import Filters

    make_document(REFUNDS, title="Refunds")
    ask("Are damaged goods replaced?")
    state = read_state()
    filters = Filters(viewer=Viewer(), position=state.position)

    # PostgreSQL counts its terms in a query of their own.
    with django_assert_max_num_queries(2 if connection.vendor == "sqlite" else 3):
        read_state()
        search_lexical([("damaged goods", 1.0)], filters=filters, limit=10)
