"""Mends what a killed worker left behind."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from chat.models import ChatMessage, MessageQuerySet, Status

logger = logging.getLogger(__name__)

BATCH_ROWS = 200


def count_stuck_answers() -> int:
    """How many answers' writers have been silent for too long."""
    return _silent(timezone.now()).count()


def fail_stuck_answers(*, now: datetime | None = None) -> int:
    """Fail answers whose writer is gone, with the text that had come; the number of them."""
    now = now or timezone.now()
    failed = 0
    for message in _silent(now).only("pk", "metadata")[:BATCH_ROWS]:
        error = {"code": "worker_lost", "retryable": True}
        # The same test again in the update: the writer may just have come back.
        failed += (
            _silent(now)
            .filter(pk=message.pk)
            .update(
                status=Status.FAILED,
                heartbeat_at=None,
                metadata=message.metadata | {"mode": "unavailable", "error": error},
            )
        )
    if failed:
        logger.warning("Failed %d answers whose worker was lost", failed)
    return failed


def _silent(now: datetime) -> MessageQuerySet:
    silent_since = now - timedelta(seconds=settings.CHAT_STUCK_SECONDS)
    return ChatMessage.objects.running().filter(heartbeat_at__lt=silent_since)
