"""What users think of answers."""

from collections.abc import Sequence
from uuid import UUID

from chat.errors import NotAnAnswer
from chat.models import MessageFeedback, SenderType
from chat.selectors import get_message


def set_feedback(
    *, user_id: UUID, message_id: UUID, rating: int, reasons: Sequence[str] = (), comment: str = ""
) -> MessageFeedback:
    """Keep the caller's verdict on an answer, in place of an earlier one."""
    message = get_message(user_id=user_id, message_id=message_id)
    if message.sender_type != SenderType.BOT:
        raise NotAnAnswer
    feedback, _ = MessageFeedback.objects.update_or_create(
        message=message,
        defaults={"rating": rating, "reasons": list(reasons), "comment": comment},
    )
    return feedback


def clear_feedback(*, user_id: UUID, message_id: UUID) -> None:
    """Take the verdict back; nothing happens when there is none."""
    message = get_message(user_id=user_id, message_id=message_id)
    MessageFeedback.objects.filter(message=message).delete()
