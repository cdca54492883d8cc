"""A chunk's words by unit: its headings, then each of its sentences."""

import re
from dataclasses import dataclass

import numpy as np

from rag.asked import embed_questions, own_questions
from rag.text.tokens import words
from rag.text.vocabulary import Embed, Halves, Integers, Vocabulary, halved

# A mark and a blank, or the end of a line: good enough to find the best sentence, at a tenth of
# the time of `rag.text.sentences`. It begins with a set, which the engine searches for quickly.
_ROUGH_SENTENCE_END = re.compile(r"[.!?\n](?:(?<=\n)|\s)\s*")
_NO_QUESTIONS = np.empty((0, 0), dtype=np.float16)
OVERHEAD_BYTES = 700  # of the objects around what the arrays hold


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """`words` are numbers of the vocabulary; the units begin at `starts`, the headings first.

    `questions` are the vectors of those that the chunk says it answers (none: no rows).
    """

    words: Integers
    starts: Integers
    questions: Halves

    @property
    def nbytes(self) -> int:
        """About how much memory this takes."""
        held = self.words.nbytes + self.starts.nbytes + self.questions.nbytes
        return held + OVERHEAD_BYTES


def read_units(headings: str, text: str, vocabulary: Vocabulary, embed: Embed) -> Units:
    """The units of a chunk; headings without a word are one empty word."""
    sentences = map(words, _ROUGH_SENTENCE_END.split(text))
    units = [words(headings) or [""], *filter(None, sentences)]
    sizes = [len(unit) for unit in units]
    questions = own_questions(headings, text)
    return Units(
        words=vocabulary.number([word for unit in units for word in unit]),
        starts=np.cumsum([0, *sizes[:-1]], dtype=np.int32),
        questions=halved(embed_questions(questions, embed)) if questions else _NO_QUESTIONS,
    )
