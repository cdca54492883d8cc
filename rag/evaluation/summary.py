"""From outcomes to the numbers that are reported and compared."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from rag.evaluation.metrics import (
    auroc,
    best_f1,
    contains_answer,
    hit_at,
    mean,
    mrr_at,
    ndcg_at,
    recall_at,
)
from rag.evaluation.run import Outcome
from rag.fusion import Sample
from rag.retrieval.trust import Evidence

KEYS = (
    "hit@1",
    "hit@3",
    "hit@10",
    "recall@3",
    "mrr@10",
    "ndcg@10",
    "containment@3",
    "decline_auroc",
    "decline_f1",
    "citation_precision",
    "query_ms_p50",
)
LOWER_IS_BETTER = frozenset({"query_ms_p50"})
# With at least this share of questions that nothing answers, these are the negatives.
ENOUGH_UNANSWERABLE = 0.1

Ranking = Callable[[Outcome], Sequence[str]]


def summarise(outcomes: Sequence[Outcome], cited: Sequence[bool]) -> dict[str, float | None]:
    """The measures by name; None where the dataset holds nothing to measure it by."""
    judged = [outcome for outcome in outcomes if outcome.query.gains and outcome.query.answerable]
    positives, negatives = decline_scores(outcomes)
    answered = [outcome for outcome in judged if outcome.query.answers]
    figures: dict[str, float | None] = dict(rankings(judged, lambda outcome: outcome.ranked))
    figures["containment@3"] = _mean(
        [contains_answer(outcome.texts, outcome.query.answers, 3) for outcome in answered]
    )
    both = bool(positives and negatives)
    figures["decline_auroc"] = auroc(positives, negatives) if both else None
    figures["decline_f1"] = best_f1(positives, negatives)[0] if both else None
    figures["citation_precision"] = _mean([float(good) for good in cited])
    figures["query_ms_p50"] = statistics.median(outcome.milliseconds for outcome in outcomes)
    return {key: _rounded(figures[key]) for key in KEYS}


def baselines(outcomes: Sequence[Outcome]) -> dict[str, Mapping[str, float]]:
    """Each leg alone, on the same questions in the same run."""
    judged = [outcome for outcome in outcomes if outcome.query.gains and outcome.query.answerable]
    return {
        "words alone": rankings(judged, lambda outcome: outcome.by_words),
        "vectors alone": rankings(judged, lambda outcome: outcome.by_vectors),
    }


def rankings(judged: Sequence[Outcome], ranking: Ranking) -> dict[str, float]:
    """The measures of a ranking over judged questions."""
    rows = [(ranking(outcome), outcome.query.gains) for outcome in judged]
    return {
        "hit@1": mean([hit_at(ranked, gains, 1) for ranked, gains in rows]),
        "hit@3": mean([hit_at(ranked, gains, 3) for ranked, gains in rows]),
        "hit@10": mean([hit_at(ranked, gains, 10) for ranked, gains in rows]),
        "recall@3": mean([recall_at(ranked, gains, 3) for ranked, gains in rows]),
        "mrr@10": mean([mrr_at(ranked, gains) for ranked, gains in rows]),
        "ndcg@10": mean([ndcg_at(ranked, gains) for ranked, gains in rows]),
    }


def decline_scores(outcomes: Sequence[Outcome]) -> tuple[list[float], list[float]]:
    """Confidences of questions whose documents are there, and of those whose are not.

    The latter are the dataset's own questions that nothing answers, where it has enough of
    them; else every question asked again with its documents left out.
    """
    present = [
        outcome.confidence
        for outcome in outcomes
        if outcome.query.answerable and outcome.query.gains
    ]
    off = [
        outcome.confidence
        for outcome in outcomes
        if not outcome.query.answerable and not outcome.query.gains
    ]
    if len(off) >= ENOUGH_UNANSWERABLE * len(outcomes):
        return present, off
    absent = [
        outcome.confidence_absent
        for outcome in outcomes
        if outcome.confidence_absent is not None and outcome.query.answerable
    ]
    return present, absent + off


def samples(outcomes: Sequence[Outcome]) -> list[Sample]:
    """What a calibration is fitted to: questions with their documents there, and without."""
    found = []
    for outcome in outcomes:
        if outcome.query.gains and outcome.query.answerable:
            found.append(_sample(outcome.evidence, answerable=True))
            if outcome.evidence_absent is not None:
                found.append(_sample(outcome.evidence_absent, answerable=False))
        elif not outcome.query.gains and not outcome.query.answerable:
            found.append(_sample(outcome.evidence, answerable=False))
    return found


def _sample(evidence: Evidence, *, answerable: bool) -> Sample:
    return Sample(
        cosine=evidence.cosine,
        bm25=evidence.bm25,
        idf_sum=evidence.idf_sum,
        match=evidence.match,
        answerable=answerable,
    )


def regressions(
    new: Mapping[str, float | None], old: Mapping[str, float | None], margin: float
) -> list[str]:
    """Measures of `new` that are worse than `old` by more than `margin` (time: by half again)."""
    worse = []
    for key in KEYS:
        now, before = new.get(key), old.get(key)
        if now is None or before is None:
            continue
        limit = before * 1.5 + 1 if key in LOWER_IS_BETTER else before - margin
        if (now > limit) if key in LOWER_IS_BETTER else (now < limit):
            worse.append(f"{key}: {before:g} -> {now:g}")
    return worse


def _mean(values: Sequence[float]) -> float | None:
    return mean(values) if values else None


def _rounded(value: float | None) -> float | None:
    # NaN is not JSON: a measure without anything to measure is null.
    return None if value is None or value != value else round(value, 4)
