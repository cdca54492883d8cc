"""Deleting messages when their time is over, and the sessions that this leaves empty.

In small transactions by primary key, so that nobody waits for long: a batch locks only the
sessions that it deletes from, passes over those that somebody is using at that moment, and
comes back to them at the end.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q

from chat.models import ChatMessage, ChatSession, MessageFeedback

logger = logging.getLogger(__name__)

BATCH_ROWS = 250

Fence = Callable[[], None]
Key = tuple[UUID, UUID]


@dataclass(slots=True)
class Purged:
    """What was deleted, and how many messages were left because their session was in use."""

    messages: int = 0
    sessions: int = 0
    left: int = 0


def purge_messages(
    *, before: datetime, dry_run: bool = False, fence: Fence = lambda: None
) -> Purged:
    """Delete messages written before `before`, and old sessions that are empty by that.

    A message written exactly then stays. An answer that is younger than its question stays,
    without it. `fence` is called in each batch's transaction and stops everything by raising.
    """
    if dry_run:
        return count_messages(before)
    purged = Purged()
    for _ in range(2):
        # The second time for the sessions that were in use the first time.
        purged.left = 0
        for keys in _old_messages(before):
            _purge_batch(keys, before, purged, fence)
        if not purged.left:
            break
    for ids in _old_sessions(before):
        with transaction.atomic():
            fence()
            purged.sessions += _delete_empty(ids, before)
    logger.info("Purged %d messages and %d sessions", purged.messages, purged.sessions)
    return purged


def count_messages(before: datetime) -> Purged:
    """What `purge_messages` would delete now."""
    emptied = _spent(before).filter(_has_message()).exclude(_has_message(timestamp__gte=before))
    empty = _spent(before).exclude(_has_message())
    return Purged(
        messages=ChatMessage.objects.older_than(before).count(),
        sessions=emptied.count() + empty.count(),
    )


def _old_messages(before: datetime) -> Iterator[list[Key]]:
    """Keys of old messages with their sessions, the oldest first, a batch at a time."""
    rows = ChatMessage.objects.older_than(before).order_by("timestamp", "pk")
    later = rows
    while batch := list(later.values_list("pk", "session_id", "timestamp")[:BATCH_ROWS]):
        yield [(pk, session) for pk, session, _ in batch]
        pk, _, timestamp = batch[-1]
        # From where this batch ended: what was deleted need not be passed over again.
        after = Q(timestamp__gt=timestamp) | Q(timestamp=timestamp, pk__gt=pk)
        later = rows.filter(after, timestamp__gte=timestamp)


def _purge_batch(keys: list[Key], before: datetime, purged: Purged, fence: Fence) -> None:
    with transaction.atomic():
        fence()
        sessions = ChatSession.objects.filter(pk__in={session for _, session in keys})
        free = set(sessions.select_for_update(skip_locked=True).values_list("pk", flat=True))
        ids = {pk for pk, session in keys if session in free}
        purged.left += len(keys) - len(ids)
        ids |= _part_answers(ids, before)
        _delete_messages(ids)
        purged.messages += len(ids)
        purged.sessions += _delete_empty(free, before)


def _part_answers(questions: set[UUID], before: datetime) -> set[UUID]:
    """The old answers to `questions`; the younger ones are cut loose, so that they stay."""
    answers = ChatMessage.objects.filter(reply_to__in=questions).values_list("pk", "timestamp")
    old = {pk for pk, timestamp in answers if timestamp < before}
    if young := {pk for pk, _ in answers} - old:
        ChatMessage.objects.filter(pk__in=young).update(reply_to=None)
    return old


def _delete_messages(ids: set[UUID]) -> None:
    MessageFeedback.objects.filter(message__in=ids).delete()
    messages = ChatMessage.objects.filter(pk__in=ids)
    # What hangs on them is gone already: no need to load half a million rows to find out.
    messages._raw_delete(messages.db)  # noqa: SLF001


def _old_sessions(before: datetime) -> Iterator[list[UUID]]:
    """Ids of sessions that a broken-off cleanup may have left, walked in the order of their key."""
    last: UUID | None = None
    while True:
        rows = ChatSession.objects.order_by("pk")
        rows = rows.filter(pk__gt=last) if last else rows
        window = list(rows.values_list("pk", "updated_at")[: BATCH_ROWS * 2])
        if not window:
            return
        last = window[-1][0]
        if old := [pk for pk, updated_at in window if updated_at < before]:
            yield old


def _delete_empty(ids: set[UUID] | list[UUID], before: datetime) -> int:
    spent = _spent(before).filter(pk__in=ids).exclude(_has_message())
    locked = list(spent.select_for_update(skip_locked=True).values_list("pk", flat=True))
    sessions = ChatSession.objects.filter(pk__in=locked)
    # Asked again under the lock: a message may have come before it was taken.
    _, deleted = sessions.exclude(_has_message()).delete()
    return deleted.get("chat.ChatSession", 0)


def _spent(before: datetime) -> models.QuerySet[ChatSession]:
    # One that never had a message was not left empty by anything: it stays.
    return ChatSession.objects.filter(updated_at__lt=before, next_position__gt=0)


def _has_message(**conditions: datetime) -> Exists:
    return Exists(ChatMessage.objects.filter(session=OuterRef("pk"), **conditions))
