"""Measures of retrieval and of declining, each a plain function of plain values."""

import math
import random
import re
import string
from collections.abc import Collection, Mapping, Sequence

NDCG_DEPTH = 10
MRR_DEPTH = 10

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, " "))


def hit_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """1.0 if one of the first `k` is relevant, else 0.0."""
    return float(any(key in relevant for key in ranked[:k]))


def recall_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """The share of the relevant ones that is among the first `k`."""
    if not relevant:
        return 0.0
    return len(set(ranked[:k]) & set(relevant)) / len(set(relevant))


def mrr_at(ranked: Sequence[str], relevant: Collection[str], k: int = MRR_DEPTH) -> float:
    """One over the rank of the first relevant one, 0.0 if it is not among the first `k`."""
    for rank, key in enumerate(ranked[:k], 1):
        if key in relevant:
            return 1.0 / rank
    return 0.0


def ndcg_at(ranked: Sequence[str], gains: Mapping[str, float], k: int = NDCG_DEPTH) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002), gains not raised."""
    ideal = _dcg(sorted(gains.values(), reverse=True)[:k])
    if ideal <= 0:
        return 0.0
    return _dcg([gains.get(key, 0.0) for key in ranked[:k]]) / ideal


def contains_answer(texts: Sequence[str], answers: Sequence[str], k: int) -> float:
    """1.0 if one of the first `k` texts holds one of the answers, both normalised."""
    wanted = [answer for answer in map(normalise_answer, answers) if answer]
    held = [f" {normalise_answer(text)} " for text in texts[:k]]
    return float(any(f" {answer} " in text for answer in wanted for text in held))


def normalise_answer(text: str) -> str:
    """SQuAD's normal form: lower case, without punctuation, articles and extra blanks."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """How often a positive scores above a negative, ties counting half; NaN without both."""
    if not positives or not negatives:
        return math.nan
    scored = sorted([(score, 1) for score in positives] + [(score, 0) for score in negatives])
    rank_sum, index = 0.0, 0
    while index < len(scored):
        end = index
        while end < len(scored) and scored[end][0] == scored[index][0]:
            end += 1
        mean_rank = (index + 1 + end) / 2
        rank_sum += mean_rank * sum(label for _, label in scored[index:end])
        index = end
    count = len(positives)
    return (rank_sum - count * (count + 1) / 2) / (count * len(negatives))


def best_f1(positives: Sequence[float], negatives: Sequence[float]) -> tuple[float, float]:
    """The best F1 of "positive if the score is at least the threshold", and that threshold."""
    labelled = [(score, 1) for score in positives] + [(score, 0) for score in negatives]
    best, threshold, hits = 0.0, math.inf, 0
    scored = sorted(labelled, reverse=True)
    for taken, (score, label) in enumerate(scored, 1):
        hits += label
        is_last_of_ties = taken == len(scored) or scored[taken][0] < score
        f1 = 2 * hits / (taken + len(positives))
        if is_last_of_ties and f1 > best:
            best, threshold = f1, score
    return best, threshold


def mean(values: Sequence[float]) -> float:
    """The mean; NaN of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def bootstrap_interval(
    values: Sequence[float], *, rounds: int = 1000, level: float = 0.95, seed: int = 7
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean. For two systems pass paired differences."""
    if not values:
        return math.nan, math.nan
    draw = random.Random(seed)  # noqa: S311 - resampling, not secrets
    count = len(values)
    means = sorted(mean(draw.choices(values, k=count)) for _ in range(rounds))
    low = int((1 - level) / 2 * rounds)
    return means[low], means[rounds - 1 - low]


def _dcg(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
