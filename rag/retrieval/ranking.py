"""From fused candidates to the few passages that are worth showing."""

from collections.abc import Iterable, Iterator, Sequence

from rag.followups import StandaloneQuestion
from rag.reader import get_reader
from rag.rerank import DEPTH, Candidate, rerank
from rag.retrieval.legs import Legs
from rag.selectors.passages import Row, read_rows
from rag.types import Filters, Passage

# A passage that shares this much of its text with a better one adds nothing.
SAME_SHARE = 0.5


def rank_passages(
    standalone: StandaloneQuestion, legs: Legs, filters: Filters
) -> Iterator[Passage]:
    """The best candidates as passages, best first; one query, made now.

    Each passage is made when it is asked for: of twenty, a question needs three.
    """
    fused = dict(legs.fused[:DEPTH])
    rows = read_rows(list(fused), filters)
    if rows and legs.can_rerank:
        ranked = _rerank(standalone, legs, rows)
    else:
        ranked = [(fused[row.key], row) for row in rows]
    vector, lexical = legs.vector, legs.lexical.scores
    return (row.as_passage(score, vector=vector, lexical=lexical) for score, row in ranked)


def _rerank(
    standalone: StandaloneQuestion, legs: Legs, rows: Sequence[Row]
) -> list[tuple[float, Row]]:
    """`rows` with their scores, best first."""
    question, *context = standalone.turns
    vector, lexical = legs.vector, legs.lexical.scores
    scores = rerank(
        question.text,
        [
            Candidate(
                row.heading_path, row.text, vector.get(row.key, 0.0), lexical.get(row.key, 0.0)
            )
            for row in rows
        ],
        idf=legs.lexical.idf_of,
        reader=get_reader(),
        context=[(turn.text, turn.weight) for turn in context],
    )
    # Ranked before the scores are cut to 0 to 1: several may be above.
    ranked = sorted(zip(scores, rows, strict=True), key=lambda pair: -pair[0])
    return [(max(0.0, min(1.0, score)), row) for score, row in ranked]


def choose(ranked: Iterable[Passage], wanted: int) -> list[Passage]:
    """The first `wanted`, near copies of better ones passed over."""
    chosen: list[Passage] = []
    for passage in ranked:
        if len(chosen) == wanted:
            break
        if not any(repeats(passage, better) for better in chosen):
            chosen.append(passage)
    return chosen


def repeats(passage: Passage, better: Passage) -> bool:
    """Does `passage` say what `better` says already?"""
    if passage.text == better.text:
        return True
    if (passage.document_id, passage.version) != (better.document_id, better.version):
        return False
    start, end = max(passage.span[0], better.span[0]), min(passage.span[1], better.span[1])
    return end - start > SAME_SHARE * (passage.span[1] - passage.span[0])
