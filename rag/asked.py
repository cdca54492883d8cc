"""How like a question is to the ones that a section says it answers."""

import re
from collections.abc import Sequence
from itertools import accumulate, chain

import numpy as np

from rag.text.paraphrases import paraphrased
from rag.text.phrases import joined
from rag.text.questions import bare_question, is_question, own_heading
from rag.text.vocabulary import Embed, Floats, Halves

# Two questions that share no more than "how do I" are about this like.
UNRELATED_COSINE = 0.4
MAX_QUESTIONS = 20
MAX_QUESTION_CHARS = 300

_ALSO_ASKED = re.compile(r"^[ \t*_>]*also asked:.*$", re.IGNORECASE | re.MULTILINE)
_BETWEEN_QUESTIONS = re.compile(r"(?<=[?？؟])\s*")


def own_questions(headings: str, text: str) -> tuple[str, ...]:
    """The questions that a chunk says it answers: its heading, and a line "Also asked: …".

    Not its title and not what its prose asks: papers and essays ask what they do not answer.
    """
    named = (own_heading(headings), *chain.from_iterable(map(_split, _ALSO_ASKED.findall(text))))
    asking = (cut(bare_question(one)) for one in named if is_question(one))
    return tuple(dict.fromkeys(asking))[:MAX_QUESTIONS]


def cut(question: str) -> str:
    """As much of `question` as is compared, verbs like "log in" as one word."""
    return joined(question[:MAX_QUESTION_CHARS])


def embed_questions(questions: Sequence[str], embed: Embed) -> Floats:
    """Unit vectors of `questions`, to be compared with those of other questions alone."""
    return paraphrased(embed([cut(one) for one in questions]))


def alikeness(question: Floats, known: Sequence[Floats | Halves]) -> Floats:
    """For each array of `known` questions the likeness of the most similar, 0 to 1; 0 for none.

    All are unit vectors.
    """
    alike = np.zeros(len(known), dtype=np.float32)
    asking = [place for place, vectors in enumerate(known) if len(vectors)]
    if asking:
        # Those that are kept are in half precision.
        cosines = np.concatenate([known[place] for place in asking], dtype=np.float32) @ question
        starts = [0, *accumulate(len(known[place]) for place in asking[:-1])]
        best = np.maximum.reduceat(cosines, starts)
        alike[asking] = (best - UNRELATED_COSINE) / (1.0 - UNRELATED_COSINE)
    return np.maximum(alike, 0.0, out=alike)


def _split(line: str) -> list[str]:
    return _BETWEEN_QUESTIONS.split(line)
