"""Several documents in one request, once however often it is sent."""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import transaction

from common import idempotency
from common.idempotency import IdempotencyKey, KeyInProgress
from rag.errors import PublicIsForStaff
from rag.models import Document
from rag.services.submit import Submission, Submitted, submit

Describe = Callable[[Sequence[Submitted]], object]


def take_in(
    submissions: Sequence[Submission],
    *,
    user_id: UUID,
    is_staff: bool,
    key: IdempotencyKey | None,
    describe: Describe,
) -> tuple[object, bool]:
    """The answer's body, and whether it is that of an earlier request under the same key.

    All of `submissions` are queued or none is. Raises PublicIsForStaff, KeyReused,
    KeyInProgress.
    """
    if not is_staff and any(item.visibility == Document.PUBLIC for item in submissions):
        raise PublicIsForStaff
    with transaction.atomic():
        record = idempotency.claim(user_id=user_id, key=key) if key else None
        if key is None or record is not None:
            body = describe([submit(item, owner_id=user_id) for item in submissions])
            if record is not None:
                idempotency.complete(record, status=202, body=body)
            return body, False
    return _first_answer(user_id, key), True


def _first_answer(user_id: UUID, key: IdempotencyKey) -> object:
    record = idempotency.find(user_id=user_id, key=key)
    if record is None or record.response_status is None:
        raise KeyInProgress
    return record.response_body
