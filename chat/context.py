"""What a model sees of the conversation: the newest turns that fit a budget of tokens."""

from collections.abc import Iterable, Sequence

from django.conf import settings

from chat.selectors import PastMessage
from rag.types import Turn

# A token is seldom shorter than this many characters in any language that models are paid for.
CHARS_PER_TOKEN = 3
SUMMARY_CHARS_PER_TURN = 160
SUMMARY_CHARS = 1_200


def build_history(newest_first: Iterable[PastMessage]) -> tuple[Turn, ...]:
    """Turns before a question, oldest first, within `CHAT_HISTORY_TOKENS`.

    A turn that does not fit ends the list; with `CHAT_HISTORY_OLDER` = "summarise" the turns
    beyond it become one leading turn that says what the user asked before.
    """
    messages = list(newest_first)
    room = settings.CHAT_HISTORY_TOKENS * CHARS_PER_TOKEN
    kept = 0
    for message in messages:
        room -= len(message.content)
        if room < 0:
            break
        kept += 1
    turns = [_turn(message) for message in reversed(messages[:kept])]
    if kept < len(messages) and settings.CHAT_HISTORY_OLDER == "summarise":
        turns[:0] = _summary(messages[kept:])
    return tuple(turns)


def _turn(message: PastMessage) -> Turn:
    if message.sender_type == "user":
        return Turn(role="user", content=message.content)
    return Turn(role="assistant", content=message.content)


def _summary(older: Sequence[PastMessage]) -> list[Turn]:
    # Newest first here too, so that the limit drops the oldest.
    lines: list[str] = []
    for message in older:
        if message.sender_type != "user":
            continue
        line = " ".join(message.content.split())[:SUMMARY_CHARS_PER_TURN]
        if sum(map(len, lines)) + len(line) > SUMMARY_CHARS:
            break
        lines.append(line)
    if not lines:
        return []
    text = "Earlier in this conversation the user asked: " + " / ".join(reversed(lines))
    return [Turn(role="user", content=text)]
