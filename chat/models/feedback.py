"""What users thought of the answers."""

from django.db import models
from django.db.models import Q

from chat.models.messages import ChatMessage
from common.identifiers import new_id

COMMENT_CHARS = 2_000


class MessageFeedback(models.Model):
    """What the asker thought of one answer."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    message = models.OneToOneField(ChatMessage, on_delete=models.CASCADE, related_name="feedback")
    rating = models.SmallIntegerField()
    reasons = models.JSONField(default=list, blank=True)
    comment = models.CharField(max_length=COMMENT_CHARS, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(rating__in=[-1, 1]), name="chat_feedback_rating"),
        )

    def __str__(self) -> str:
        return str(self.message_id)
