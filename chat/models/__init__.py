"""Sessions, their messages and what users thought of the answers."""

from chat.models.feedback import COMMENT_CHARS, MessageFeedback
from chat.models.messages import (
    RUNNING,
    ChatMessage,
    MessageQuerySet,
    SenderType,
    Status,
    new_search_key,
)
from chat.models.sessions import TITLE_CHARS, ChatSession, SessionQuerySet

__all__ = [
    "COMMENT_CHARS",
    "RUNNING",
    "TITLE_CHARS",
    "ChatMessage",
    "ChatSession",
    "MessageFeedback",
    "MessageQuerySet",
    "SenderType",
    "SessionQuerySet",
    "Status",
    "new_search_key",
]
