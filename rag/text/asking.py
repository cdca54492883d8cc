"""Which part of a message asks, and which only tells how it came to be asked.

"Hello, I am new here and Bob sent me: how do I upload a PDF?" asks its last words; the rest is in
no document, and a question of which most words are in none looks as if none answered it. English.
"""

import re
import string
from typing import NamedTuple

from rag.text.tokens import query_terms

# A question of fewer words leans on what is said beside it, and so does one that points to it. A
# number ("401") says as much as two words.
MIN_TERMS = 2
# A longer message is a text of its own.
MAX_CHARS = 1_000
_POINTS = re.compile(
    r"\b(?:it|its|itself|he|him|his|she|her|hers|they|them|their|theirs|this|that|these|those|there"
    r"|here|one|ones|again|instead|else|otherwise|then|still|both|same)\b",
    re.IGNORECASE,
)
_WH = r"(?:how|what|which|where|when|why|who|whom|whose)"
_VERB = (
    r"(?:is|are|was|were|am|do|does|did|can|could|may|might|must|shall|should|will|would|has|have"
    r"|had)"
)
_JOINT = r"(?:(?:and|but|so|or|also|now|then|please|anyway|well|ok|okay)\b[\s,]*)*"
# Not after the initial of a name.
_PIECE = re.compile(r"\S.*?(?:(?<=[a-z0-9]{2})\.(?=\s)|[!?…:;](?=\s)|\n|$)", re.DOTALL)
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
_BREAKS_OFF = ("but", "anyway")
_INDIRECT = re.compile(
    r"\b(?:wonder|wonders|wondering|know|asks?|asked|asking|tell|explain|curious|find out"
    rf"|figure out|understand)\b(?:\W+\w+){{0,4}}?\W+(?P<asks>(?:{_WH}|whether)\b.*)$",
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
    begins = [_begin_of(found.group()) for found in pieces]
    asking = [place for place, begin in enumerate(begins) if begin is not None]
    if not asking:
        return Asking(message, "")
    first, last = pieces[asking[0]], pieces[asking[-1]]
    start, end = first.start() + (begins[asking[0]] or 0), last.end()
    asked, said = message[start:end].strip(), f"{message[:start]} {message[end:]}".strip()
    elsewhere = "?" in message and "?" not in asked
    leans = elsewhere or not said or _POINTS.search(asked) or _size(asked) < MIN_TERMS
    return Asking(message, "") if leans else Asking(asked, said)


def _begin_of(piece: str) -> int | None:
    """Where in `piece` the question begins; None where there is none."""
    has_mark = "?" in piece[len(piece.rstrip(_AT_THE_END)) :]
    if (begin := _ASKS.match(piece)) and (begin["wh"] or has_mark):
        return 0
    found = _ASKS_LATER.search(piece) if has_mark else None
    if found is None or not _is_told_apart(piece, found["joint"]):
        found = _INDIRECT.search(piece)
    return None if found is None else found.start("asks")


def _is_told_apart(piece: str, joint: str) -> bool:
    return bool(_PREFACE.match(piece)) or joint.lower().startswith(_BREAKS_OFF)


def _size(question: str) -> int:
    return sum(2 if any(map(str.isdigit, term)) else 1 for term in query_terms(question))
