"""How far the best passage is trusted (`rag.retrieval.trust`)."""

from dataclasses import replace

import pytest

from rag.fusion import Calibration
from rag.retrieval.legs import Legs
from rag.retrieval.trust import WORDINGS_GAIN, evidence, judge
from tests.providers import make_passage

ANSWER = "An access token lives 15 minutes."
ASKED = ("How long does a token live?", "When does a token end?", "Is a token for ever?")


def listing(count: int) -> str:
    return f"> Also asked: {' '.join(ASKED[:count])}\n\n{ANSWER}" if count else ANSWER


@pytest.mark.parametrize("count", [0, 1, 2])
def test_passage_that_lists_few_questions_is_trusted_by_its_score(count: int) -> None:
    passage = make_passage(text=listing(count))

    found = evidence([passage], Legs(can_rerank=True))

    assert found.match == passage.score


def test_passage_that_lists_many_questions_must_fit_better() -> None:
    plain, many = make_passage(text=ANSWER), make_passage(text=listing(3))
    legs = Legs(can_rerank=True)

    assert evidence([many], legs).match == pytest.approx(many.score - WORDINGS_GAIN)
    trusted = [judge("How long?", [one], legs, Calibration())[0] for one in (plain, many)]
    assert trusted[1] < trusted[0]


def test_only_the_best_passage_counts() -> None:
    legs = Legs(can_rerank=True)
    best, other = make_passage(text=ANSWER), replace(make_passage(text=listing(3)), score=0.5)

    assert evidence([other, best], legs).match == best.score


def test_nothing_is_taken_off_where_nobody_looked_closely() -> None:
    assert evidence([make_passage(text=listing(3))], Legs()).match is None
