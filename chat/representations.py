"""Messages and sessions as clients see them: one place for answers and for events."""

from typing import Any

from chat.models import ChatMessage, ChatSession, MessageFeedback

UNTITLED = "New chat"


def represent_session(session: ChatSession, *, message_count: int) -> dict[str, Any]:
    """A session as a JSON object."""
    return {
        "id": session.id,
        "title": session.title or UNTITLED,
        "created_at": session.created_at,
        "updated_at": session.updated_at,
        "message_count": message_count,
        "archived": session.archived,
    }


def represent_message(
    message: ChatMessage, *, feedback: MessageFeedback | None = None
) -> dict[str, Any]:
    """A message as a JSON object; `feedback` is its row's, loaded by the caller."""
    return {
        "id": message.id,
        "session": message.session_id,
        "sender_type": message.sender_type,
        "content": message.content,
        "timestamp": message.timestamp,
        "status": message.status,
        "metadata": message.metadata,
        "reply_to": message.reply_to_id,
        "variant": message.variant,
        "is_current": message.is_current,
        "feedback": represent_feedback(feedback) if feedback else None,
    }


def represent_feedback(feedback: MessageFeedback) -> dict[str, Any]:
    """A verdict on an answer as a JSON object."""
    return {
        "rating": feedback.rating,
        "reasons": feedback.reasons,
        "comment": feedback.comment,
        "updated_at": feedback.updated_at,
    }
