"""Chats in the admin: read only; the text behind a permission of its own, and on the record."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from chat.models import ChatMessage, ChatSession, MessageFeedback
from common.clients import client_of
from users.services.audit import record

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[Any]
else:
    # Generic for the type checker alone.
    BaseAdmin = admin.ModelAdmin


class ReadOnlyAdmin(BaseAdmin):
    """Rows to look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: chats go with their account, or with their days."""
        return False


@admin.register(ChatSession)
class ChatSessionAdmin(ReadOnlyAdmin):
    """Who talks how much; a title may hold a question's words, so it is not shown here."""

    list_display = ("id", "user", "archived", "created_at", "updated_at", "questions")
    list_filter = ("archived", "created_at")
    search_fields = ("id", "user__username")
    list_select_related = ("user",)
    fields = ("id", "user", "archived", "created_at", "updated_at", "questions")

    @admin.display(description="questions")
    def questions(self, session: ChatSession) -> int:
        """How many were asked."""
        return session.next_position // 2


@admin.register(ChatMessage)
class ChatMessageAdmin(ReadOnlyAdmin):
    """Messages without their words in the list; opening one shows them and leaves a record.

    `chat.view_chatmessage` is the permission to read what people wrote.
    """

    list_display = ("id", "session", "sender_type", "status", "mode", "timestamp")
    list_filter = ("sender_type", "status", "timestamp")
    search_fields = ("id", "session__id", "session__user__username")
    show_full_result_count = False
    fields = (
        "id", "session", "sender_type", "status", "timestamp", "variant", "content", "metadata",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChatMessage]:
        """Newest first."""
        return super().get_queryset(request).order_by("-timestamp", "-id")

    @admin.display(description="mode")
    def mode(self, message: ChatMessage) -> str:
        """The rung that answered."""
        return str(message.metadata.get("mode", ""))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The message, once the reading of it is on record."""
        message = self.get_object(request, object_id)
        if message is not None and self.has_view_permission(request, message):
            record(
                "chat_read",
                user_id=message.session.user_id,
                actor_id=request.user.pk,
                client=client_of(request),
                message_id=str(message.pk),
            )
        return super().change_view(request, object_id, form_url, extra_context)


@admin.register(MessageFeedback)
class MessageFeedbackAdmin(ReadOnlyAdmin):
    """What people thought of answers."""

    list_display = ("message_id", "rating", "reasons", "updated_at")
    list_filter = ("rating", "updated_at")
    fields = ("message_id", "rating", "reasons", "updated_at")
