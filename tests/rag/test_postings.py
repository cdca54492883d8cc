"""The lexical leg of a large index on SQLite: FTS5's own scores, from arrays that are kept."""

import pytest
from django.db import connection

from rag.backends import get_embedder, get_vector_store
from rag.lexical import postings as postings_module
from rag.lexical import search_lexical, sqlite
from rag.lexical.postings import Postings, _Standing, _sums
from rag.selectors.index import read_position
from rag.services.documents import change_document
from rag.types import Filters, Viewer
from tests.factories import make_document, make_user

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has an index of its own"),
]
QUESTIONS = ["the treasure", "How old are treasures?", "map of the old island", "nothing-here", "a"]


@pytest.fixture(autouse=True)
def standing(monkeypatch):
    made = _Standing()
    monkeypatch.setattr(sqlite, "standing", made)
    return made


@pytest.fixture
def large(monkeypatch):
    """From one chunk on an index counts as large."""
    monkeypatch.setattr(sqlite, "MANY_CHUNKS", 1)


@pytest.fixture
def documents():
    owner = make_user()
    make_document("# Old maps\n\nA map of an old island.\n\nThe island is old.", title="Map")
    make_document("A treasure. The treasure of treasures is very old.", title="Treasure")
    make_document("Grain is cheap.\n\n# Treasure\n\nNone.", title="Grain")
    make_document("The private treasure is new.", title="Own", owner=owner)
    return owner


def search(question: str, viewer: Viewer, limit: int = 50, turns: tuple = (), see=None):
    filters = Filters(viewer=viewer, position=read_position())
    return search_lexical([(question, 1.0), *turns], filters=filters, limit=limit, see=see)


@pytest.mark.parametrize("question", QUESTIONS)
def test_scores_are_those_of_fts5(documents, question, monkeypatch):
    viewer = Viewer(user_id=documents.pk)
    turns = (("an old island", 0.25),)
    expected = search(question, viewer, turns=turns)
    monkeypatch.setattr(sqlite, "MANY_CHUNKS", 1)
    assert search(question, viewer, turns=turns) == expected  # FTS5 itself, once more
    found = search(question, viewer, turns=turns)

    assert sqlite.standing._postings is not None
    assert found.scores == pytest.approx(expected.scores, rel=1e-5)
    assert found.idf == pytest.approx(expected.idf)
    assert found.idf_sum == pytest.approx(expected.idf_sum)


def test_only_what_the_viewer_may_see_is_named(documents, large):
    everybody, owner = Viewer(), Viewer(user_id=documents.pk)
    for _ in range(2):
        assert len(search("treasure", everybody).scores) == 2
        assert len(search("treasure", owner).scores) == 3


def test_limit_is_filled_from_further_down(large):
    """However many of the best may not be seen."""
    stranger = make_user()
    for number in range(12):
        make_document("Treasure, treasure, treasure.", title=f"Treasure {number}", owner=stranger)
    make_document("Somewhere in this long text about grain a treasure is named.", title="Grain")
    make_document("Somewhere in this long text about maps a treasure is named.", title="Map")
    for _ in range(2):
        assert len(search("treasure", Viewer(), limit=1).scores) == 1
        assert len(search("treasure", Viewer(), limit=2).scores) == 2


@pytest.mark.parametrize("known", [1, 2, 1000])
def test_index_of_vectors_may_say_what_the_viewer_may_see(large, known):
    """Whatever it does not know, the database is asked."""
    stranger = make_user()
    for number in range(12):
        make_document("Treasure, treasure, treasure.", title=f"Treasure {number}", owner=stranger)
    make_document("Somewhere in this long text about grain a treasure is named.", title="Grain")
    make_document("Somewhere in this long text about maps a treasure is named.", title="Map")
    store = get_vector_store(get_embedder())
    asked = []

    def see(keys, filters):
        asked.append(len(keys))
        return store.see_now([key for key in keys if key % known == 0], filters)

    for viewer in (Viewer(), Viewer(user_id=stranger.pk)):
        for limit in (1, 2, 50):
            search("treasure", viewer)
            expected = search("treasure", viewer, limit)
            assert search("treasure", viewer, limit, see=see).scores == expected.scores
    assert asked


def test_change_is_seen_by_the_next_search(documents, large, standing):
    for _ in range(2):
        before = search("treasure", Viewer()).scores
    assert standing._postings is not None
    document = make_document("Another treasure.", title="Another")
    for _ in range(3):
        assert len(search("treasure", Viewer()).scores) == len(before) + 1
    change_document(document, user_id=make_user().pk, changes={"hidden": True})
    for _ in range(3):
        assert search("treasure", Viewer()).scores.keys() == before.keys()


def test_what_is_kept_has_a_bound(documents, monkeypatch):
    kept = Postings(read_position())
    monkeypatch.setattr(postings_module, "MIN_BYTES", 0)
    monkeypatch.setattr(postings_module, "BYTES_A_CHUNK", 300)
    for term in ("treasur", "old", "island", *(f"nothing{number}" for number in range(50))):
        kept._get(term)
    assert kept._bytes <= 300 * len(kept.keys)
    assert len(kept._kept) <= kept._bytes / postings_module.OVERHEAD_BYTES
    assert len(kept._get("treasur").gaps) == 3


@pytest.mark.parametrize(
    ("rows", "sums"),
    [([b"\x05\x07", b"\x81\x00\x01"], [12, 129]), ([b"\x81\x80\x00\x00"], [16_384]), ([], [])],
)
def test_lengths_are_read_as_sqlite_writes_them(rows, sums):
    assert _sums(rows).tolist() == sums
