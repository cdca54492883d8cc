"""What a question in a conversation means, without a model: earlier turns, weighted.

Retrieval embeds each turn and adds the vectors by weight, searches the lexical index for each
turn and adds the scores by weight (BM25 is a sum over terms, so that is exact).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.text.asking import part_that_asks
from rag.text.tokens import query_terms
from rag.types import Usage

PREVIOUS_WEIGHT = 0.25
FIRST_WEIGHT = 0.15
FRAGMENT_WEIGHT = 0.75  # In place of `PREVIOUS_WEIGHT`, where only that turn says what is asked.
SAID_WEIGHT = 0.25  # What stands beside the question, which it does without.
# All of that together is to weigh no more than this share of the question.
SAID_SHARE = 0.3
COMPLETE_FACTOR = 0.2  # What is left of those weights when the question stands on its own.
COMPLETE_MIN_TERMS = 3
MAX_TURN_CHARS = 400

# "that", "there" and "other" lean back too, but stand in complete questions far more often.
_LEANS_BACK = re.compile(
    r"\b(?:it|its|itself|he|him|his|she|her|hers|they|them|their|theirs|this|these|those)\b"
    r"|^(?:and|but|or|so|what about|how about|what else|why not|how so)\b",
    re.IGNORECASE,
)
# "And a refresh token?", "What about PDF?": a new subject for the question before.
_FRAGMENT = re.compile(
    r"^(?:(?:what|how) about|and|but|or|so)\b"
    r"(?!.*\b(?:who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|can|could"
    r"|may|might|must|shall|should|will|would|has|have|had)\b)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class WeightedTurn:
    """A user's turn and how much it counts, next to 1.0 for the question itself."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class StandaloneQuestion:
    """`turns` is what to search for, the question first; `text` says the same to a reader."""

    text: str
    turns: tuple[WeightedTurn, ...]
    is_complete: bool
    #: What a model counted that was asked for it.
    usage: Usage | None = None

    def asked_in(self, message: str) -> str:
        """The part of `message` that asks; all of it where it was put anew (mended, by a model)."""
        asked = self.turns[0].text
        return asked if asked in message else message.strip()

    @property
    def leans_on(self) -> tuple[tuple[str, float], ...]:
        """The turns, each with its weight, without which the question says too little."""
        return () if self.is_complete else tuple((one.text, one.weight) for one in self.turns[1:])


def contextualize(question: str, previous_user_turns: Sequence[str]) -> StandaloneQuestion:
    """What `question` asks, with what it says beside, the user's turn before it and the first one.

    `previous_user_turns` are the user's own earlier messages, oldest first, without answers.
    """
    question = question.strip()
    earlier = [turn.strip()[:MAX_TURN_CHARS] for turn in previous_user_turns if turn.strip()]
    asked, said = part_that_asks(question)
    complete = not earlier or looks_complete(asked)
    factor = COMPLETE_FACTOR if complete else 1.0
    turns = [WeightedTurn(asked, 1.0)]
    if said:
        turns.append(WeightedTurn(said[:MAX_TURN_CHARS], _weight_of(said, asked)))
    if earlier:
        weight = FRAGMENT_WEIGHT if _FRAGMENT.search(question) else PREVIOUS_WEIGHT * factor
        turns.append(WeightedTurn(earlier[-1], weight))
    if len(earlier) > 1:
        turns.append(WeightedTurn(earlier[0], FIRST_WEIGHT * factor))
    text = question if complete else f"{question} (after: {earlier[-1]})"
    return StandaloneQuestion(text, tuple(turns), complete)


def _weight_of(said: str, asked: str) -> float:
    share = len(query_terms(asked)) / max(1, len(query_terms(said)))
    return min(SAID_WEIGHT, SAID_SHARE * share)


def looks_complete(question: str) -> bool:
    """Does `question` name what it is about, with no word that leans on an earlier one?"""
    if _LEANS_BACK.search(question):
        return False
    return len(query_terms(question)) >= COMPLETE_MIN_TERMS
