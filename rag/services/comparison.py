"""Two generations asked the same questions: how often do they find the same?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from common.loop import in_thread
from rag.followups import contextualize
from rag.models import IndexGeneration
from rag.retrieval.legs import search_legs
from rag.retrieval.ranking import choose, rank_passages
from rag.selectors.index import IndexState, read_state
from rag.types import Filters, Viewer

TOP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Over all questions: shares of the same first document and of the same top documents."""

    questions: int
    same_first: float
    same_top: float
    # Questions whose first document differs: (question, old title, new title).
    differing: tuple[tuple[str, str, str], ...]


async def compare(
    old: IndexGeneration, new: IndexGeneration, questions: Sequence[str]
) -> Comparison:
    """Ask the public documents each question with both generations."""
    first = top = 0.0
    differing = []
    for question in questions:
        before = await _titles(question, old)
        after = await _titles(question, new)
        first += before[:1] == after[:1]
        top += len(set(before) & set(after)) / max(1, len(set(before) | set(after)))
        if before[:1] != after[:1]:
            differing.append((question, _first(before), _first(after)))
    count = max(1, len(questions))
    return Comparison(
        questions=len(questions),
        same_first=first / count,
        same_top=top / count,
        differing=tuple(differing),
    )


def _first(titles: Sequence[str]) -> str:
    return titles[0] if titles else "-"


async def _titles(question: str, generation: IndexGeneration) -> list[str]:
    state = _state_of(await in_thread(read_state), generation)
    filters = Filters(viewer=Viewer(), position=state.position)
    standalone = contextualize(question, [])
    legs = await search_legs(standalone, filters, state, limit=50)
    passages = choose(await in_thread(rank_passages, standalone, legs, filters), TOP)
    return [passage.title for passage in passages]


def _state_of(state: IndexState, generation: IndexGeneration) -> IndexState:
    return replace(
        state,
        fingerprint=generation.fingerprint,
        embedder=generation.embedder,
        calibration=generation.calibration,
    )
