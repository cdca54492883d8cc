"""A new generation of the index is built beside the one that answers."""

import threading

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from common import loop
from rag.models import ChunkVector, IndexGeneration
from rag.retrieval import retrieve
from rag.services.generations import (
    fill_generation,
    missing_chunks,
    previous_generation,
    start_building,
    switch_to,
)
from rag.types import Question, Viewer
from tests.factories import make_document

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = {"BACKEND": "tests.rag.fakes.WordsEmbedder"}
FAILING = {"BACKEND": "tests.rag.fakes.FailingEmbedder"}


def find(text="return goods"):
    return loop.run(retrieve(Question(text=text, viewer=Viewer())))


@pytest.fixture
def documents():
    return [
        make_document(f"You may return goods of kind {number} within 30 days.", title=f"D{number}")
        for number in range(5)
    ]


def test_first_document_makes_the_first_generation(documents):
    generation = IndexGeneration.objects.get()

    assert generation.state == "active"
    assert generation.fingerprint.startswith("wordllama")


def test_rebuild_switches_and_can_be_undone(documents, capsys):
    old = IndexGeneration.objects.get().fingerprint

    call_command("rebuild_index", embedder=WORDS["BACKEND"])

    assert IndexGeneration.objects.get(state="active").fingerprint == "words-64"
    assert IndexGeneration.objects.get(state="retired").fingerprint == old
    assert len(find().passages) == 3
    call_command("rebuild_index", rollback=True)
    assert IndexGeneration.objects.get(state="active").fingerprint == old


def test_generation_that_lacks_vectors_does_not_answer(documents):
    from rag.errors import GenerationIncomplete

    generation = start_building(WORDS)

    with pytest.raises(GenerationIncomplete):
        switch_to(generation)
    assert IndexGeneration.objects.get(state="active").fingerprint.startswith("wordllama")


def test_building_goes_on_where_it_broke_off(documents):
    generation = start_building(WORDS)
    fill_generation(generation, lambda done, total: None)
    vectors = ChunkVector.objects.filter(fingerprint="words-64").order_by("pk")
    kept = vectors.values_list("pk", flat=True)[:3]
    ChunkVector.objects.filter(fingerprint="words-64").exclude(pk__in=list(kept)).delete()

    again = start_building(WORDS)

    assert again.pk == generation.pk
    assert fill_generation(again, lambda done, total: None) == 2


def test_document_added_while_building_gets_vectors_in_both(documents):
    generation = start_building(WORDS)
    fill_generation(generation, lambda done, total: None)

    make_document("Something new came in.", title="New")

    assert not missing_chunks(generation).exists()
    assert len(ChunkVector.objects.values("fingerprint").distinct()) == 2


def test_rollback_embeds_what_came_in_since(documents):
    call_command("rebuild_index", embedder=WORDS["BACKEND"])
    make_document("Parcels take two days.", title="Parcels")
    assert missing_chunks(previous_generation()).count() == 1

    call_command("rebuild_index", rollback=True)

    assert find("how long do parcels take").passages[0].title == "Parcels"


def test_provider_that_fails_leaves_the_old_generation_answering(documents):
    with pytest.raises(CommandError, match="Run it again"):
        call_command("rebuild_index", embedder=FAILING["BACKEND"])

    assert find().passages


def test_comparison_tells_how_alike_both_are(documents, tmp_path, capsys):
    questions = tmp_path / "questions.txt"
    questions.write_text("return goods of kind 3\n")

    call_command("rebuild_index", embedder=WORDS["BACKEND"], no_switch=True, questions=questions)

    assert "1 questions: same first document" in capsys.readouterr().out
    assert IndexGeneration.objects.get(state="active").fingerprint.startswith("wordllama")


def test_searches_during_a_switch_see_no_error_and_no_mixture(documents):
    generation = start_building(WORDS)
    fill_generation(generation, lambda done, total: None)
    old = IndexGeneration.objects.get(state="active")
    found, errors, stop = [], [], threading.Event()

    def search() -> None:
        while not stop.is_set():
            try:
                found.append(find())
            except Exception as error:  # noqa: BLE001 (any error at all fails this test)
                errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for target in (generation, old, generation, old):
        target.refresh_from_db()
        switch_to(target)
    stop.set()
    for thread in threads:
        thread.join()

    assert errors == []
    assert found
    assert all(len(result.passages) == 3 for result in found)


def test_without_the_embedder_the_words_answer_alone(documents):
    with override_settings(RAG=_settings_with(FAILING)):
        IndexGeneration.objects.update(embedder=FAILING, fingerprint="failing-64")
        result = find("return goods of kind 3")

    assert result.passages[0].title == "D3"


def _settings_with(embedder):
    from django.conf import settings

    return {**settings.RAG, "EMBEDDER": embedder}
