"""Ingestion jobs: leases, takeovers, retries."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from rag import indexing
from rag.errors import LeaseLost, ProviderRejected, ProviderUnavailable
from rag.models import ChunkVector, Document
from rag.services import process_queue
from rag.services.lease import MAX_ATTEMPTS, take, take_next
from rag.services.queue import kick, process_document
from rag.services.submit import Submission, submit
from tests.rag.statements import outside_transactions

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "".join(f"# Part {number}\n\nWords about matter {number}.\n\n" for number in range(6))


def queue(content: str = TEXT) -> Document:
    return submit(Submission(title="Parts", content=content), owner_id=None).document


def pass_time(document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(
        lease_until=timezone.now() - timedelta(seconds=1)
    )


def test_only_one_worker_gets_a_document():
    document = queue()

    assert take(document.pk) is not None
    assert take(document.pk) is None
    assert take_next() is None


def test_dead_workers_job_is_taken_over():
    document = queue()
    take(document.pk)
    assert process_queue() == 0

    pass_time(document)

    assert process_queue() == 1
    document.refresh_from_db()
    assert document.status == "ready"


def test_overtaken_worker_cannot_write_any_more():
    document = queue()
    first = take(document.pk)
    pass_time(document)
    second = take(document.pk)

    with pytest.raises(LeaseLost):
        first.report("embedding", 50)
    second.report("embedding", 50)


def test_newer_content_overtakes_a_running_job():
    from rag.services.documents import change_document
    from tests.factories import make_user

    document = queue()
    running = take(document.pk)
    change_document(document, user_id=make_user().pk, changes={"content": "Newer words."})

    with pytest.raises(LeaseLost):
        running.report("embedding", 50)
    process_queue()
    document.refresh_from_db()
    assert document.current_version.content == "Newer words."


def test_job_goes_on_from_the_last_batch(monkeypatch):
    monkeypatch.setattr(indexing, "BATCH_CHUNKS", 2)
    document = queue()
    original, calls = indexing.save_vectors, []

    def breaking(chunks, embedder):
        calls.append(len(chunks))
        if len(calls) == 3:
            raise ProviderUnavailable
        original(chunks, embedder)

    monkeypatch.setattr(indexing, "save_vectors", breaking)
    process_queue()
    document.refresh_from_db()
    assert (document.status, ChunkVector.objects.count()) == ("queued", 4)

    pass_time(document)
    process_queue()

    document.refresh_from_db()
    assert document.status == "ready"
    assert calls == [2, 2, 2, 2]


def fail_with(monkeypatch, error) -> None:
    def failing(chunks, embedder):
        raise error

    monkeypatch.setattr(indexing, "save_vectors", failing)


def test_provider_that_stays_away_ends_in_a_failure_that_a_retry_can_help(monkeypatch):
    document = queue()
    fail_with(monkeypatch, ProviderUnavailable())
    for _ in range(MAX_ATTEMPTS):
        process_queue()
        pass_time(document)

    document.refresh_from_db()
    assert (document.status, document.error_code) == ("failed", "provider_unavailable")
    assert document.error_retryable


def test_provider_that_refuses_ends_in_a_failure_at_once(monkeypatch):
    document = queue()
    fail_with(monkeypatch, ProviderRejected())

    process_queue()

    document.refresh_from_db()
    assert (document.status, document.error_retryable) == ("failed", False)


def test_bug_costs_one_document_and_not_the_queue(monkeypatch, caplog):
    broken = queue("Broken words.")
    whole = queue("Whole words.")
    original = indexing.save_chunks

    def failing(version):
        if "Broken" in version.content:
            raise ZeroDivisionError
        return original(version)

    monkeypatch.setattr(indexing, "save_chunks", failing)
    assert process_queue() == 2

    broken.refresh_from_db()
    whole.refresh_from_db()
    assert (broken.status, broken.error_code) == ("failed", "internal_error")
    assert whole.status == "ready"
    assert "ZeroDivisionError" in caplog.text


def test_failed_document_is_tried_again_when_it_is_sent_again(monkeypatch):
    document = queue()
    with monkeypatch.context() as patch:
        fail_with(patch, ProviderRejected())
        process_queue()

    again = submit(Submission(title="Parts", content=TEXT), owner_id=None)
    process_queue()

    document.refresh_from_db()
    assert again.document.pk == document.pk
    assert document.status == "ready"


def test_failed_edit_leaves_the_version_before_answering(monkeypatch):
    from rag.services.documents import change_document
    from tests.factories import make_user

    document = queue("The gate opens at nine.")
    process_queue()
    fail_with(monkeypatch, ProviderRejected())

    change_document(document, user_id=make_user().pk, changes={"content": "It opens at ten."})
    process_queue()

    document.refresh_from_db()
    assert document.status == "failed"
    assert document.current_version.content == "The gate opens at nine."


def test_document_without_text_fails():
    document = queue("   \n ")

    process_queue()

    document.refresh_from_db()
    assert (document.status, document.error_code) == ("failed", "empty")


def test_too_many_characters_fail():
    from django.conf import settings

    with override_settings(RAG={**settings.RAG, "MAX_DOCUMENT_CHARS": 10}):
        document = queue("More than ten characters.")
        process_queue()

    document.refresh_from_db()
    assert document.error_code == "too_many_characters"


def test_background_thread_works_the_queue_off():
    from django.conf import settings

    document = queue()
    with override_settings(RAG={**settings.RAG, "PROCESS_IN_BACKGROUND": True}):
        waiting = kick()
    waiting.result(timeout=30)

    document.refresh_from_db()
    assert document.status == "ready"


def test_limit_is_kept():
    for number in range(3):
        queue(f"Document number {number}.")

    assert process_queue(limit=2) == 2
    assert process_queue() == 1


def test_document_takes_four_commits():
    process_document(queue("The first makes the generation.").pk)
    document = queue()

    with CaptureQueriesContext(connection) as statements:
        process_document(document.pk)

    sent = [row["sql"] for row in statements]
    alone = [sql for sql in outside_transactions(sent) if not sql.startswith("SELECT")]
    # Taken; its chunks; their vectors; in use.
    assert (len(alone), sent.count("COMMIT")) == (1, 3)
