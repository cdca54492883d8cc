"""Fusion of both legs, and a confidence that grows with the scores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.fusion import (
    DEFAULT,
    Calibration,
    Sample,
    calibrate,
    confidence,
    fuse,
    lexical_share,
)

SHARES = st.floats(0, 1)


def test_fuse_is_a_weighted_sum_over_the_best_bm25():
    fused = fuse({1: 0.8, 2: 0.4}, {1: 5.0, 2: 10.0}, vector_weight=0.4)
    assert fused == pytest.approx({1: 0.4 * 0.8 + 0.6 * 0.5, 2: 0.4 * 0.4 + 0.6})


def test_fuse_gives_a_missing_cosine_the_lowest_and_a_missing_bm25_nothing():
    fused = fuse({1: 0.8, 2: 0.4}, {3: 2.0}, vector_weight=0.5)
    assert fused == pytest.approx({1: 0.4, 2: 0.2, 3: 0.5 * 0.4 + 0.5})


def test_fuse_of_one_leg_or_none_works():
    assert fuse({}, {}, vector_weight=0.5) == {}
    assert fuse({7: 0.5}, {}, vector_weight=0.5) == {7: 0.25}
    assert fuse({}, {7: 3.0}, vector_weight=0.5) == {7: 0.5}


def test_lexical_share_is_between_0_and_1():
    assert lexical_share(22.0, 10.0) == 1.0
    assert lexical_share(2.2, 2.0) == pytest.approx(0.5)
    assert lexical_share(-1.0, 2.0) == 0.0
    assert lexical_share(1.0, 0.0) == 0.0


@given(SHARES, SHARES, SHARES)
def test_confidence_never_falls_when_a_score_rises(low, high, other):
    low, high = sorted((low, high))
    assert confidence(low, other, 1.0) <= confidence(high, other, 1.0)
    assert confidence(other, low, 1.0) <= confidence(other, high, 1.0)
    assert 0 < confidence(0, 0, 0, match=low) <= confidence(0, 0, 0, match=high) < 1


def test_default_thresholds_are_in_order():
    assert 0 < DEFAULT.decline_below < DEFAULT.uncertain_below < 1


def test_default_declines_a_stranger_and_believes_a_match():
    assert confidence(0.2, 1.0, 20.0) < DEFAULT.decline_below
    assert confidence(0.6, 20.0, 20.0) > DEFAULT.uncertain_below
    assert confidence(0, 0, 0, match=0.25) < DEFAULT.decline_below
    assert confidence(0, 0, 0, match=0.6) > DEFAULT.uncertain_below


def test_extreme_scores_do_not_overflow():
    steep = Calibration(match_intercept=0.0, match_slope=1e9)
    assert confidence(0, 0, 0, match=1.0, calibration=steep) == pytest.approx(1.0)
    assert confidence(0, 0, 0, match=-1.0, calibration=steep) == pytest.approx(0.0)


def samples(with_match: bool) -> list[Sample]:
    known = [Sample(0.5 + i / 100, 8.0 + i / 10, 10.0, True) for i in range(40)]
    strange = [Sample(0.2 + i / 100, 1.0 + i / 10, 10.0, False) for i in range(40)]
    if not with_match:
        return known + strange
    return [
        Sample(one.cosine, one.bm25, one.idf_sum, one.answerable, match=one.cosine)
        for one in known + strange
    ]


@pytest.mark.parametrize("with_match", [True, False])
def test_calibrate_separates_and_refuses_the_asked_share(with_match):
    labelled = samples(with_match)
    fitted = calibrate(labelled, refused_share=0.1)
    scores = [
        (confidence(s.cosine, s.bm25, s.idf_sum, match=s.match, calibration=fitted), s.answerable)
        for s in labelled
    ]
    refused = sum(score < fitted.decline_below for score, answerable in scores if answerable)
    assert refused == 4
    assert sum(score >= fitted.decline_below for score, answerable in scores if not answerable) < 10
    assert fitted.decline_below <= fitted.uncertain_below


def test_calibrate_needs_both_kinds():
    with pytest.raises(ValueError, match="both kinds"):
        calibrate([sample for sample in samples(with_match=True) if sample.answerable])
