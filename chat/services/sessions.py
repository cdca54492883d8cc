"""Opening, changing and deleting sessions."""

from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from chat.errors import SessionNotFound, TooManySessions
from chat.models import ChatMessage, ChatSession
from chat.selectors import count_sessions, get_session
from chat.streams.registry import forget_events

# More than this many requests of one user are not under way at once.
SIMULTANEOUS_SESSIONS = 50


def create_session(*, user_id: UUID, title: str = "") -> ChatSession:
    """A new, empty session of the user; TooManySessions at the limit."""
    with transaction.atomic():
        check_session_limit(user_id=user_id)
        return ChatSession.objects.create(user_id=user_id, title=title)


def check_session_limit(*, user_id: UUID) -> None:
    """TooManySessions when the user has as many sessions as one may have; in a transaction."""
    if count_sessions(user_id) < settings.CHAT_MAX_SESSIONS - SIMULTANEOUS_SESSIONS:
        return
    # Near the limit, those who open sessions at the same moment do so one after another.
    get_user_model().objects.select_for_update(no_key=True).filter(pk=user_id).first()
    if count_sessions(user_id) >= settings.CHAT_MAX_SESSIONS:
        raise TooManySessions


def update_session(
    *, user_id: UUID, session_id: UUID, title: str | None = None, archived: bool | None = None
) -> ChatSession:
    """The session with what was given changed; its place in the list stays."""
    changes = {"title": title, "archived": archived}
    given = {name: value for name, value in changes.items() if value is not None}
    if given and not ChatSession.objects.of(user_id).filter(pk=session_id).update(**given):
        raise SessionNotFound
    return get_session(user_id=user_id, session_id=session_id)


def delete_session(*, user_id: UUID, session_id: UUID) -> None:
    """Delete the session with its messages; running answers in it are ended by their writers."""
    with transaction.atomic():
        messages = ChatMessage.objects.of(user_id).filter(session_id=session_id, sender_type="bot")
        forget_events(list(messages.order_by().values_list("pk", flat=True)))
        deleted, _ = ChatSession.objects.of(user_id).filter(pk=session_id).delete()
    if not deleted:
        raise SessionNotFound
