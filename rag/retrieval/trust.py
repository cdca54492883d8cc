"""How far what was found can be trusted to hold the answer."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from django.conf import settings

from rag.fusion import Calibration, confidence
from rag.reader import get_reader
from rag.retrieval.legs import Legs
from rag.selectors.index import IndexState
from rag.text.names import names_elsewhere
from rag.types import Mode, Passage

# What a question's best cosine usually is, where the vector leg is down.
USUAL_COSINE = 0.45
# What is left of the confidence in an answer about a program that no passage speaks of, in shares
# of the threshold: so it is declined, whatever it was.
ELSEWHERE_SHARE = 0.97
# A section that lists so many questions is like one of them whatever is asked, by so much. Of 300
# questions about other things 64 were answered from such sections, and 38 are; of 495 about the
# manual none was declined, and three are.
MANY_WORDINGS = 3
WORDINGS_GAIN = 0.06


def calibration_of(state: IndexState) -> Calibration:
    """The generation's calibration, with the operator's own thresholds where they are set."""
    known = {field.name for field in fields(Calibration)}
    stored = {name: value for name, value in state.calibration.items() if name in known}
    calibration = Calibration(**stored)
    thresholds = {
        name: settings.RAG[name.upper()]
        for name in ("decline_below", "uncertain_below")
        if settings.RAG[name.upper()] is not None
    }
    return replace(calibration, **thresholds)


def judge(
    question: str, passages: Sequence[Passage], legs: Legs, calibration: Calibration
) -> tuple[float, Mode]:
    """How sure it is that the passages hold the answer to `question`, 0 to 1, and what that
    allows.
    """
    if not passages:
        return 0.0, "general"
    found = evidence(passages, legs)
    sure = confidence(
        found.cosine, found.bm25, found.idf_sum, match=found.match, calibration=calibration
    )
    if names_elsewhere(question, (f"{one.heading_path} {one.text}" for one in passages)):
        sure *= min(1.0, ELSEWHERE_SHARE * calibration.decline_below)
    if sure < calibration.decline_below:
        return sure, "general"
    return sure, "uncertain" if sure < calibration.uncertain_below else "grounded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The raw scores that confidence rests on; `match` only where the passages were reranked."""

    cosine: float = 0.0
    bm25: float = 0.0
    idf_sum: float = 0.0
    match: float | None = None


def evidence(passages: Sequence[Passage], legs: Legs) -> Evidence:
    """The best of each score among `passages`."""
    cosines = [passage.vector_score for passage in passages if passage.vector_score is not None]
    best = max(passages, key=lambda passage: passage.score, default=None)
    return Evidence(
        cosine=USUAL_COSINE if legs.failed else max(cosines, default=0.0),
        bm25=max((passage.lexical_score or 0.0 for passage in passages), default=0.0),
        idf_sum=legs.lexical.idf_sum,
        match=_match(best) if legs.can_rerank else None,
    )


def _match(best: Passage | None) -> float:
    """What the closer look gave the best passage, less what many wordings alone give it."""
    if best is None:
        return 0.0
    (units,) = get_reader().units([(best.heading_path, best.text)])
    return best.score - WORDINGS_GAIN if len(units.questions) >= MANY_WORDINGS else best.score
