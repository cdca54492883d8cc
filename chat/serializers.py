"""The forms that requests must have and the shapes that answers take."""

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.utils.serializer_helpers import BindingDict

from chat.models import COMMENT_CHARS, TITLE_CHARS, ChatMessage, ChatSession, SenderType, Status
from chat.representations import represent_message, represent_session

FEEDBACK_REASONS = ("incorrect", "incomplete", "wrong_source", "outdated", "unclear", "other")
ALLOWED_CONTROLS = "\n\r\t"


def clean_text(text: str) -> str:
    """`text` in Unicode's composed form without control characters; markup stays as it is."""
    kept = (
        character
        for character in unicodedata.normalize("NFC", text)
        if character in ALLOWED_CONTROLS or unicodedata.category(character) != "Cc"
    )
    return "".join(kept).strip()


class StrictBooleanField(serializers.BooleanField):
    """True or false, not the many words that DRF takes for them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return bool(data)


class StrictCharField(serializers.CharField):
    """Text, not a number or a boolean that would be turned into text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return clean_text(data)


class Form(serializers.Serializer[Any]):
    """A form that shares its fields with all of its class; DRF copies them for every request."""

    @property
    def fields(self) -> BindingDict:
        """The fields, bound to a form that has no data."""
        return _fields_of(type(self))


@cache
def _fields_of(form: type[Form]) -> BindingDict:
    unbound = form()
    fields = BindingDict(unbound)
    for name, field in unbound.get_fields().items():
        fields[name] = field
    return fields


class SessionForm(serializers.Serializer[Any]):
    """What may be said of a new session."""

    title = StrictCharField(max_length=TITLE_CHARS, required=False, allow_blank=True, default="")


class SessionChangeForm(serializers.Serializer[Any]):
    """What may be changed of a session."""

    title = StrictCharField(max_length=TITLE_CHARS, required=False)
    archived = StrictBooleanField(required=False)


class SessionQueryForm(serializers.Serializer[Any]):
    """How a list of sessions may be narrowed and ordered."""

    archived = serializers.BooleanField(required=False, allow_null=True, default=None)
    search = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    ordering = serializers.ChoiceField(
        choices=["created_at", "-created_at", "updated_at", "-updated_at", "title", "-title"],
        required=False,
        default="-updated_at",
    )


class MessageForm(Form):
    """A question."""

    content = StrictCharField(trim_whitespace=True, help_text="At most 8,000 characters.")
    stream = StrictBooleanField(
        required=False, default=False, help_text="Answer as a stream of events."
    )
    category = StrictCharField(
        required=False,
        allow_null=True,
        max_length=50,
        help_text="Look only in documents of this category.",
    )
    top_k = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=10, help_text="How many sources."
    )

    def validate_content(self, value: str) -> str:
        """At most `CHAT_MAX_MESSAGE_CHARS` characters."""
        limit = settings.CHAT_MAX_MESSAGE_CHARS
        if len(value) > limit:
            raise serializers.ValidationError(f"A message may have at most {limit} characters.")
        return value


class DirectMessageForm(MessageForm):
    """A question that may name its session."""

    session_id = serializers.UUIDField(
        required=False, allow_null=True, help_text="Without it a new session is opened."
    )


class RegenerateForm(Form):
    """How the new answer is wanted."""

    stream = StrictBooleanField(required=False, default=False)


class FeedbackForm(serializers.Serializer[Any]):
    """A verdict on an answer."""

    rating = serializers.ChoiceField(choices=[-1, 1])
    reasons = serializers.ListField(
        child=serializers.ChoiceField(choices=FEEDBACK_REASONS), required=False, max_length=6
    )
    comment = StrictCharField(
        required=False, allow_blank=True, max_length=COMMENT_CHARS, default=""
    )


class FeedbackView(serializers.Serializer[Any]):
    """A stored verdict."""

    rating = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.CharField())
    comment = serializers.CharField()
    updated_at = serializers.DateTimeField()


class SessionView(serializers.Serializer[ChatSession]):
    """A session."""

    id = serializers.UUIDField()
    title = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    message_count = serializers.IntegerField()
    archived = serializers.BooleanField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return represent_session(instance, message_count=getattr(instance, "message_count", 0))


class MessageView(serializers.Serializer[ChatMessage]):
    """A question or an answer."""

    id = serializers.UUIDField()
    session = serializers.UUIDField()
    sender_type = serializers.ChoiceField(choices=SenderType.choices)
    content = serializers.CharField()
    timestamp = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=Status.choices)
    metadata = serializers.DictField()
    reply_to = serializers.UUIDField(allow_null=True, help_text="The question, of an answer.")
    variant = serializers.IntegerField(help_text="Counts the answers to one question from 1.")
    is_current = serializers.BooleanField(help_text="False once a newer variant took its place.")
    feedback = FeedbackView(allow_null=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return represent_message(instance, feedback=getattr(instance, "feedback", None))


class ExchangeView(serializers.Serializer[Mapping[str, Any]]):
    """A stored question and its answer."""

    user_message = MessageView()
    bot_message = MessageView()


class HistoryView(serializers.Serializer[Mapping[str, Any]]):
    """What happened lately."""

    sessions = SessionView(many=True)
    recent_messages = MessageView(many=True)
    total_sessions = serializers.IntegerField()
    total_messages = serializers.IntegerField()


class FoundMessageView(serializers.Serializer[Any]):
    """A message that fits a search."""

    message = MessageView()
    highlight = serializers.CharField(help_text="HTML: escaped text, found words in <mark>.")
    score = serializers.FloatField()


class TranscriptView(serializers.Serializer[Mapping[str, Any]]):
    """A session with all its messages."""

    session = SessionView()
    messages = MessageView(many=True)
