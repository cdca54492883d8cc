"""Messages: a row for each question and each answer, so that none overwrites another."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models, transaction
from django.db.models import Max, Q
from django.utils import timezone

from chat.models.sessions import ChatSession
from common.database import Statement, stored_json, stored_uuid
from common.identifiers import new_id

# Milliseconds are counted from here, so that 63 bits last until the year 2089.
SEARCH_EPOCH_MS = 1_577_836_800_000


def new_search_key() -> int:
    """A 63-bit integer for the full-text index: 41 bits of milliseconds, 22 random ones."""
    number = new_id().int
    return (((number >> 80) - SEARCH_EPOCH_MS) << 22) | (number & 0x3FFFFF)


class SenderType(models.TextChoices):
    """Who wrote a message."""

    USER = "user"
    BOT = "bot"
    SYSTEM = "system"


class Status(models.TextChoices):
    """Where a message is; only the first two are not final."""

    PENDING = "pending"
    STREAMING = "streaming"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"


RUNNING = (Status.PENDING.value, Status.STREAMING.value)


SAVE_PARTIAL = """
    UPDATE chat_chatmessage SET content = %s, status = 'streaming', heartbeat_at = %s
    WHERE id = %s AND status IN (%s, %s)
"""
SAVE_FIRST = """
    UPDATE chat_chatmessage
    SET content = %s, status = 'streaming', heartbeat_at = %s, metadata = %s
    WHERE id = %s AND status IN (%s, %s)
"""
# Every answer ends with this: built by the ORM it takes five times as long.
FINISH = Statement("""
    UPDATE chat_chatmessage SET status = %s, content = %s, metadata = %s, heartbeat_at = NULL
    WHERE id = %s AND status IN (%s, %s)
""")


class MessageQuerySet(models.QuerySet["ChatMessage"]):
    """Messages, many at a time."""

    def of(self, user_id: UUID) -> "MessageQuerySet":
        """Those in one user's own sessions."""
        return self.filter(session__user_id=user_id)

    def current(self) -> "MessageQuerySet":
        """Without the answers that a newer one has taken the place of."""
        return self.filter(is_current=True)

    def running(self) -> "MessageQuerySet":
        """Answers that are being written."""
        return self.filter(status__in=RUNNING)

    def older_than(self, moment: datetime) -> "MessageQuerySet":
        """Those written before `moment`."""
        return self.filter(timestamp__lt=moment)

    def keep_alive(self, message_ids: Iterable[UUID]) -> int:
        """Say that these are still being written; the number that are."""
        return self.running().filter(pk__in=list(message_ids)).update(heartbeat_at=timezone.now())

    def save_partial(
        self, texts: Mapping[UUID, str], metadata: Mapping[UUID, Mapping[str, Any]]
    ) -> None:
        """Keep what has come of these answers, and `metadata`, as far as they still run."""
        # Statements that are prepared once: building one anew for each of 300 answers every
        # second costs more than reading their tokens does.
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        rows, first_rows = [], []
        for pk, text in texts.items():
            where = (stored_uuid(pk), *RUNNING)
            if pk in metadata:
                first_rows.append((text, now, stored_json(metadata[pk]), *where))
            else:
                rows.append((text, now, *where))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(SAVE_PARTIAL, rows)
            # No row twice: PostgreSQL would then look at its session again, which may be being
            # deleted by someone who waits for this row.
            cursor.executemany(SAVE_FIRST, first_rows)

    def finish(
        self, message_id: UUID, *, status: Status, content: str, metadata: Mapping[str, Any]
    ) -> bool:
        """Put a running answer into its final state; False when it had one, or is gone."""
        values = [status.value, content, stored_json(metadata), stored_uuid(message_id), *RUNNING]
        return FINISH.run(*values) == 1

    def last_variant(self, question_id: UUID) -> int:
        """The highest variant number among the answers to a question (0: none)."""
        found = self.filter(reply_to_id=question_id).aggregate(number=Max("variant"))
        return int(found["number"] or 0)


class ChatMessage(models.Model):
    """A question or an answer: a row of its own, so that none overwrites another."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # Without an index of its own: the one over session, position and variant begins with it.
    session = models.ForeignKey(
        ChatSession, on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    sender_type = models.CharField(max_length=8, choices=SenderType.choices)
    content = models.TextField(blank=True, default="")
    timestamp = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.COMPLETE)
    metadata = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    # Questions are even, their answers one higher: the history keeps the order of arrival.
    position = models.PositiveIntegerField()
    reply_to = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="answers"
    )
    variant = models.PositiveSmallIntegerField(default=1)
    is_current = models.BooleanField(default=True)
    stop_requested = models.BooleanField(default=False)
    # When the worker that writes this answer last said so; a sweep fails it when that is long ago.
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    search_key = models.BigIntegerField(unique=True, default=new_search_key, editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ("position", "variant")
        indexes = (
            models.Index(
                fields=["heartbeat_at"],
                condition=Q(status__in=["pending", "streaming"]),
                name="chat_message_running",
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["session", "position", "variant"], name="chat_message_position"
            ),
            models.UniqueConstraint(
                fields=["reply_to"],
                condition=Q(status__in=["pending", "streaming"]),
                name="chat_message_one_running_answer",
            ),
            models.UniqueConstraint(
                fields=["session", "position"],
                condition=Q(is_current=True),
                name="chat_message_one_current",
            ),
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="chat_message_status"
            ),
            models.CheckConstraint(
                condition=Q(sender_type__in=SenderType.values), name="chat_message_sender"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["complete"]) | Q(sender_type="bot"),
                name="chat_message_only_answers_run",
            ),
        )

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_running(self) -> bool:
        """Whether the answer is still being written."""
        return self.status in RUNNING
