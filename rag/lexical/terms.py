"""What is looked up for a question, in the index of words or in that of pieces of words."""

import math
from dataclasses import dataclass
from typing import Literal

from rag.text.tokens import char_ngrams, looks_english, query_words, stem

MAX_TERMS = 48

Table = Literal["words", "grams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TermQuery:
    """Terms of one turn, as they are asked for and as the index stores them."""

    table: Table
    asked: tuple[str, ...]
    stored: tuple[str, ...]
    weight: float


def word_query(text: str, weight: float) -> TermQuery:
    """The words of `text` without stop words, unless there is nothing else; each stem once."""
    asked = tuple(query_words(text)[:MAX_TERMS])
    return TermQuery(table="words", asked=asked, stored=tuple(map(stem, asked)), weight=weight)


def gram_query(text: str, weight: float) -> TermQuery:
    """The pieces of the words of `text`, each once."""
    pieces = tuple(dict.fromkeys(char_ngrams(text)))[: MAX_TERMS * 2]
    return TermQuery(table="grams", asked=pieces, stored=pieces, weight=weight)


def grams_of(text: str) -> str:
    """What a chunk's `grams` holds: all pieces in order; nothing for English text."""
    return "" if looks_english(text) else " ".join(char_ngrams(text))


def idf(frequency: int, total: int) -> float:
    """How rare a term is that `frequency` of `total` chunks hold, as FTS5's bm25() says it."""
    return max(1e-6, math.log((total - frequency + 0.5) / (frequency + 0.5)))
