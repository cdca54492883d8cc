"""Files that are worked on together: what one of them suffers costs no other."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from django.core.signals import setting_changed
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rag.errors import ProviderRejected
from rag.models import Chunk, ChunkVector, Document, IndexChange
from rag.services import populate, process_queue
from rag.services.folders import find_files
from rag.services.lease import take
from rag.services.populate import index_files
from rag.types import Vector
from tests.rag.fakes import WordsEmbedder
from tests.rag.statements import outside_transactions
from tests.rag.test_queue import pass_time

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("apples", "pears", "plums")


class PickyEmbedder(WordsEmbedder):
    """Refuses whatever speaks of poison, and keeps what it was asked for."""

    fingerprint = "picky-64"
    calls: list[list[str]] = []

    async def _embed_batch(self, texts: Sequence[str]) -> Vector:
        self.calls.append(list(texts))
        if any("poison" in text for text in texts):
            raise ProviderRejected
        return await super()._embed_batch(texts)


@pytest.fixture
def embedder(settings):
    PickyEmbedder.calls = []
    choice = {"BACKEND": "tests.rag.test_together.PickyEmbedder"}
    settings.RAG = {**settings.RAG, "EMBEDDER": choice}
    yield PickyEmbedder
    setting_changed.send(sender=None, setting="RAG", value=None, enter=False)


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        write(tmp_path, name, f"Here are {name}.")
    return tmp_path


def write(folder, name, text):
    (folder / f"{name}.md").write_text(f"# About {name}\n\n{text}\n")


def index(folder, **options):
    return {done.source: done for done in index_files(find_files([folder]), **options)}


def outcomes(folder, **options):
    return [done.outcome for done in index(folder, **options).values()]


def test_small_files_take_one_call_and_two_commits(folder, embedder):
    index(folder)
    for name in NAMES:
        write(folder, name, f"Here are more {name}.")
    embedder.calls.clear()

    with CaptureQueriesContext(connection) as statements:
        assert outcomes(folder) == ["updated"] * 3

    sent = [row["sql"] for row in statements]
    assert len(embedder.calls) == 1
    assert sent.count("COMMIT") == 2
    assert not [sql for sql in outside_transactions(sent) if not sql.startswith("SELECT")]
    assert Document.objects.filter(status="ready", current_version__number=2).count() == 3


def test_what_is_live_is_the_newest_versions_and_each_change_has_a_number(folder, embedder):
    index(folder)
    write(folder, "pears", "No pears any more.")

    index(folder)

    live = Chunk.objects.filter(live=True).order_by("document__source")
    assert [chunk.text.splitlines()[-1] for chunk in live] == [
        "Here are apples.", "No pears any more.", "Here are plums.",
    ]  # fmt: skip
    assert list(IndexChange.objects.values_list("number", flat=True)) == [1, 2, 3, 4]
    assert ChunkVector.objects.count() == Chunk.objects.count() == 4


def test_unchanged_chunk_of_a_changed_file_keeps_its_vector(folder, embedder):
    index(folder)
    text = (folder / "pears.md").read_text()
    (folder / "pears.md").write_text(f"{text}\n# About quinces\n\nThey are new.\n")
    embedder.calls.clear()

    index(folder)

    assert len(embedder.calls) == 1
    assert [text.splitlines()[-1] for text in embedder.calls[0]] == ["They are new."]


def test_file_that_the_embedder_refuses_costs_no_other(folder, embedder):
    write(folder, "pears", "These pears are poison.")

    done = index(folder)

    assert [each.outcome for each in done.values()] == ["added", "failed", "added"]
    assert "refused" in done["pears.md"].reason
    refused = Document.objects.get(source="pears.md")
    assert (refused.status, refused.lease_token) == ("failed", None)


def test_bug_costs_one_file_and_is_logged(folder, embedder, monkeypatch, caplog):
    from rag import chunks

    def failing(text):
        if "pears" in text:
            raise ZeroDivisionError
        return ""

    monkeypatch.setattr(chunks, "grams_of", failing)

    assert outcomes(folder) == ["added", "failed", "added"]
    assert Document.objects.get(source="pears.md").error_code == "internal_error"
    assert "ZeroDivisionError" in caplog.text


def test_killed_between_the_commits_the_queue_goes_on(folder, embedder, monkeypatch):
    class Killed(BaseException):
        """Nothing runs after it, as nothing does after a kill."""

    def die(versions, token):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(populate, "index_together", die)
        with pytest.raises(Killed):
            index(folder)
    assert set(Document.objects.values_list("status", "attempts")) == {("processing", 1)}
    assert process_queue() == 0

    for document in Document.objects.all():
        pass_time(document)

    assert process_queue() == 3
    assert set(Document.objects.values_list("status", flat=True)) == {"ready"}
    assert outcomes(folder) == ["unchanged"] * 3


def test_killed_command_can_be_run_again_at_once(folder, embedder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(populate, "_try_together", lambda versions, token: set())
        patch.setattr(populate, "work", lambda lease: "")
        assert outcomes(folder) == ["failed"] * 3

    assert outcomes(folder) == ["updated"] * 3
    assert set(Document.objects.values_list("status", flat=True)) == {"ready"}


def test_document_that_another_took_over_is_left_to_it(folder, embedder, monkeypatch):
    original = populate.index_together

    def overtaken(versions, token):
        pears = Document.objects.get(source="pears.md")
        pass_time(pears)
        assert take(pears.pk)
        return original(versions, token)

    monkeypatch.setattr(populate, "index_together", overtaken)

    assert outcomes(folder) == ["added", "failed", "added"]
    pears = Document.objects.get(source="pears.md")
    assert (pears.status, pears.attempts, pears.chunks.count()) == ("processing", 2, 0)


def test_document_deleted_meanwhile_says_so(folder, embedder, monkeypatch):
    original = populate.index_together

    def deleted(versions, token):
        Document.objects.get(source="pears.md").delete()
        return original(versions, token)

    monkeypatch.setattr(populate, "index_together", deleted)

    done = index(folder)

    assert done["pears.md"].reason == "It was deleted meanwhile."
    assert Document.objects.filter(status="ready").count() == 2


def test_long_file_goes_alone_in_steps(folder, embedder, monkeypatch):
    monkeypatch.setattr(populate, "GROUP_CHARS", 60)
    write(folder, "pears", "Many pears. " * 10)

    assert outcomes(folder) == ["added"] * 3
    assert len(embedder.calls) == 3


def test_two_folders_with_a_file_of_one_name_make_two_versions(tmp_path, embedder):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "apples", f"Apples of folder {name}.")

    found = find_files([tmp_path / "one", tmp_path / "two"])
    assert [done.outcome for done in index_files(found)] == ["added", "updated"]
    assert_text_of_two()

    # However often it runs: the later folder's text stays.
    assert [done.outcome for done in index_files(found)] == ["updated", "updated"]
    assert_text_of_two()


def assert_text_of_two() -> None:
    document = Document.objects.get()
    assert "folder two" in document.current_version.content
    assert Chunk.objects.filter(live=True).count() == 1


def test_a_name_that_no_database_takes_costs_its_own_file_alone(tmp_path, embedder):
    write(tmp_path, "apples", "Apples keep for weeks.")
    write(tmp_path, "pears", "Pears keep for days.")
    good, bad = find_files([tmp_path])
    bad = replace(bad, source="pears-\udcff.md")

    done = list(index_files([good, bad]))

    assert [each.outcome for each in done] == ["added", "failed"]
    assert done[1].reason == "The database does not take it (UnicodeEncodeError)."
    assert Document.objects.get().source == good.source
