"""What other embedders would have found alone, on the same chunks and the same questions."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

import numpy as np
from django.conf import settings

from common import loop
from rag.backends import build_embedder
from rag.chunks import embedding_text
from rag.embedders.base import Embedder
from rag.errors import NotConfigured
from rag.evaluation.dataset import Query
from rag.evaluation.run import DEPTH, Outcome
from rag.evaluation.summary import rankings
from rag.models import Chunk, ChunkVector
from rag.retrieval import standalone_of
from rag.retrieval.legs import combine
from rag.types import Question, Vector, Viewer

logger = logging.getLogger(__name__)

# The lexical leg ranks by BM25; it has been asked already.
WORDS = "bm25"
ALIASES = {"wordllama": "local"}


def embedder_named(name: str) -> Embedder:
    """The embedder that `RAG_EMBEDDER` calls `name`. Raises NotConfigured for an unknown one, or
    one whose wheel is missing.
    """
    module = ALIASES.get(name, name)
    for choice in settings.RAG["EMBEDDERS"]:
        if choice["BACKEND"].split(".")[-2] == module:
            embedder = build_embedder(choice)
            # Its model is read now: a wheel that is missing shows here.
            logger.debug("Comparing with %s", embedder.fingerprint)
            return embedder
    raise NotConfigured(f"There is no embedder called {name!r}.")


def rank_against(
    names: Sequence[str], outcomes: Sequence[Outcome], ids: Mapping[UUID, str]
) -> dict[str, dict[str, float]]:
    """The measures of each ranking in `names` alone, over the judged questions of `outcomes`.

    Works on the database that the outcomes came from. Raises NotConfigured, ProviderError.
    """
    judged = [outcome for outcome in outcomes if outcome.query.gains and outcome.query.answerable]
    rows = {}
    for name in names:
        if name == WORDS:
            found = {outcome.query.id: outcome.by_words for outcome in judged}
        else:
            queries = [outcome.query for outcome in judged]
            found = _rank_by_cosine(embedder_named(name), queries, ids)
        rows[name] = rankings(judged, partial(_found_for, found))
    return rows


def _found_for(found: Mapping[str, tuple[str, ...]], outcome: Outcome) -> tuple[str, ...]:
    return found[outcome.query.id]


def _rank_by_cosine(
    embedder: Embedder, queries: Sequence[Query], ids: Mapping[UUID, str]
) -> dict[str, tuple[str, ...]]:
    """Corpus ids for each query's id, by the best cosine of their chunks, best first."""
    chunks = list(Chunk.objects.filter(live=True).order_by("key"))
    owners = [ids[chunk.document_id] for chunk in chunks]
    vectors = _vectors_of(chunks, embedder)
    ranked = {}
    for query in queries:
        order = np.argsort(-(vectors @ _question_vector(query, embedder)), kind="stable")
        best = dict.fromkeys(owners[place] for place in order[: 20 * DEPTH])
        ranked[query.id] = tuple(best)[: 3 * DEPTH]
    return ranked


def _vectors_of(chunks: Sequence[Chunk], embedder: Embedder) -> Vector:
    """One row a chunk: as stored, where this embedder has answered the questions itself."""
    stored = ChunkVector.objects.filter(fingerprint=embedder.fingerprint)
    held = dict(stored.values_list("chunk_id", "vector"))
    if len(held) >= len(chunks):
        return np.array([np.frombuffer(held[chunk.pk], dtype="<f4") for chunk in chunks])
    texts = [embedding_text(chunk.heading_path, chunk.text) for chunk in chunks]
    return loop.run(embedder.embed(texts))


def _question_vector(query: Query, embedder: Embedder) -> Vector:
    """The question with the turns before it, weighed as the product weighs them."""
    question = Question(text=query.text, viewer=Viewer(), history=query.history)
    turns = [(turn.text, turn.weight) for turn in standalone_of(question).turns]
    return combine(loop.run(embedder.embed([text for text, _ in turns])), turns)
