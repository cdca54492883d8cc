"""The values that cross the layers of retrieval and generation. All are frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Span = tuple[int, int]
Mode = Literal["grounded", "uncertain", "general", "extractive", "unavailable"]
Verdict = Literal["supported", "weak", "unsupported"]

DECLINED = "I don't have specific information about this topic."


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks, and so what may be found: public documents and the viewer's own private ones."""

    user_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far the list of changes had come when it was read (see `rag.models.outbox`)."""

    epoch: UUID
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a search may return; it is part of the query, never applied to its result alone."""

    viewer: Viewer
    category: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    # Where the caller has just seen the list of changes; a store that follows it reads no
    # earlier state than this. None: the store looks itself.
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One earlier message of a conversation."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, by whom, after which turns (oldest first), and how far to look."""

    text: str
    viewer: Viewer
    history: tuple[Turn, ...] = ()
    category: str | None = None
    # Only documents whose metadata has each of these values.
    metadata: Mapping[str, Any] = field(default_factory=dict)
    top_k: int | None = None
    # Ends every provider call made for this answer, in seconds of the event loop's clock.
    deadline: float | None = None


class Hit(NamedTuple):
    """A chunk that a leg of the search found, with that leg's own score (higher is better)."""

    key: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorRecord:
    """A chunk's vector as a vector store keeps it, with what its filters need."""

    key: int
    vector: Vector
    document_id: UUID
    owner_id: UUID | None
    public: bool
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A chunk as a source: `text == content[span[0]:span[1]]` of that version of the document.

    `score` is the fused one, from 0 to 1; the two legs' own scores stand beside it.
    """

    key: int
    chunk_id: UUID
    document_id: UUID
    version: int
    title: str
    category: str
    text: str
    span: Span
    heading_path: str
    score: float
    vector_score: float | None = None
    lexical_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What was found for a question: the best passages first, and how much to trust them."""

    standalone_question: str
    passages: tuple[Passage, ...]
    confidence: float
    # Which rung confidence allows: "grounded", "uncertain" or "general" (nothing relevant).
    mode: Mode
    timings_ms: Mapping[str, int] = field(default_factory=dict)
    # Why words alone decided: the code of the fault of the embedder or the vector store.
    failed: str = ""
    # Earlier turns, each with its weight, that the question leans on; none if it stands alone.
    leans_on: tuple[tuple[str, float], ...] = ()
    # The question's vector and its space, where the embedder answered.
    vector: Vector | None = field(default=None, compare=False, repr=False)
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a generator gets: instructions, turns, and the passages that they number from 1."""

    system: str
    question: str
    history: tuple[Turn, ...]
    passages: tuple[Passage, ...]
    # The whole user turn with the passages fenced as data, for models; see `rag.prompts`.
    user: str
    # Earlier turns, each with its weight, that the question leans on; none if it stands alone.
    leans_on: tuple[tuple[str, float], ...] = ()
    deadline: float | None = None


# --- what a generator yields -------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A generator's own word that `answer_span` of its text rests on passage `ref` (from 1).

    `source_span` points into that passage's text where the generator knows it.
    """

    ref: int
    answer_span: Span
    source_span: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that a provider counted."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Those of both calls."""
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The last thing a generator yields: which model it was, why it stopped, what it used."""

    model: str
    reason: Literal["stop", "length", "declined"] = "stop"
    usage: Usage | None = None
    # Set by a generator that quotes its sources or steps in for another.
    mode: Mode | None = None
    # Rungs that were tried before and why they fell: ({"rung": "mistral", "code": …}, …).
    fell: tuple[Mapping[str, str], ...] = ()
    # It was said before, to a question that means the same.
    cached: bool = False


GeneratorEvent = TextDelta | Reference | Finished


# --- what the pipeline yields ------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A passage that was retrieved for an answer, numbered as the answer's markers are."""

    ref: int
    passage: Passage
    cited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """`answer[answer_span]` rests on `quote`, which stands at `source_span` of the version."""

    ref: int
    answer_span: Span
    source_span: Span
    quote: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalCompleted:
    """The sources are known; the answer's text comes next."""

    sources: tuple[Source, ...]
    confidence: float
    standalone_question: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDelta:
    """The next piece of the answer's text, as the client will see it."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CitationAdded:
    """A citation that the server has verified."""

    citation: Citation


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCompleted:
    """The whole answer; exactly one, and the last event of a pipeline that did not fail."""

    text: str
    mode: Mode
    model: str
    confidence: float
    sources: tuple[Source, ...]
    citations: tuple[Citation, ...]
    standalone_question: str
    usage: Usage | None = None
    timings_ms: Mapping[str, int] = field(default_factory=dict)
    fell: tuple[Mapping[str, str], ...] = ()
    cached: bool = False


PipelineEvent = RetrievalCompleted | AnswerDelta | CitationAdded | AnswerCompleted
