"""An answer without a model: the sentences of the passages that answer best, word for word."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag.asked import alikeness, embed_questions
from rag.reader import Reader
from rag.statements import Statements
from rag.text.hints import hint_of
from rag.text.phrases import joined
from rag.text.tokens import query_terms, query_words, stem
from rag.text.vocabulary import Integers, Vocabulary, distinct, join

# Fitted on SQuAD's and the manual's questions: is the answer in the best sentence?
EXACT_WEIGHT = 2.0  # words of the question that stand in the sentence, by idf
SOFT_WEIGHT = 3.8  # the same with similar words
COSINE_WEIGHT = 1.5
HINT_WEIGHT = 0.8  # "how long" wants a number, "who" a name
ASKED_WEIGHT = 4.4  # how like the question is to one that the section says it answers
ASKED_LEAD_WEIGHT = 1.0  # the same once more for the section's first sentence
RANK_PENALTY = 0.6  # `rag.statements` has what else counts by place
GAP_PENALTY = 7.5  # by how much the search found the passage to match less than the best one
# What a further sentence must score: so much of what the first one does, and so near to it. The
# share alone gives too many where a section says that it answers the very question, the distance
# alone where nothing fits well.
FURTHER_SHARE = 0.65
FURTHER_GAP = 3.0
SAME_SHARE = 0.7  # A further sentence with so many of another one's words repeats it.
MAX_SENTENCES_SCORED = 200

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Extract:
    """`passages[passage][start:end]` is worth quoting; a higher `score` is better."""

    passage: int
    start: int
    end: int
    score: float


class _Sentence(NamedTuple):
    """One that may be quoted: where it stands, `section` being unique among all passages."""

    passage: int
    start: int
    end: int
    section: int


def extract_answer(
    question: str,
    passages: Sequence[str],
    *,
    reader: Reader,
    headings: Sequence[str] = (),
    matches: Sequence[float] = (),
    leans_on: Sequence[tuple[str, float]] = (),
    max_sentences: int = 3,
) -> list[Extract]:
    """Up to `max_sentences` sentences to quote, best first; none if no passage has words.

    `passages` come best first, `headings` are what stands above each of them, `matches` how well
    the search found each to fit, 0 to 1. `leans_on` is earlier turns, each with how much it counts
    next to the question's 1. Headings and questions are quoted only where nothing else is.
    """
    above = headings or [""] * len(passages)
    read = _quotable(reader.statements(zip(above, passages, strict=True)))
    if not read or max_sentences < 1:
        return []
    sentences = _in_one_row(read)
    texts = [passages[one.passage][one.start : one.end] for one in sentences]
    found = (
        _by_place(read) - _by_passage(len(passages), matches)[[one.passage for one in sentences]]
    )
    for turn, weight in ((question, 1.0), *leans_on):
        found += weight * _by_question(turn, read, sentences, texts, reader)
    scores = found[:MAX_SENTENCES_SCORED].tolist()
    ranked = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    chosen = ranked[:1]
    for index in ranked[1:]:
        if len(chosen) < max_sentences and _adds(index, chosen, texts, scores):
            chosen.append(index)
    return [Extract(*sentences[index][:3], scores[index]) for index in chosen]


def _quotable(read: Sequence[Statements]) -> list[tuple[int, Statements]]:
    """The passages that say something, by number; all where none does."""
    numbered = [(number, one) for number, one in enumerate(read) if one.spans]
    return [item for item in numbered if not item[1].only_asks] or numbered


def _in_one_row(read: Sequence[tuple[int, Statements]]) -> list[_Sentence]:
    sentences: list[_Sentence] = []
    sections = 0
    for number, one in read:
        sentences += [
            _Sentence(number, start, end, sections + section)
            for (start, end), section in zip(one.spans, one.sections, strict=True)
        ]
        sections += len(one.questions)
    return sentences


def _adds(
    index: int,
    chosen: Sequence[int],
    texts: Sequence[str],
    scores: Sequence[float],
) -> bool:
    """Is this sentence good enough beside the first, and does it say something else?"""
    best = scores[chosen[0]]
    if scores[index] < max(FURTHER_SHARE * best, best - FURTHER_GAP):
        return False
    return not any(_repeats(texts[index], texts[other]) for other in chosen)


def _repeats(sentence: str, better: str) -> bool:
    """Does `sentence` say in most of its words what `better` says?"""
    own, held = set(query_terms(sentence)), set(query_terms(better))
    return len(own & held) >= SAME_SHARE * min(len(own), len(held))


def _by_question(
    question: str,
    read: Sequence[tuple[int, Statements]],
    sentences: Sequence[_Sentence],
    texts: Sequence[str],
    reader: Reader,
) -> Scores:
    passages = [one for _, one in read]
    scores = _by_words(query_words(joined(question)), passages, reader.words)
    scores += COSINE_WEIGHT * (
        np.concatenate([one.vectors for one in passages], dtype=np.float32)
        @ reader.embed([question])[0]
    )
    known = [vectors for one in passages for vectors in one.questions]
    alike = alikeness(embed_questions([question], reader.embed)[0], known).astype(np.float64)
    leads = np.concatenate([one.leads for one in passages])
    scores += alike[[one.section for one in sentences]] * (ASKED_WEIGHT + ASKED_LEAD_WEIGHT * leads)
    if hint := hint_of(question):
        scores += [HINT_WEIGHT * bool(hint.search(text)) for text in texts]
    return scores


def _by_place(read: Sequence[tuple[int, Statements]]) -> Scores:
    return np.concatenate([one.by_place for _, one in read]).astype(np.float64)


def _by_passage(count: int, matches: Sequence[float]) -> Scores:
    """How much less a sentence counts because of the passage it stands in."""
    gaps = max(matches, default=0.0) - np.array(matches or [0.0] * count)
    return RANK_PENALTY * np.arange(count) + GAP_PENALTY * gaps


def _by_words(asked: Sequence[str], read: Sequence[Statements], vocabulary: Vocabulary) -> Scores:
    """How much of the question stands in each sentence, to the letter and by like words."""
    words = join([one.words for one in read])
    shifts = np.repeat(_firsts(read), [len(one.starts) for one in read])
    starts = join([one.starts for one in read]) + shifts
    used, rows = distinct(words, len(vocabulary))
    columns = vocabulary.stems_among([stem(word) for word in asked], used)
    alike = vocabulary.likeness(used, asked)
    known = np.flatnonzero(columns >= 0)
    alike[known, columns[known]] = 1.0
    held = _held(columns.take(rows), starts, len(asked))
    best = np.maximum.reduceat(alike.take(rows, axis=0), starts, axis=0)
    counts = held[:MAX_SENTENCES_SCORED].sum(axis=0)
    idf = np.log(1 + min(len(held), MAX_SENTENCES_SCORED) / (0.5 + counts))
    shares: Scores = (EXACT_WEIGHT * held + SOFT_WEIGHT * best) @ (idf / (idf.sum() or 1.0))
    return shares


def _firsts(read: Sequence[Statements]) -> list[int]:
    """Where each passage's words begin among those of all."""
    return [0, *accumulate(len(one.words) for one in read[:-1])]


def _held(columns: Integers, starts: Integers, count: int) -> Scores:
    """1 for each sentence and each asked word that stands in it, else 0."""
    held = np.zeros((len(starts), count))
    at = np.flatnonzero(columns >= 0)
    held[np.searchsorted(starts, at, side="right") - 1, columns[at]] = 1.0
    return held
