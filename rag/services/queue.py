"""Working off the documents that wait: load, chunk, embed, switch over."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections, connections
from django.utils import timezone

from rag.errors import LeaseLost, ProviderError
from rag.indexing import activate_version, index_version
from rag.loaders import LoadError, load_file
from rag.models import Document, DocumentVersion
from rag.services.lease import MAX_ATTEMPTS, Lease, take, take_next
from rag.services.outbox import project_quietly
from rag.text.normal import normalise

logger = logging.getLogger(__name__)


def process_queue(*, limit: int | None = None, seconds: float | None = None) -> int:
    """Process waiting documents until none waits, `limit` are done or `seconds` are over.

    Gives how many were worked on. Any number of processes may run it at once.
    """
    ends = None if seconds is None else time.monotonic() + seconds
    done = 0
    while (limit is None or done < limit) and (ends is None or time.monotonic() < ends):
        lease = take_next()
        if lease is None:
            break
        work(lease)
        done += 1
    if done:
        project_quietly()
    return done


def count_waiting() -> int:
    """How many documents wait, or were left by a worker that died."""
    return Document.objects.waiting(timezone.now()).count()


def process_document(document_id: UUID) -> str:
    """Process this document now; why it still waits, if it does."""
    lease = take(document_id)
    if lease is None:
        return "Another worker has taken this document."
    return work(lease)


def work(lease: Lease) -> str:
    """One job from start to end; whatever goes wrong ends in the document's own row.

    Gives what the document waits for when it was put back.
    """
    try:
        _index(lease)
    except LeaseLost:
        logger.info("Document %s was taken over", lease.document_id)
    except LoadError as error:
        _fail(lease, error.code, str(error), retryable=error.retryable)
    except ProviderError as error:
        return _retry_or_fail(lease, error)
    except Exception:
        # A bug in a loader or in the chunker must cost this document, not the queue.
        logger.exception("Document %s could not be processed", lease.document_id)
        _fail(lease, "internal_error", "The document could not be processed.", retryable=True)
    return ""


def _index(lease: Lease) -> None:
    held = DocumentVersion.objects.filter(
        document=lease.document_id, document__lease_token=lease.token
    )
    version = held.select_related("document").order_by("-number").first()
    if version is None:
        raise LeaseLost
    if version.document.attempts > MAX_ATTEMPTS:
        raise LoadError("gave_up", "Processing was begun and broke off too often.", retryable=True)
    if version.raw is not None:
        _load(version)
    checked(version.content)
    index_version(version, lease.report)
    activate_version(version, lease_token=lease.token)


def _load(version: DocumentVersion) -> None:
    loaded = load_file(bytes(version.raw or b""), version.media_type)
    version.content = checked(normalise(loaded.content))
    version.raw = None
    version.save(update_fields=["content", "raw"])


def checked(content: str) -> str:
    """`content`, unless it is empty or too long. Raises LoadError."""
    if not content.strip():
        raise LoadError("empty", "The document holds no text.")
    if len(content) > settings.RAG["MAX_DOCUMENT_CHARS"]:
        limit = settings.RAG["MAX_DOCUMENT_CHARS"]
        raise LoadError("too_many_characters", f"A document may have {limit:,} characters.")
    return content


def _retry_or_fail(lease: Lease, error: ProviderError) -> str:
    logger.warning("Document %s: %s", lease.document_id, error.code)
    attempts = Document.objects.values_list("attempts", flat=True).get(pk=lease.document_id)
    if error.transient and attempts < MAX_ATTEMPTS:
        _quietly(lease.put_back)
        return f"It is tried again later: {error}"
    _fail(lease, error.code, str(error), retryable=error.transient)
    return ""


def _fail(lease: Lease, code: str, message: str, *, retryable: bool) -> None:
    logger.info("Document %s failed: %s", lease.document_id, code)
    _quietly(lambda: lease.fail(code, message, retryable=retryable))


def _quietly(write: Callable[[], None]) -> None:
    try:
        write()
    except LeaseLost:
        logger.info("A failed job had been taken over already")


class _Worker:
    """One thread a process that works the queue off when a request has added to it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.threads: ThreadPoolExecutor | None = None
        self.waiting: Future[int] | None = None


_worker = _Worker()


def kick() -> "Future[int] | None":
    """Have the queue worked off in the background, soon; None where settings leave it to others."""
    if not settings.RAG["PROCESS_IN_BACKGROUND"]:
        return None
    with _worker.lock:
        if _worker.threads is None:
            _worker.threads = ThreadPoolExecutor(1, thread_name_prefix="indexing")
        # One that has not begun yet will see the new document too.
        if _worker.waiting is None or _worker.waiting.running() or _worker.waiting.done():
            _worker.waiting = _worker.threads.submit(_process_in_thread)
        return _worker.waiting


def _process_in_thread() -> int:
    close_old_connections()
    try:
        return process_queue()
    finally:
        connections.close_all()
