"""Which part of a message asks, and which only tells how it came to be asked.

"Hello, I am new here and Bob sent me: how do I upload a PDF?" asks its last words; the rest is in
no document, and a question of which most words are in none looks as if none answered it. English.
"""

import re
import string
from typing import NamedTuple

from rag.text.stopwords import ENGLISH_STOP_WORDS
from rag.text.tokens import words

# A question of fewer words leans on what is said beside it, and so does one that points there
# before it has said as much, or with its last word. A number ("401") says as much as two words.
MIN_TERMS = 2
# A longer message is a text of its own.
MAX_CHARS = 1_000
_POINTS = re.compile(
    r"(?<!\bis )\b(?:it|its|itself|he|him|his|she|her|hers|they|them|their|theirs|this|that|these"
    r"|those|there|here|one|ones|again|instead|else|otherwise|then|still|both|same)\b",
    re.IGNORECASE,
)
_WH = (
    r"(?:(?:in|within|for|from|to|at|on|by|until|since|under|with|of) )?"
    r"(?:how|what|which|where|when|why|who|whom|whose)"
)
_VERB = (
    r"(?:is|are|was|were|am|do|does|did|can|could|may|might|must|shall|should|will|would|has|have"
    r"|had)"
)
_JOINT = r"(?:(?:and|but|so|or|also|now|then|please|anyway|well|ok|okay)\b[\s,]*)*"
# Not after the initial of a name.
_PIECE = re.compile(
    r"\S.*?(?:(?<=[A-Za-z0-9]{3})\.(?=\s)|[!?…:;](?=\s)|\s[-–—]+(?=\s)|\n|$)", re.DOTALL
)
_AT_THE_END = string.punctuation + string.whitespace + "”’»“‘«"
# A piece that asks from its beginning; with a verb only if it has the mark of a question.
_ASKS = re.compile(rf"{_JOINT}(?:(?P<wh>{_WH})|{_VERB})\b", re.IGNORECASE)
# "Sorry to disturb you, but where …". What else a comma parts is asked too, as a rule: "If …, how
# …", "Besides …, what …".
_ASKS_LATER = re.compile(
    rf",\s*(?P<joint>{_JOINT})(?P<asks>(?:{_WH}|{_VERB})\b.*)$", re.IGNORECASE | re.DOTALL
)
_PREFACE = re.compile(
    r"(?:hi|hello|hey|dear|good (?:morning|day|afternoon|evening)|sorry|excuse me|thanks|thank you"
    r"|as an? (?:\w+\W+){0,3}?(?:developer|programmer|engineer|user|admin|administrator|operator"
    r"|beginner|newcomer|newbie|customer|manager|student|company|team))\b",
    re.IGNORECASE,
)
_BREAKS_OFF = ("but", "anyway", "so")
# "My manager wants to know by Friday how many …", up to where a new thought begins.
_INDIRECT = re.compile(
    r"\b(?:wonder|wonders|wondering|know|asks?|asked|asking|tell|told|explain|curious|find out"
    r"|figure out|work out|learn|understand|no idea|no clue|(?:not|\w+n['’]t) (?:get|sure))\b"
    r"(?:\W+\w+){0,4}?\W+(?P<asks>(?:how|what|which|where|why|whether)\b.*?)"
    r"(?:,\s(?:and|but|so|because|since|as|which)\b.*)?$",
    re.IGNORECASE | re.DOTALL,
)


class Asking(NamedTuple):
    """`asked` stands in the message as it is; `said` is the rest of it."""

    asked: str
    said: str


def part_that_asks(message: str) -> Asking:
    """`message` by what it does; all of it asks where that cannot be told, or leans on the rest."""
    if len(message) > MAX_CHARS:
        return Asking(message, "")
    pieces = list(_PIECE.finditer(message))
    places = [
        (one.start() + found[0], one.start() + found[1])
        for one in pieces
        if (found := _question_in(one.group(), marked="?" in message))
    ]
    if not places:
        return Asking(message, "")
    start, end = places[0][0], places[-1][1]
    asked, said = message[start:end].strip(), f"{message[:start]} {message[end:]}".strip()
    return Asking(asked, said) if said and _stands_alone(asked) else Asking(message, "")


def _question_in(piece: str, *, marked: bool) -> tuple[int, int] | None:
    """From where to where `piece` asks. Where a message has marks, only pieces that have one do."""
    has_mark = "?" in piece[len(piece.rstrip(_AT_THE_END)) :]
    if marked and not has_mark:
        return None
    if (begin := _ASKS.match(piece)) and (begin["wh"] or has_mark):
        return 0, len(piece)
    found = _ASKS_LATER.search(piece) if has_mark else None
    if found is None or not _is_told_apart(piece, found["joint"]):
        found = _INDIRECT.search(piece)
    return None if found is None else found.span("asks")


def _stands_alone(asked: str) -> bool:
    pointing = [found.span() for found in _POINTS.finditer(asked)]
    if not pointing:
        return _size(asked) >= MIN_TERMS
    points_last = not asked[pointing[-1][1] :].strip(_AT_THE_END)
    return not points_last and _size(asked[: pointing[0][0]]) >= MIN_TERMS


def _is_told_apart(piece: str, joint: str) -> bool:
    return bool(_PREFACE.match(piece)) or joint.lower().startswith(_BREAKS_OFF)


def _size(question: str) -> int:
    said = set(words(question)) - ENGLISH_STOP_WORDS
    return sum(2 if any(map(str.isdigit, word)) else 1 for word in said)
