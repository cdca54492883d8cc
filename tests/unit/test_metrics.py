"""Metrics on cases that can be worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation.logistic import fit_logistic
from rag.evaluation.metrics import (
    auroc,
    best_f1,
    bootstrap_interval,
    contains_answer,
    hit_at,
    mean,
    mrr_at,
    ndcg_at,
    normalise_answer,
    recall_at,
)

RANKED = ["a", "b", "c", "d"]


def test_hit_and_recall_look_at_the_first_k():
    assert hit_at(RANKED, {"c"}, 2) == 0.0
    assert hit_at(RANKED, {"c"}, 3) == 1.0
    assert recall_at(RANKED, {"a", "c", "x", "y"}, 3) == 0.5
    assert recall_at(RANKED, set(), 3) == 0.0


def test_mrr_is_one_over_the_first_rank():
    assert mrr_at(RANKED, {"b", "d"}) == 0.5
    assert mrr_at(RANKED, {"x"}) == 0.0


def test_ndcg_discounts_by_rank():
    assert ndcg_at(RANKED, {"a": 1}) == 1.0
    assert ndcg_at(RANKED, {"c": 1}) == pytest.approx(0.5)
    assert ndcg_at(RANKED, {}) == 0.0


def test_containment_ignores_case_articles_and_punctuation():
    assert contains_answer(["It was the Eiffel-Tower!"], ["eiffel tower"], 1) == 1.0
    assert contains_answer(["no", "yes"], ["yes"], 1) == 0.0
    assert contains_answer(["catalogue"], ["cat"], 1) == 0.0
    assert contains_answer(["text"], ["", "The"], 1) == 0.0
    assert normalise_answer("The  U.S. a") == "u s"


def test_auroc_counts_ties_half():
    assert auroc([2, 3], [0, 1]) == 1.0
    assert auroc([1], [1]) == 0.5
    assert auroc([0, 1], [0.5]) == 0.5
    assert math.isnan(auroc([], [1]))


@given(st.lists(st.integers(0, 5), min_size=1), st.lists(st.integers(0, 5), min_size=1))
def test_auroc_is_the_share_of_ordered_pairs(positives, negatives):
    won = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    assert auroc(positives, negatives) == pytest.approx(won / len(positives) / len(negatives))


def test_best_f1_finds_the_threshold():
    assert best_f1([3, 4], [1, 2]) == (1.0, 3)
    assert best_f1([1, 1], [1])[0] == pytest.approx(0.8)
    assert best_f1([], []) == (0.0, math.inf)


def test_bootstrap_interval_holds_the_mean():
    low, high = bootstrap_interval([0.0, 1.0] * 50)
    assert 0.35 < low < 0.5 < high < 0.65
    assert math.isnan(bootstrap_interval([])[0])
    assert math.isnan(mean([]))


def test_logistic_separates_and_never_slopes_down():
    rows = [(0.1, 0.9), (0.2, 0.8), (0.7, 0.4), (0.9, 0.1)]
    intercept, slopes = fit_logistic(rows, [False, False, True, True])
    assert intercept < 0 < slopes[0]
    assert slopes[1] == 0.0


def test_logistic_needs_both_kinds():
    with pytest.raises(ValueError, match="both kinds"):
        fit_logistic([(1.0,)], [True])
