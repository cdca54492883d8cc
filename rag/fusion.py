"""One score from the vector leg and the lexical leg, and how far to trust the best passage."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

VECTOR_WEIGHT = 0.45  # WordLlama; 0.7 for MiniLM and for Mistral.
FOREIGN_VECTOR_WEIGHT = 0.2  # An English-only embedder on another language.
BM25_CEILING = 2.2  # With k1 = 1.2 a term's BM25 is below 2.2 times its idf.
UNCERTAIN_FACTOR = 2
MAX_EXPONENT = 60.0


def fuse(
    vector: Mapping[int, float], lexical: Mapping[int, float], *, vector_weight: float
) -> dict[int, float]:
    """`vector_weight`·cosine + rest·bm25/best bm25 for every candidate of either leg.

    Let the caller add the true cosine of lexical candidates to `vector` (a dot product each).
    One that is still missing gets the lowest cosine there is; a missing BM25 is 0.
    """
    best = max(lexical.values(), default=0.0)
    lexical_scale = (1.0 - vector_weight) / best if best > 0 else 0.0
    floor = min(vector.values(), default=0.0)
    return {
        key: vector_weight * vector.get(key, floor) + lexical_scale * lexical.get(key, 0.0)
        for key in vector.keys() | lexical.keys()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Logistic maps of raw scores to a probability, and where to decline and where to warn.

    One map is of the match (the best score of `rag.rerank`), the other, where that did not
    run, of cosine and lexical share. The defaults are fitted on the development sets:
    questions about absent documents against answerable ones, WordLlama and BM25.
    """

    match_intercept: float = -5.2
    match_slope: float = 12.0
    intercept: float = -5.2
    cosine_slope: float = 5.9
    lexical_slope: float = 9.05
    decline_below: float = 0.40
    uncertain_below: float = 0.55


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled question: its best passage's raw scores, and whether the answer is there."""

    cosine: float
    bm25: float
    idf_sum: float
    answerable: bool
    match: float | None = None


DEFAULT = Calibration()


def lexical_share(bm25: float, idf_sum: float) -> float:
    """BM25 (positive) as a share, 0 to 1, of the most that this question's terms could score."""
    return min(1.0, max(0.0, bm25) / (BM25_CEILING * idf_sum)) if idf_sum > 0 else 0.0


def confidence(
    cosine: float,
    bm25: float,
    idf_sum: float,
    *,
    match: float | None = None,
    calibration: Calibration = DEFAULT,
) -> float:
    """The probability that the documents hold the answer, from their best passages' scores.

    `match` is the best score by `rag.rerank.rerank`; if it ran, it alone decides. `idf_sum` is
    over all terms of the question, those that no document holds included.
    """
    if match is not None:
        return _logistic(calibration.match_intercept + calibration.match_slope * match)
    share = lexical_share(bm25, idf_sum)
    slopes = calibration.cosine_slope * cosine + calibration.lexical_slope * share
    return _logistic(calibration.intercept + slopes)


def calibrate(samples: Sequence[Sample], *, refused_share: float = 0.05) -> Calibration:
    """The maps that fit `samples`, both classes weighing the same; slopes never negative.

    The one of the match is fitted if every sample has one, else it is the default's.
    `decline_below` refuses `refused_share` of the answerable samples, `uncertain_below` twice
    as many. Needs samples of both kinds.
    """
    fitted = _fit(samples)
    held = sorted(
        confidence(one.cosine, one.bm25, one.idf_sum, match=one.match, calibration=fitted)
        for one in samples
        if one.answerable
    )
    decline, uncertain = (
        held[min(len(held) - 1, int(share * len(held)))]
        for share in (refused_share, UNCERTAIN_FACTOR * refused_share)
    )
    return replace(fitted, decline_below=decline, uncertain_below=max(decline, uncertain))


def _fit(samples: Sequence[Sample]) -> Calibration:
    from rag.evaluation.logistic import fit_logistic

    labels = [sample.answerable for sample in samples]
    rows = [(sample.cosine, lexical_share(sample.bm25, sample.idf_sum)) for sample in samples]
    intercept, (cosine_slope, lexical_slope) = fit_logistic(rows, labels)
    fitted = Calibration(
        intercept=intercept, cosine_slope=cosine_slope, lexical_slope=lexical_slope
    )
    matches = [sample.match for sample in samples if sample.match is not None]
    if not matches or len(matches) < len(samples):
        return fitted
    match_intercept, (match_slope,) = fit_logistic([(match,) for match in matches], labels)
    return replace(fitted, match_intercept=match_intercept, match_slope=match_slope)


def _logistic(exponent: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-MAX_EXPONENT, min(MAX_EXPONENT, exponent))))
