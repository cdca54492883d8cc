"""What a chunk says, sentence by sentence, ready to be compared with a question."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.asked import embed_questions
from rag.text.blocks import CODE, TABLE
from rag.text.phrases import joined
from rag.text.sections import Sentence, read_sections
from rag.text.tokens import words
from rag.text.vocabulary import Embed, Floats, Halves, Integers, Vocabulary, halved

# What counts for a sentence because of where it stands.
LEAD_WEIGHT = 1.5  # the first sentence below a heading
CODE_PENALTY = 0.6
TABLE_PENALTY = 0.3
# Of the objects around what the arrays hold.
OVERHEAD_BYTES = 1_200
SENTENCE_BYTES = 120


@dataclass(frozen=True, slots=True, eq=False)
class Statements:
    """Sentences of a chunk by `spans` in its text; for each its section, place and vector.

    `words` are numbers of the vocabulary, a sentence's begin at its place in `starts`.
    `questions` are vectors of those that each section says it answers, in half precision as
    `vectors` are. `only_asks`: there are
    headings and questions alone, which are quoted where nothing else is.
    """

    spans: Sequence[tuple[int, int]]
    sections: Sequence[int]
    # 1 for the first sentence below a heading, else 0; and what counts for its place or kind.
    leads: Floats
    by_place: Floats
    words: Integers
    starts: Integers
    vectors: Halves
    questions: Sequence[Halves]
    only_asks: bool

    @property
    def nbytes(self) -> int:
        """About how much memory this takes."""
        arrays = (self.words, self.vectors, *self.questions)
        around = OVERHEAD_BYTES + SENTENCE_BYTES * len(self.spans)
        return around + sum(array.nbytes for array in arrays)


def read_statements(heading: str, text: str, vocabulary: Vocabulary, embed: Embed) -> Statements:
    """The statements of a chunk's `text` below `heading`."""
    sections, said, asked = read_sections(text, heading)
    sentences = said or asked
    found = [words(joined(sentence.text)) or [""] for sentence in sentences]
    sizes = [len(one) for one in found]
    leads = [float(sentence.is_lead and sentence.has_heading) for sentence in sentences]
    return Statements(
        spans=[(sentence.start, sentence.end) for sentence in sentences],
        sections=[sentence.section for sentence in sentences],
        leads=np.array(leads, dtype=np.float32),
        by_place=np.array(list(map(_by_place, sentences)), dtype=np.float32),
        words=vocabulary.number([word for one in found for word in one]),
        starts=np.cumsum([0, *sizes], dtype=np.int32)[:-1],
        vectors=halved(embed([sentence.text for sentence in sentences])),
        questions=[halved(embed_questions(one.questions, embed)) for one in sections],
        only_asks=not said,
    )


def _by_place(sentence: Sentence) -> float:
    """What counts for a sentence whatever is asked."""
    return (
        LEAD_WEIGHT * (sentence.is_lead and sentence.has_heading)
        - CODE_PENALTY * (sentence.kind == CODE)
        - TABLE_PENALTY * (sentence.kind == TABLE)
    )
