"""A request that is sent twice under one key is done once (the `Idempotency-Key` header)."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from common.errors import Conflict, Invalid, Unprocessable
from common.models import IdempotencyRecord

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
MAX_KEY_CHARS = 255


class KeyInProgress(Conflict):
    """The first request under this key has not ended."""

    code = "idempotency_in_progress"
    message = "The first request with this Idempotency-Key is still running."


class KeyReused(Unprocessable):
    """The key came with another body before."""

    code = "idempotency_key_reused"
    message = "This Idempotency-Key was used with another request body."


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """A key as sent, with the path and the hash of the body that it came with."""

    key: str
    path: str
    body_hash: str


def read_key(request: HttpRequest, *, body: bytes) -> IdempotencyKey | None:
    """The request's key, or None without the header; Invalid for one that cannot be a key."""
    if HEADER not in request.headers:
        return None
    value = request.headers[HEADER].strip()
    if not (0 < len(value) <= MAX_KEY_CHARS and value.isascii() and value.isprintable()):
        raise Invalid(errors={HEADER: ["1 to 255 printable ASCII characters are needed."]})
    return IdempotencyKey(
        key=value, path=request.path[:200], body_hash=hashlib.sha256(body).hexdigest()
    )


def canonical_body(data: object) -> bytes:
    """`data` in one form, whatever the order of its keys and the blanks between them."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS, default=str)


def find(*, user_id: UUID, key: IdempotencyKey) -> IdempotencyRecord | None:
    """The record of an earlier request under `key`; KeyReused when its body was another."""
    record = (
        IdempotencyRecord.objects.filter(user_id=user_id, path=key.path, key=key.key)
        .filter(created_at__gte=_oldest(timezone.now()))
        .first()
    )
    if record is not None and record.body_hash != key.body_hash:
        raise KeyReused
    return record


def claim(
    *, user_id: UUID, key: IdempotencyKey, resource_id: UUID | None = None
) -> IdempotencyRecord | None:
    """Take `key` for this request; None when another request has it (then `find` it).

    Call it inside the transaction that makes the resource: both stand or neither does. The
    unique row decides between simultaneous requests; the loser waits here for the winner.
    """
    records = IdempotencyRecord.objects.filter(user_id=user_id, path=key.path, key=key.key)
    records.filter(created_at__lt=_oldest(timezone.now())).delete()
    try:
        with transaction.atomic():
            return IdempotencyRecord.objects.create(
                user_id=user_id,
                path=key.path,
                key=key.key,
                body_hash=key.body_hash,
                resource_id=resource_id,
            )
    except IntegrityError:
        return None


def complete(record: IdempotencyRecord, *, status: int, body: object) -> None:
    """Keep the first answer, for a request whose answer cannot be made again from its resource."""
    record.response_status = status
    record.response_body = body
    record.save(update_fields=["response_status", "response_body"])


def purge_expired(*, now: datetime | None = None) -> int:
    """Delete records past their hours; the number of them."""
    deleted, _ = IdempotencyRecord.objects.filter(
        created_at__lt=_oldest(now or timezone.now())
    ).delete()
    return deleted


def count_expired() -> int:
    """How many records are past their hours now."""
    return IdempotencyRecord.objects.filter(created_at__lt=_oldest(timezone.now())).count()


def _oldest(now: datetime) -> datetime:
    return now - timedelta(hours=settings.IDEMPOTENCY_HOURS)
