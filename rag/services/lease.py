"""The right to work on a document: taken by one conditional update, kept by heartbeats."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db.models import F
from django.utils import timezone

from rag.errors import LeaseLost
from rag.models import Document

LEASE_SECONDS = 120
MAX_ATTEMPTS = 3
RETRY_SECONDS = 30


class Lease:
    """One worker's hold on one document; every write through it fails once it is lost."""

    def __init__(self, document_id: UUID, token: UUID) -> None:
        self.document_id = document_id
        self.token = token

    def report(self, stage: str, percent: int) -> None:
        """Say how far the work is and stay its owner. Raises LeaseLost."""
        self._update(stage=stage, progress=percent, lease_until=_in(LEASE_SECONDS))

    def fail(self, code: str, message: str, *, retryable: bool) -> None:
        """End the work without a result. Raises LeaseLost."""
        self._update(
            status=Document.FAILED,
            stage="",
            error_code=code,
            error_message=message[:300],
            error_retryable=retryable,
            lease_token=None,
            lease_until=None,
        )

    def put_back(self) -> None:
        """Let the work be tried again a little later. Raises LeaseLost."""
        until = _in(RETRY_SECONDS)
        self._update(status=Document.QUEUED, stage="", lease_token=None, lease_until=until)

    def _update(self, **fields: object) -> None:
        held = Document.objects.filter(pk=self.document_id, lease_token=self.token)
        if not held.update(updated_at=timezone.now(), **fields):
            raise LeaseLost


def take_next() -> Lease | None:
    """A lease on the document that has waited longest; None when none waits."""
    while True:
        document = Document.objects.waiting(timezone.now()).only("pk").first()
        if document is None:
            return None
        if lease := take(document.pk):
            return lease


def take(document_id: UUID) -> Lease | None:
    """A lease on this document, if it waits and nobody was faster."""
    token = uuid4()
    waiting = Document.objects.waiting(timezone.now()).order_by().filter(pk=document_id)
    taken = waiting.update(
        status=Document.PROCESSING,
        stage="loading",
        progress=0,
        attempts=F("attempts") + 1,
        lease_token=token,
        lease_until=_in(LEASE_SECONDS),
    )
    return Lease(document_id, token) if taken else None


def claimed(token: UUID) -> dict[str, object]:
    """Fields of a document that is worked on from the start under a lease of `token`."""
    return {
        "status": Document.PROCESSING,
        "stage": "loading",
        "progress": 0,
        "attempts": 1,
        "lease_token": token,
        "lease_until": _in(LEASE_SECONDS),
        "error_code": "",
        "error_message": "",
        "error_retryable": False,
    }


def _in(seconds: float) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)
