"""What an account's owner gets of their chats, and what goes with the account."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from chat.models import ChatMessage, ChatSession, SenderType
from chat.representations import represent_message, represent_session
from chat.streams.registry import forget_events


def export_chats(user_id: UUID) -> list[dict[str, Any]]:
    """Every session of the user with all its messages, replaced answers and verdicts too."""
    sessions = ChatSession.objects.of(user_id).with_message_count().order_by("created_at")
    return [
        represent_session(session, message_count=getattr(session, "message_count", 0))
        | {"messages": _messages(session)}
        for session in sessions
    ]


def _messages(session: ChatSession) -> list[dict[str, Any]]:
    return [
        represent_message(message, feedback=getattr(message, "feedback", None))
        for message in session.messages.select_related("feedback")
    ]


def erase_chats(user_id: UUID) -> None:
    """Have the events of the user's answers forgotten; the rows go with the user's own."""
    # Older events have ended by themselves.
    kept = timedelta(seconds=settings.CHAT_EVENTS_SECONDS + settings.CHAT_ANSWER_SECONDS)
    answers = ChatMessage.objects.of(user_id).filter(
        sender_type=SenderType.BOT, timestamp__gte=timezone.now() - kept
    )
    forget_events(list(answers.order_by().values_list("pk", flat=True)))
