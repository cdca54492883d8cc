"""The app of chat sessions and their messages."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """Sessions, questions and answers."""

    name = "chat"

    def ready(self) -> None:
        """Tell what accounts ask of every app."""
        from chat.services.accounts import erase_chats, export_chats
        from common.erasure import register_eraser
        from common.export import register_exporter

        register_eraser("chats", erase_chats)
        register_exporter("chats", export_chats)
