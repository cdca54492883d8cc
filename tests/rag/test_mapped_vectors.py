"""Vectors that the processes of a host share in a file."""

from pathlib import Path

import pytest

from rag.backends import get_embedder
from rag.models import Chunk, ChunkVector, Document
from rag.services.documents import change_document, delete_document
from rag.services.outbox import begin_anew
from rag.types import Filters, Viewer
from rag.vector_stores.local import LocalVectorStore
from tests.factories import make_document, make_user

pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN = 1 << 60
TEXTS = ["You may return goods within 30 days.", "The office opens at nine.", "Ships leave daily."]


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "vectors"


@pytest.fixture
def documents():
    return [make_document(text) for text in TEXTS]


def make_store(folder: Path | None) -> LocalVectorStore:
    """What one process has."""
    embedder = get_embedder()
    return LocalVectorStore(
        dimension=embedder.dimension, fingerprint=embedder.fingerprint, folder=folder, file_from=1
    )


def search(store: LocalVectorStore, text: str = TEXTS[0], user_id=None) -> dict[int, float]:
    """Score by key."""
    vector = get_embedder().embed_now([text])[0]
    filters = Filters(viewer=Viewer(user_id=user_id))
    hits = store.search_now(vector, filters, 10)
    found = {hit.key: hit.score for hit in hits}
    assert store.score_now(vector, list(found)) == pytest.approx(found, abs=1e-5)
    every = [*Chunk.objects.values_list("key", flat=True), UNKNOWN]
    seen = store.see_now(every, filters)
    assert {key for key, is_visible in seen.items() if is_visible} == found.keys()
    assert UNKNOWN not in seen
    return {key: round(score, 5) for key, score in found.items()}


def hide(document: Document, *, hidden: bool) -> None:
    change_document(document, user_id=make_user().pk, changes={"hidden": hidden})


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.vectors"))


def vector_of(document) -> bytes:
    return bytes(ChunkVector.objects.get(chunk__document=document, chunk__live=True).vector)


def test_search_over_the_file_finds_what_memory_finds(folder, documents):
    found = search(make_store(folder))
    assert len(found) == len(TEXTS)
    assert found == search(make_store(None))
    assert len(files(folder)) == 1


def test_second_process_opens_the_file_of_the_first(folder, documents):
    first = search(make_store(folder))
    made = files(folder)[0].stat()
    assert search(make_store(folder)) == first
    assert files(folder)[0].stat().st_ino == made.st_ino


def test_what_comes_later_is_found_by_those_who_have_the_file_open(folder, documents):
    one, other = make_store(folder), make_store(folder)
    search(one), search(other)
    later = make_document("Boats come back on Monday.")
    key = Chunk.objects.get(document=later).key
    assert key in search(one)
    assert search(one) == search(other) == search(make_store(folder)) == search(make_store(None))


def test_private_documents_are_their_owners_alone(folder, documents):
    owner = make_user()
    make_document("My own secret boat.", owner=owner, visibility="private")
    store = make_store(folder)
    assert len(search(store, user_id=owner.pk)) == len(TEXTS) + 1
    assert len(search(store)) == len(TEXTS)


def test_deleted_vector_is_gone_from_the_file(folder, documents):
    store = make_store(folder)
    search(store)
    held = vector_of(documents[1])
    assert held in files(folder)[0].read_bytes()
    delete_document(documents[1])
    assert len(search(store)) == len(TEXTS) - 1
    assert held not in files(folder)[0].read_bytes()


def test_vector_that_was_deleted_while_nothing_ran_is_gone_with_the_next_start(folder, documents):
    search(make_store(folder))
    held = vector_of(documents[1])
    delete_document(documents[1])
    assert len(search(make_store(folder))) == len(TEXTS) - 1
    assert held not in files(folder)[0].read_bytes()


def test_document_that_was_hidden_comes_back(folder, documents):
    one, other = make_store(folder), make_store(folder)
    whole = search(one)
    search(other)
    hide(documents[0], hidden=True)
    assert len(search(one)) == len(TEXTS) - 1
    hide(documents[0], hidden=False)
    assert search(one) == search(other) == search(make_store(folder)) == whole


def test_file_is_not_another_databases(folder, documents):
    search(make_store(folder))
    before = files(folder)
    begin_anew()
    search(make_store(folder))
    assert len(files(folder)) == 1
    assert files(folder) != before


def test_file_that_lacks_much_is_made_anew(folder, documents):
    search(make_store(folder))
    before = files(folder)
    make_document("Boats come back on Monday.")
    assert len(search(make_store(folder))) == len(TEXTS) + 1
    assert len(files(folder)) == 1
    assert files(folder) != before


@pytest.mark.parametrize("size", [0, 40, 60])
def test_file_that_is_cut_off_is_made_anew(folder, documents, size, caplog):
    whole = search(make_store(folder))
    broken = files(folder)[0]
    broken.write_bytes(broken.read_bytes()[:size])
    assert search(make_store(folder)) == whole
    assert "is made anew" in caplog.text
    assert broken not in files(folder)


def test_without_a_folder_to_write_to_vectors_stay_in_memory(tmp_path, documents, caplog):
    (tmp_path / "vectors").write_text("A file stands where the folder should be.")
    assert search(make_store(tmp_path / "vectors")) == search(make_store(None))
    assert "stay in each process's memory" in caplog.text


def test_files_of_generations_that_are_gone_are_removed(folder, documents):
    search(make_store(folder))
    other = folder / f"{'0' * 16}-{'0' * 32}-00.vectors"
    other.write_bytes(b"")
    search(make_store(folder))
    assert not other.exists()


def test_nobody_else_on_the_machine_can_read_them(folder, documents):
    search(make_store(folder))
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("*-*"))


def test_scores_of_the_file_and_of_memory_come_together(folder, documents):
    store = make_store(folder)
    search(store)
    later = make_document("Boats come back on Monday.")
    found = search(store, "Boats come back on Monday.")
    assert next(iter(found)) == Chunk.objects.get(document=later).key
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert found == search(make_store(None), "Boats come back on Monday.")
