"""A second, closer look at the first candidates: which words of the question does each answer to?

Every word of the question is matched with its most similar word in a candidate: 1 for the same
stem, else the cosine of their WordLlama vectors or, for a word that no candidate has, the overlap
of their letters (typing errors). Weighted by idf, that is measured for the whole candidate and
for its best sentence with its headings. The weights are fitted on four sets of questions; fitted
on any three they do about as well on the fourth. (Soft matching: ColBERT's MaxSim, Khattab and
Zaharia 2020.)

A section that says which questions it answers, by its heading or by a line "Also asked: …", is
also compared with the question as a whole.

A question whose words stand in none of the candidates, nor words like them, is likely about
something else: that lowers the scores of all of them alike, and so the confidence.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from rag.asked import alikeness, embed_questions
from rag.fusion import lexical_share
from rag.reader import Reader
from rag.text.tokens import content_words, stem
from rag.text.vocabulary import Floats, Integers, Vocabulary, distinct, join, rounded
from rag.units import Units

# "How long": the answer is a number, and "long" need not stand there.
_HOW = re.compile(r"\bhow (\w+)", re.IGNORECASE)
# 30 change no metric by more than 0.004, and cost a fifth more of a search's time.
DEPTH = 20
HEADING_FACTOR = 0.8  # A word found in the headings counts a little less than in the sentence.
MIN_IDF = 1e-3
FEATURES = ("cosine", "bm25", "headings", "passage", "sentence", "pairs", "asked", "unknown")
WEIGHTS = (0.31, 0.14, 0.04, 0.21, 0.23, 0.07, 0.25, -0.15)


class Candidate(NamedTuple):
    """`headings` is the title and heading path; `bm25` is positive, 0 if not found by words."""

    headings: str
    text: str
    cosine: float
    bm25: float


@dataclass(frozen=True, slots=True)
class _Question:
    """`terms` are its words, one for each stem; `weights` their shares of the idf.

    `stems` are theirs in the same order, `pairs` are places of neighbours. `telling` are the
    weights without the words that only ask for a measure: no answer need hold them.
    """

    terms: list[str]
    stems: list[str]
    pairs: frozenset[tuple[int, int]]
    weights: Floats
    telling: Floats
    idf_sum: float


def rerank(
    question: str,
    candidates: Sequence[Candidate],
    *,
    idf: Callable[[str], float],
    reader: Reader,
    context: Sequence[tuple[str, float]] = (),
    weights: Sequence[float] = WEIGHTS,
) -> list[float]:
    """A score for every candidate, higher is better; comparable between questions.

    At most 1, and up to the weight of "asked" more for one that says it answers this very question.
    """
    table = match_features(question, candidates, idf=idf, reader=reader, context=context)
    return [float(score) for score in table @ np.asarray(weights, dtype=np.float32)]


def match_features(
    question: str,
    candidates: Sequence[Candidate],
    *,
    idf: Callable[[str], float],
    reader: Reader,
    context: Sequence[tuple[str, float]] = (),
) -> Floats:
    """Shape (len(candidates), len(FEATURES)), all but the cosine between 0 and 1.

    cosine; BM25 as a share of the most that the question's words could score; then shares of
    the question's idf that the headings hold to the letter, that the whole candidate answers
    to, and that its best sentence does with its headings; the share of the question's pairs of
    neighbouring words that are neighbours there too; how like the question is to the questions
    that the candidate says it answers (0 for one that names none); and the share of the
    question's idf that no candidate answers to, the same for all of them.

    `idf` takes a stem (`rag.text.tokens.stem`), `context` is earlier turns, each with
    how much its words count next to the question's 1.
    """
    table = np.zeros((len(candidates), len(FEATURES)), dtype=np.float32)
    asked = _asked(question, idf, context)
    table[:, 0] = [candidate.cosine for candidate in candidates]
    table[:, 1] = [lexical_share(candidate.bm25, asked.idf_sum) for candidate in candidates]
    if asked.terms and candidates:
        units = reader.units((candidate.headings, candidate.text) for candidate in candidates)
        table[:, [2, 3, 4, 5, 7]] = _match(asked, units, reader.words)
        vector = rounded(embed_questions([question], reader.embed))[0]
        table[:, 6] = alikeness(vector, [one.questions for one in units])
    return table


def _asked(
    question: str, idf: Callable[[str], float], context: Sequence[tuple[str, float]]
) -> _Question:
    in_order = [(stem(word), word) for word in content_words(question)]
    terms: dict[str, tuple[str, float]] = {key: (word, 1.0) for key, word in in_order}
    for turn, weight in context:
        for word in content_words(turn):
            terms.setdefault(stem(word), (word, weight))
    places = {key: place for place, key in enumerate(terms)}
    neighbours = pairwise([places[key] for key, _ in in_order])
    idfs = [max(idf(key), MIN_IDF) * weight for key, (_, weight) in terms.items()]
    total = sum(idfs)
    weights = np.asarray(idfs, dtype=np.float32) / np.float32(total or 1.0)
    pairs = frozenset(pair for pair in neighbours if pair[0] != pair[1])
    asks = {stem(found[1].lower()) for found in _HOW.finditer(question)}
    telling = np.where([key in asks for key in terms], np.float32(0.0), weights)
    words_of = [word for word, _ in terms.values()]
    return _Question(words_of, list(terms), pairs, weights, telling, total)


def _match(asked: _Question, candidates: Sequence[Units], vocabulary: Vocabulary) -> Floats:
    """The features that words decide, in their order: shape (len(candidates), 5)."""
    layout = _lay_out(candidates)
    used, rows = distinct(layout.words, len(vocabulary))
    columns, alike = _similarities(asked, used, vocabulary)
    best = np.maximum.reduceat(alike.take(rows, axis=0), layout.starts, axis=0)
    table = np.empty((len(candidates), 5), dtype=np.float32)
    table[:, 1:3] = _weigh(asked.weights, best, layout)
    in_order = columns.take(rows)
    at = np.flatnonzero(in_order >= 0)
    found = _Found(at, in_order[at], np.searchsorted(layout.firsts, at, side="right") - 1)
    table[:, 0] = _heading_shares(asked.weights, found, layout)
    table[:, 3] = _pair_shares(asked.pairs, found, layout)
    table[:, 4] = (1.0 - alike.max(axis=0)) @ asked.telling
    return table


@dataclass(frozen=True, slots=True)
class _Layout:
    """All words of all candidates in one row.

    Units begin at `starts`; those of each candidate begin at `units` among them, and its words
    at `firsts`; its headings, the first of its units, go up to `heading_ends`.
    """

    words: Integers
    starts: Integers
    units: Integers
    firsts: Integers
    heading_ends: Integers


@dataclass(frozen=True, slots=True)
class _Found:
    """Where words of the question stand to the letter: place, which word, whose candidate."""

    at: Integers
    term: Integers
    candidate: Integers


def _lay_out(candidates: Sequence[Units]) -> _Layout:
    sizes = np.array([(len(one.words), len(one.starts)) for one in candidates])
    firsts, units = (sizes.cumsum(axis=0) - sizes).T
    starts = join([one.starts for one in candidates]) + np.repeat(firsts, sizes[:, 1])
    words = join([one.words for one in candidates])
    ends = np.append(starts[1:], len(words))
    return _Layout(words, starts, units, firsts, ends[units])


def _heading_shares(weights: Floats, found: _Found, layout: _Layout) -> Floats:
    """How much of the question the headings of each candidate hold."""
    above = found.at < layout.heading_ends[found.candidate]
    held = np.zeros((len(layout.units), len(weights)), dtype=np.float32)
    held[found.candidate[above], found.term[above]] = 1.0
    return held @ weights


def _pair_shares(pairs: frozenset[tuple[int, int]], found: _Found, layout: _Layout) -> Floats:
    """How many of the question's pairs of neighbours are neighbours in each candidate too."""
    next_to = np.flatnonzero((np.diff(found.at) == 1) & (np.diff(found.candidate) == 0))
    neighbours = zip(found.term[next_to].tolist(), found.term[next_to + 1].tolist(), strict=True)
    candidates = found.candidate[next_to].tolist()
    held = {item for item in zip(candidates, neighbours, strict=True) if item[1] in pairs}
    counts = np.bincount([candidate for candidate, _ in held], minlength=len(layout.units))
    return (counts / max(1, len(pairs))).astype(np.float32)


