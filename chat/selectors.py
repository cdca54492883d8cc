"""Reading sessions and messages; the owner is part of every query."""

from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from chat.errors import MessageNotFound, SessionNotFound
from chat.models import ChatMessage, ChatSession, MessageQuerySet, SenderType, SessionQuerySet
from common.database import Statement, stored_uuid

# More turns than this do not help to understand a question.
MAX_HISTORY_MESSAGES = 40
RECENT_SESSIONS = 10
RECENT_MESSAGES = 20
SESSION_ORDERINGS = {
    f"{sign}{name}": (f"{sign}{name}", f"{sign}id")
    for sign in ("", "-")
    for name in ("created_at", "updated_at", "title")
}

# By hand, since every message asks them: building them anew takes ten times as long as running.
COUNT_SESSIONS = Statement("SELECT count(*) FROM chat_chatsession WHERE user_id = %s")
RECENT_TURNS = Statement("""
    SELECT sender_type, content FROM chat_chatmessage
    WHERE session_id = %s AND position < %s AND is_current
        AND content <> '' AND status IN ('complete', 'stopped')
    ORDER BY position DESC LIMIT %s
""")


def get_session(*, user_id: UUID, session_id: UUID) -> ChatSession:
    """One of the user's sessions with `message_count`; SessionNotFound otherwise."""
    session = ChatSession.objects.of(user_id).with_message_count().filter(pk=session_id).first()
    if session is None:
        raise SessionNotFound
    return session


def count_sessions(user_id: UUID) -> int:
    """How many sessions the user has."""
    return int(COUNT_SESSIONS.fetch_one(stored_uuid(user_id))[0])


def list_sessions(
    *, user_id: UUID, archived: bool | None = None, search: str = "", ordering: str = "-updated_at"
) -> SessionQuerySet:
    """The user's sessions with `message_count`, filtered and ordered."""
    sessions = ChatSession.objects.of(user_id).with_message_count()
    if archived is not None:
        sessions = sessions.filter(archived=archived)
    if search:
        sessions = sessions.filter(title__icontains=search)
    return sessions.order_by(*SESSION_ORDERINGS[ordering])


def get_message(*, user_id: UUID, message_id: UUID) -> ChatMessage:
    """A message in one of the user's sessions; MessageNotFound otherwise."""
    messages = ChatMessage.objects.of(user_id).select_related("feedback", "reply_to")
    message = messages.filter(pk=message_id).first()
    if message is None:
        raise MessageNotFound
    return message


def list_messages(*, user_id: UUID, session_id: UUID, variants: bool = False) -> MessageQuerySet:
    """A session's messages, oldest first; with `variants` the replaced answers too."""
    if not ChatSession.objects.of(user_id).filter(pk=session_id).exists():
        raise SessionNotFound
    messages = ChatMessage.objects.filter(session_id=session_id).select_related("feedback")
    return messages if variants else messages.current()


class PastMessage(NamedTuple):
    """What was said in a conversation, and by whom."""

    sender_type: str
    content: str


def recent_turns(*, session_id: UUID, before: int) -> list[PastMessage]:
    """The messages before position `before`, newest first, for a model's context."""
    rows = RECENT_TURNS.fetch_all(stored_uuid(session_id), before, MAX_HISTORY_MESSAGES)
    return list(map(PastMessage._make, rows))


def get_question_and_answer(message_id: UUID) -> tuple[ChatMessage, ChatMessage] | None:
    """An answer with its question, for replaying events; None when it is gone."""
    answer = ChatMessage.objects.select_related("reply_to").filter(pk=message_id).first()
    if answer is None or answer.reply_to is None:
        return None
    return answer.reply_to, answer


def summarise_history(*, user_id: UUID) -> dict[str, Any]:
    """The user's latest sessions and messages, and how many there are of each."""
    sessions = list_sessions(user_id=user_id)
    messages = ChatMessage.objects.of(user_id).current()
    return {
        "sessions": list(sessions[:RECENT_SESSIONS]),
        "recent_messages": list(
            messages.select_related("feedback").order_by("-timestamp", "-position")[
                :RECENT_MESSAGES
            ]
        ),
        "total_sessions": ChatSession.objects.of(user_id).count(),
        "total_messages": messages.count(),
    }


def export_messages(*, user_id: UUID, session_id: UUID) -> QuerySet[ChatMessage]:
    """A session's current messages in full, in order."""
    return list_messages(user_id=user_id, session_id=session_id).exclude(
        sender_type=SenderType.SYSTEM
    )
