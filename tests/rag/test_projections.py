"""Indexes follow the database: in this process, in others, and in external stores."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from django.db import connection, transaction
from django.test import override_settings

from common import loop
from rag.backends import get_vector_store
from rag.models import Chunk, IndexChange, IndexCounter
from rag.outbox import record_change
from rag.retrieval import retrieve
from rag.selectors.index import read_position
from rag.services import project_outbox
from rag.services.documents import change_document, delete_document
from rag.types import Filters, Question, VectorRecord, Viewer
from rag.vector_stores.base import VectorStore
from tests.factories import make_document, make_user

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "You may return goods within 30 days."


class RecordingStore(VectorStore):
    """An external store of a dictionary."""

    records: dict[int, VectorRecord] = {}

    async def keys(self):
        return set(self.records)

    async def _search(self, vector, filters, limit):
        return []

    async def _upsert(self, records):
        self.records.update({record.key: record for record in records})

    async def _delete(self, keys):
        for key in keys:
            self.records.pop(key, None)


@pytest.fixture
def external():
    from django.conf import settings

    RecordingStore.records = {}
    choice = {"BACKEND": f"{__name__}.RecordingStore"}
    with override_settings(RAG={**settings.RAG, "VECTOR_STORE": choice}):
        yield RecordingStore


def live_keys():
    return set(Chunk.objects.filter(live=True, document__hidden=False).values_list("pk", flat=True))


def test_changes_are_numbered_without_gaps():
    make_document(TEXT)
    make_document("Another text.")

    numbers = list(IndexChange.objects.values_list("number", flat=True))

    assert numbers == list(range(1, len(numbers) + 1))
    assert read_position().number == numbers[-1]


def test_change_that_is_rolled_back_leaves_no_number():
    before = read_position()

    def break_off():
        with transaction.atomic():
            record_change(make_user().pk)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()

    assert read_position().number == before.number


def test_change_outside_a_transaction_is_refused():
    with pytest.raises(transaction.TransactionManagementError):
        record_change(make_user().pk)


def test_simultaneous_changes_get_numbers_of_their_own():
    IndexCounter.objects.get_or_create(pk=1)
    documents = [make_user().pk for _ in range(6)]
    barrier = threading.Barrier(len(documents))

    def change(document):
        barrier.wait()
        with transaction.atomic():
            record_change(document)
        connection.close()

    threads = [threading.Thread(target=change, args=(document,)) for document in documents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    numbers = list(IndexChange.objects.values_list("number", flat=True))
    assert numbers == list(range(1, len(documents) + 1))


def test_external_store_holds_what_is_live(external):
    document = make_document(TEXT)
    other = make_document("Another text.")

    assert project_outbox() > 0
    assert set(external.records) == live_keys()
    change_document(document, user_id=make_user().pk, changes={"hidden": True})
    delete_document(other)
    project_outbox()
    assert external.records == {}


def test_projecting_again_does_nothing(external):
    make_document(TEXT)
    project_outbox()

    assert project_outbox() == 0


def test_external_record_carries_what_its_filters_need(external):
    owner = make_user()
    document = make_document(TEXT, owner=owner, category="faq")

    project_outbox()

    [record] = external.records.values()
    assert (record.document_id, record.owner_id) == (document.pk, owner.pk)
    assert (record.public, record.category) == (False, "faq")
    assert np.linalg.norm(record.vector) == pytest.approx(1.0, abs=1e-4)


def test_local_store_reads_only_what_changed(caplog):
    make_document(TEXT)
    store = get_vector_store()
    filters = Filters(viewer=Viewer())
    vector = np.ones(store.dimension, dtype=np.float32)
    loop.run(store.search(vector, filters=filters, limit=5))
    caplog.clear()

    with caplog.at_level("INFO"):
        make_document("Another text.")
        hits = loop.run(store.search(vector, filters=filters, limit=5))

    assert len(hits) == 2
    assert "Loaded" not in caplog.text


def test_local_store_begins_anew_when_the_list_has_been_cut(caplog):
    make_document(TEXT)
    store = get_vector_store()
    filters = Filters(viewer=Viewer())
    vector = np.ones(store.dimension, dtype=np.float32)
    loop.run(store.search(vector, filters=filters, limit=5))
    make_document("Another text.")
    IndexChange.objects.all().delete()

    assert len(loop.run(store.search(vector, filters=filters, limit=5))) == 2


def test_searches_and_changes_at_once_end_in_step():
    documents = [make_document(f"You may return goods of kind {n}.") for n in range(4)]
    errors = []
    stop = threading.Event()

    def search():
        while not stop.is_set():
            try:
                loop.run(retrieve(Question(text="return goods", viewer=Viewer())))
            except Exception as error:  # noqa: BLE001 (any error at all fails this test)
                errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for document in documents[:3]:
        change_document(document, user_id=make_user().pk, changes={"hidden": True})
    stop.set()
    for thread in threads:
        thread.join()

    found = loop.run(retrieve(Question(text="return goods", viewer=Viewer())))
    assert errors == []
    assert [passage.document_id for passage in found.passages] == [documents[3].pk]


OTHER_PROCESS = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
import django
django.setup()
from django.conf import settings
from django.db import connections
connections.settings["default"]["NAME"] = sys.argv[1]
from common import loop
from rag.retrieval import retrieve
from rag.types import Question, Viewer
for line in sys.stdin:
    found = loop.run(retrieve(Question(text="return goods", viewer=Viewer())))
    print(len(found.passages), flush=True)
"""


def test_another_process_is_in_step_with_its_next_search():
    make_document(TEXT)
    name = str(connection.settings_dict["NAME"])
    root = Path(__file__).resolve().parent.parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
        text=True,
    ) as other:

        def ask() -> int:
            other.stdin.write("search\n")
            other.stdin.flush()
            return int(other.stdout.readline())

        before = ask()
        make_document("Return goods to the desk by the door.")
        after = ask()
        other.stdin.close()

    assert (before, after) == (1, 2)