def _weigh(weights: Floats, best: Floats, layout: _Layout) -> Floats:
    """Of each candidate the share that all of it answers to, and that its best sentence does.

    `best` is each unit's best match of each term.
    """
    whole = np.maximum.reduceat(best, layout.units, axis=0) @ weights
    counts = np.diff(layout.units, append=len(best))
    above = np.repeat(HEADING_FACTOR * best[layout.units], counts, axis=0)
    shares = np.maximum(best, above) @ weights
    shares[layout.units] = 0.0  # Headings are no sentence.
    return np.stack([whole, np.maximum.reduceat(shares, layout.units)], axis=1)


def _similarities(
    asked: _Question, used: Integers, vocabulary: Vocabulary
) -> tuple[Integers, Floats]:
    """Of each word: the term of the same stem (or -1), and how like each term it is."""
    columns = vocabulary.stems_among(asked.stems, used)
    alike = vocabulary.likeness(used, asked.terms)
    rows = np.flatnonzero(columns >= 0)
    alike[rows, columns[rows]] = 1.0
    for column in set(range(len(asked.terms))).difference(columns[rows].tolist()):
        # No candidate has this word: is it a typing error?
        letters = vocabulary.letter_overlap(asked.terms[column], used)
        alike[:, column] = np.maximum(alike[:, column], letters)
    return columns, alike
