"""What can be done with an answer: stop it, or have another one written."""

import logging
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from chat.errors import AnswerRunning, MessageNotFound, NotAnAnswer, TooBusy
from chat.models import ChatMessage, ChatSession, SenderType
from chat.selectors import get_message
from chat.services.messages import Sent, begin_answer, new_answer
from chat.streams.mirror import stop_channel
from chat.streams.registry import get_registry, is_full
from common.loop import get_loop
from common.redis import RedisError, get_redis

logger = logging.getLogger(__name__)


def request_stop(*, user_id: UUID, message_id: UUID) -> ChatMessage:
    """Ask for the end of a running answer, wherever it is written; what came is kept.

    An answer that has ended stays as it is. The writer ends it a moment later; wait for
    that with `chat.streams.follow.wait_until_final`.
    """
    message = get_message(user_id=user_id, message_id=message_id)
    if message.sender_type != SenderType.BOT:
        raise NotAnAnswer
    if message.is_running:
        # The row is what counts; the two calls below only make it quick.
        ChatMessage.objects.running().filter(pk=message.pk).update(stop_requested=True)
        get_loop().call_soon_threadsafe(lambda: get_registry().stop(message.pk))
        _tell_other_workers(message.pk)
    return message


def _tell_other_workers(message_id: UUID) -> None:
    try:
        get_redis().publish(stop_channel(), message_id.bytes)
    except RedisError as error:
        logger.warning("A stop was not published, its writer will find it: %s", type(error))


def regenerate(*, user_id: UUID, message_id: UUID) -> Sent:
    """A new answer to the same question, begun; the old one stays as a variant.

    `message_id` is the question's or any of its answers'. Raises AnswerRunning while one is
    being written.
    """
    if is_full():
        raise TooBusy
    with transaction.atomic():
        question = _lock_question(user_id, message_id)
        answers = ChatMessage.objects.filter(reply_to=question)
        if answers.running().exists():
            raise AnswerRunning
        variant = ChatMessage.objects.last_variant(question.pk) + 1
        answers.filter(is_current=True).update(is_current=False)
        answer = new_answer(question, variant=variant)
        answer.save(force_insert=True)
        ChatSession.objects.filter(pk=question.session_id).update(updated_at=timezone.now())
    begin_answer(user_id=user_id, question=question, answer=answer)
    return Sent(question=question, answer=answer)


def _lock_question(user_id: UUID, message_id: UUID) -> ChatMessage:
    found = get_message(user_id=user_id, message_id=message_id)
    question_id = found.reply_to_id or found.pk
    # Two regenerations at once must not both see that none is running.
    question = (
        ChatMessage.objects.select_for_update(of=("self",))
        .of(user_id)
        .filter(pk=question_id, sender_type=SenderType.USER)
        .first()
    )
    if question is None:
        raise MessageNotFound
    return question
