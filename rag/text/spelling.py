"""Typing errors in a question, mended by the words that documents hold.

A word is mended that no document holds, that the local model does not know as a whole either (so
that a "router" stays one), and that is one change away from a word that begins and ends alike: a
letter too many or too few, or two that changed places. In a long word there may be two changes, or
another letter; in a short one that is more often another word ("belt", "best").
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from rag.text.letters import LetterIndex
from rag.text.stopwords import ENGLISH_STOP_WORDS
from rag.text.tokens import stem, words

MIN_CHARS = 5
LONG_CHARS = 8
EXCHANGED = 2  # what another letter counts
LOOKED_AT = 12  # words with the most letters in common
MAX_WORDS = 1 << 14

# Not a part of "alpha-tocopheryl" or "db.sqlite3": names are written as they are.
_LOWER_WORD = re.compile(rf"(?<![\w./-])[a-z]{{{MIN_CHARS},}}(?![\w/-]|\.\w)")


class Speller:
    """The words of `texts`; safe for any number of threads once it is made."""

    def __init__(self, texts: Iterable[str], is_word: Callable[[str], bool]) -> None:
        counts = Counter(word for text in texts for word in words(text) if _may_be_typed(word))
        common = counts.most_common(MAX_WORDS)
        self._is_word = is_word
        self._words = [word for word, _ in common]
        self._counts = dict(common)
        self._stems = {stem(word) for word in counts}
        self._letters = LetterIndex()
        self._letters.add(self._words)

    def mend(self, question: str, is_held: Callable[[str], bool]) -> str:
        """`question` with its typing errors mended; itself where there are none.

        `is_held` is asked of the few words that would be mended: does a document hold it after all?
        And of what would stand in its place: does one hold that still?
        """
        return _LOWER_WORD.sub(lambda found: self._mend_word(found[0], is_held), question)

    def _mend_word(self, word: str, is_held: Callable[[str], bool]) -> str:
        if word in ENGLISH_STOP_WORDS or stem(word) in self._stems or self._is_word(word):
            return word
        nearest = self._nearest(word)
        if nearest is None or is_held(word) or not is_held(nearest):
            return word
        return nearest

    def _nearest(self, word: str) -> str | None:
        if not self._words:
            return None
        alike = np.argsort(-self._letters.overlap(word), kind="stable")[:LOOKED_AT]
        others = [self._words[at] for at in alike.tolist()]
        allowed = 2 if len(word) >= LONG_CHARS else 1
        ranked = [
            (changes, abs(len(word) - len(other)), -self._counts[other], other)
            for other in others
            if _may_be_meant(word, other) and (changes := count_changes(word, other)) <= allowed
        ]
        return min(ranked)[-1] if ranked else None


def count_changes(word: str, other: str) -> int:
    """How many letters were added, left out or swapped; one that was exchanged counts as two."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(word, 1):
        before, last, row = row, before, [place]
        for at, wanted in enumerate(other, 1):
            exchanged = before[at - 1] + EXCHANGED * (letter != wanted)
            changes = min(row[-1] + 1, before[at] + 1, exchanged)
            if place > 1 and at > 1 and (letter, word[place - 2]) == (other[at - 2], wanted):
                changes = min(changes, last[at - 2] + 1)
            row.append(changes)
    return row[-1]


def _may_be_meant(word: str, other: str) -> bool:
    """Do both begin and end alike? What ends otherwise is another form, or another word."""
    ends_alike = word[-1] == other[-1] or word[-2:] == other[:-3:-1]
    return word[0] == other[0] and ends_alike


def _may_be_typed(word: str) -> bool:
    return len(word) >= MIN_CHARS and word.isascii() and word.isalpha()
