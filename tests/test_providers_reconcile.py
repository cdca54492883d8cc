"""An external store is mended from the database, whatever happened to it."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from common.loop import run
from rag.backends import get_vector_store
from rag.models import Chunk
from rag.services import process_queue, reconcile_store
from rag.services.submit import Submission, submit
from tests.factories import make_document
from tests.providers import served
from tests.stand_ins.faults import ALWAYS
from tests.stand_ins.pinecone import PineconeStandIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pinecone() -> Iterator[PineconeStandIn]:
    with served(PineconeStandIn()) as app:
        yield app


@pytest.fixture
def use_pinecone(pinecone: PineconeStandIn, settings: Any) -> Any:
    """Switches the store over, as an operator's new key does."""

    def switch() -> None:
        options = {"api_key": "key", "control_host": pinecone.url, "write_seconds": 2.0}
        path = "rag.vector_stores.pinecone.PineconeVectorStore"
        settings.RAG = {**settings.RAG, "VECTOR_STORE": {"BACKEND": path, "OPTIONS": options}}

    return switch


def live() -> set[int]:
    """The chunks that may be found."""
    return set(Chunk.objects.filter(live=True).values_list("pk", flat=True))


def test_store_that_is_added_later_is_filled_by_the_command(use_pinecone):
    make_document("# One\n\nRefunds take thirty days.")
    use_pinecone()
    said = StringIO()
    call_command("create_index", stdout=said)
    assert "Put in 1, took out 0." in said.getvalue()
    assert run(get_vector_store().keys()) == live()


def test_lost_and_foreign_vectors_are_found_and_mended(use_pinecone, pinecone):
    make_document("# One\n\nRefunds take thirty days.")
    make_document("# Two\n\nThe car park opens at six.")
    use_pinecone()
    call_command("create_index", stdout=StringIO())
    store = get_vector_store()
    [index] = pinecone.indexes.values()
    vectors = index.namespaces[store.namespace]
    lost = vectors.pop(str(min(live())))
    vectors["999999"] = {**lost, "id": "999999"}

    assert reconcile_store(dry_run=True) == {"missing": 1, "extra": 1}
    assert reconcile_store() == {"missing": 1, "extra": 1}
    assert run(store.keys()) == live()
    assert reconcile_store() == {"missing": 0, "extra": 0}


def test_new_document_is_in_the_store_when_the_queue_is_done(use_pinecone):
    use_pinecone()
    call_command("create_index", stdout=StringIO())
    submit(
        Submission(title="One", content="Refunds take thirty days.", visibility="public"),
        owner_id=None,
    )
    assert process_queue() == 1
    assert run(get_vector_store().keys()) == live() != set()


def test_store_that_fails_does_not_fail_the_document(use_pinecone, pinecone):
    use_pinecone()
    call_command("create_index", stdout=StringIO())
    pinecone.faults.add("status", path="/upsert", status=400, times=ALWAYS)
    submitted = submit(
        Submission(title="One", content="Refunds.", visibility="public"), owner_id=None
    )
    process_queue()
    submitted.document.refresh_from_db()
    assert submitted.document.status == "ready"
    pinecone.faults.clear()
    assert reconcile_store() == {"missing": 1, "extra": 0}


def test_store_that_follows_the_database_needs_nothing():
    make_document("# One\n\nRefunds take thirty days.")
    assert reconcile_store() == {"missing": 0, "extra": 0}
