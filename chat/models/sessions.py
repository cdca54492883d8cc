"""Sessions: a conversation of one user."""

from uuid import UUID

from django.conf import settings
from django.db import connection, models
from django.db.models import Count, Q
from django.utils import timezone

from common.database import Statement, stored_uuid
from common.identifiers import new_id

TITLE_CHARS = 200

TAKE_POSITION = Statement("""
    UPDATE chat_chatsession
    SET next_position = next_position + 2, updated_at = %s, archived = false,
        title = CASE WHEN title = '' THEN %s ELSE title END
    WHERE id = %s AND user_id = %s
    RETURNING next_position
""")


class SessionQuerySet(models.QuerySet["ChatSession"]):
    """Sessions, many at a time."""

    def of(self, user_id: UUID) -> "SessionQuerySet":
        """One user's own."""
        return self.filter(user_id=user_id)

    def with_message_count(self) -> "SessionQuerySet":
        """Each with `message_count`: its questions and their current answers."""
        return self.annotate(message_count=Count("messages", filter=Q(messages__is_current=True)))

    def take_position(self, session_id: UUID, user_id: UUID, *, title: str) -> int | None:
        """Where the next question of a user's session goes, its row locked till the end of the
        transaction; None without such a session.

        The session moves up in the list, comes back from the archive, and gets `title` if it
        has none. One statement: `UPDATE … RETURNING` is not to be had from the ORM.
        """
        parameters = [
            connection.ops.adapt_datetimefield_value(timezone.now()),
            title,
            stored_uuid(session_id),
            stored_uuid(user_id),
        ]
        row = TAKE_POSITION.fetch_one(*parameters)
        return int(row[0]) - 2 if row else None


class ChatSession(models.Model):
    """A conversation of one user."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="chat_sessions"
    )
    # Empty until the first question names it.
    title = models.CharField(max_length=TITLE_CHARS, blank=True, default="")
    archived = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    # Where the next question goes; counted under the row's lock, so that order is certain.
    next_position = models.PositiveIntegerField(default=0)

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ("-updated_at", "-id")
        indexes = (
            models.Index(fields=["user", "archived", "-updated_at"], name="chat_session_list"),
        )

    def __str__(self) -> str:
        return str(self.id)
