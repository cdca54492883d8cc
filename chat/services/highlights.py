"""The part of a text that a search found, with the found words marked."""

import re

from django.utils.html import escape

from rag.text.tokens import stem, words

WORD = re.compile(r"\w+")
CHARS_BEFORE = 60
MAX_CHARS = 220


def highlight(text: str, query: str) -> str:
    """About 200 characters of `text` around the first word of `query`, as HTML.

    Words with the stem of a word of the query stand in `<mark>`; everything is escaped.
    """
    wanted = {stem(word) for word in words(query)}
    hits = [match.span() for match in WORD.finditer(text) if _stems(match[0]) & wanted]
    start, end = _window(text, hits[0][0] if hits else 0)
    parts, last = ["…" if start else ""], start
    for left, right in hits:
        if left < last or right > end:
            continue
        parts += [escape(text[last:left]), f"<mark>{escape(text[left:right])}</mark>"]
        last = right
    return "".join([*parts, escape(text[last:end]), "…" if end < len(text) else ""])


def _stems(word: str) -> set[str]:
    return {stem(part) for part in words(word)}


def _window(text: str, first: int) -> tuple[int, int]:
    """Where to cut: not inside a word where a blank is near."""
    start = 0
    if first > CHARS_BEFORE:
        blank = text.find(" ", first - CHARS_BEFORE, first)
        start = blank + 1 if blank >= 0 else first
    end = min(len(text), start + MAX_CHARS)
    if end < len(text):
        blank = text.rfind(" ", start + MAX_CHARS // 2, end)
        end = blank if blank > 0 else end
    return start, end
