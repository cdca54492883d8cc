"""Sending a question: it is committed first, then its answer is begun."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chat.context import build_history
from chat.errors import MessageNotFound, SessionFull, SessionNotFound, TooBusy
from chat.models import ChatMessage, ChatSession, SenderType, Status
from chat.selectors import get_question_and_answer, recent_turns
from chat.services.sessions import check_session_limit
from chat.streams.log import EventLog
from chat.streams.registry import get_registry, is_full
from chat.streams.running import RunningAnswer
from common import idempotency
from common.database import Rows
from common.idempotency import IdempotencyKey, KeyInProgress
from common.loop import get_loop
from common.request_id import current_request_id
from rag.types import Question, Viewer

AUTO_TITLE_CHARS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A question that is stored, and the answer that is being written to it."""

    question: ChatMessage
    answer: ChatMessage
    # An earlier request under the same key made them; this one did nothing.
    replayed: bool = False


def send_message(
    *,
    user_id: UUID,
    content: str,
    session_id: UUID | None = None,
    category: str | None = None,
    top_k: int | None = None,
    key: IdempotencyKey | None = None,
) -> Sent:
    """Store the question and begin its answer, which goes on without the caller.

    Without `session_id` a session is opened and named from the question. Raises
    SessionNotFound, SessionFull, TooManySessions, TooBusy, KeyReused or KeyInProgress.
    """
    if key is not None and (earlier := _find_earlier(user_id, key)) is not None:
        return earlier
    if is_full():
        raise TooBusy
    options = {name: value for name, value in (("category", category), ("top_k", top_k)) if value}
    with transaction.atomic():
        stored = _store(user_id, session_id, content, options, key)
    if stored is None:
        return _replay(user_id, key)
    begin_answer(user_id=user_id, question=stored.question, answer=stored.answer)
    return stored


def _store(
    user_id: UUID,
    session_id: UUID | None,
    content: str,
    options: dict[str, Any],
    key: IdempotencyKey | None,
) -> Sent | None:
    """The new rows; None when another request took the key first."""
    session, position = _take_position(user_id, session_id, content)
    question = ChatMessage(
        session=session,
        sender_type=SenderType.USER,
        content=content,
        position=position,
        metadata=options,
    )
    answer = new_answer(question)
    if key is not None and not idempotency.claim(user_id=user_id, key=key, resource_id=answer.pk):
        transaction.set_rollback(True)
        return None
    _message_rows().insert(question, answer)
    return Sent(question=question, answer=answer)


def _take_position(user_id: UUID, session_id: UUID | None, content: str) -> tuple[ChatSession, int]:
    """The session, its row locked, and the place that the question takes in it."""
    if session_id is None:
        check_session_limit(user_id=user_id)
        session = ChatSession(user_id=user_id, title=title_from(content), next_position=2)
        _session_rows().insert(session)
        return session, 0
    taken = ChatSession.objects.take_position(session_id, user_id, title=title_from(content))
    if taken is None:
        raise SessionNotFound
    session = ChatSession(pk=session_id, user_id=user_id)
    check_message_limit(session, taken)
    return session, taken


def check_message_limit(session: ChatSession, position: int) -> None:
    """SessionFull when one more exchange does not fit; counts only when it might not."""
    limit = settings.CHAT_MAX_SESSION_MESSAGES
    if position + 2 > limit and session.messages.current().count() + 2 > limit:
        raise SessionFull


def title_from(content: str) -> str:
    """The first words of a question, cut at a word's end."""
    text = " ".join(content.split())
    if len(text) <= AUTO_TITLE_CHARS:
        return text
    head = text[:AUTO_TITLE_CHARS]
    return (head.rsplit(" ", 1)[0] if " " in head else head).rstrip(" ,;:") + "…"


def new_answer(question: ChatMessage, *, variant: int = 1) -> ChatMessage:
    """An answer that has not begun, not saved yet."""
    return ChatMessage(
        session_id=question.session_id,
        sender_type=SenderType.BOT,
        status=Status.PENDING,
        position=question.position + 1,
        reply_to=question,
        variant=variant,
        heartbeat_at=timezone.now(),
    )


def begin_answer(*, user_id: UUID, question: ChatMessage, answer: ChatMessage) -> None:
    """Hand the answer to the process's loop; both rows are committed."""
    turns = (
        recent_turns(session_id=question.session_id, before=question.position)
        if question.position
        else []
    )
    running = RunningAnswer(
        question_message=question,
        message=answer,
        question=Question(
            text=question.content,
            viewer=Viewer(user_id=user_id),
            history=build_history(turns),
            category=question.metadata.get("category"),
            top_k=question.metadata.get("top_k"),
        ),
        request_id=current_request_id(),
        log=EventLog(answer.pk),
    )
    get_loop().call_soon_threadsafe(lambda: get_registry().start(running))


@cache
def _message_rows() -> Rows[ChatMessage]:
    return Rows(ChatMessage)


@cache
def _session_rows() -> Rows[ChatSession]:
    return Rows(ChatSession)


def _find_earlier(user_id: UUID, key: IdempotencyKey) -> Sent | None:
    record = idempotency.find(user_id=user_id, key=key)
    if record is None:
        return None
    found = get_question_and_answer(record.resource_id) if record.resource_id else None
    if found is None:
        # The conversation was deleted since: there is nothing to give back.
        raise MessageNotFound
    return Sent(question=found[0], answer=found[1], replayed=True)


def _replay(user_id: UUID, key: IdempotencyKey | None) -> Sent:
    """What the request that took the key first has stored."""
    earlier = _find_earlier(user_id, key) if key is not None else None
    if earlier is None:
        raise KeyInProgress
    return earlier
