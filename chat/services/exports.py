"""A conversation to take along: as Markdown with numbered sources, or as JSON."""

from collections.abc import Iterable
from typing import Any

from chat.models import ChatMessage, ChatSession, SenderType
from chat.representations import UNTITLED, represent_message, represent_session

SPEAKERS = {SenderType.USER.value: "You", SenderType.BOT.value: "Answer"}


def export_json(session: ChatSession, messages: Iterable[ChatMessage]) -> dict[str, Any]:
    """The session and its messages, as the API shows them."""
    listed = [represent_message(message) for message in messages]
    return {
        "session": represent_session(session, message_count=len(listed)),
        "messages": listed,
    }


def export_markdown(session: ChatSession, messages: Iterable[ChatMessage]) -> str:
    """A transcript; each answer is followed by the sources that its markers number."""
    lines = [f"# {_one_line(session.title or UNTITLED)}", ""]
    for message in messages:
        speaker = SPEAKERS.get(message.sender_type, message.sender_type)
        lines += [f"## {speaker}, {message.timestamp:%Y-%m-%d %H:%M} UTC", ""]
        if message.sender_type == SenderType.BOT and message.status != "complete":
            lines += [f"*({message.status})*", ""]
        lines += [message.content, ""]
        lines += _sources(message)
    return "\n".join(lines).rstrip() + "\n"


def _sources(message: ChatMessage) -> list[str]:
    cited = [source for source in message.metadata.get("sources", ()) if source.get("cited")]
    if not cited:
        return []
    quotes: dict[int, list[str]] = {}
    for citation in message.metadata.get("citations", ()):
        quotes.setdefault(citation["ref"], []).append(_one_line(citation["quote"]))
    lines = ["Sources:", ""]
    for source in cited:
        title = _one_line(source["title"])
        lines.append(f"[{source['ref']}] {title} (version {source['version']})")
        lines += [f"    > {quote}" for quote in quotes.get(source["ref"], ())]
    return [*lines, ""]


def _one_line(text: str) -> str:
    return " ".join(text.split())
