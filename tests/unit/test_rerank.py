"""The second look at candidates: soft matching of words, sentences, pairs; harmless on rubbish."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.asked import MAX_QUESTIONS, own_questions
from rag.reader import get_reader
from rag.rerank import (
    FEATURES,
    WEIGHTS,
    Candidate,
    match_features,
    rerank,
)

READER = get_reader()
TOKEN = Candidate(
    "Tokens", "An access token lives 15 minutes. A refresh token lives 7 days.", 0.5, 5
)
GRAIN = Candidate("Grain", "Wheat prices rose by a tenth. Rye was cheap.", 0.1, 0)


def features(question: str, *candidates: Candidate, **options: object) -> np.ndarray:
    return match_features(question, candidates, idf=lambda _: 2.0, reader=READER, **options)


def feature(name: str, row: np.ndarray) -> float:
    return float(row[FEATURES.index(name)])


def test_weights_add_up_to_one():
    assert sum(WEIGHTS[:6]) == pytest.approx(1.0)  # "asked" comes on top, "unknown" goes off.
    assert len(WEIGHTS) == len(FEATURES)


def test_matching_candidate_wins():
    scores = rerank(
        "How long does an access token live?", [GRAIN, TOKEN], idf=lambda _: 2.0,
        reader=READER,
    )  # fmt: skip
    assert scores[1] > scores[0] + 0.2


def test_all_words_in_one_sentence_are_a_full_match():
    row = features("access tokens living", TOKEN)[0]
    assert feature("passage", row) == pytest.approx(1.0)
    assert feature("sentence", row) == pytest.approx(1.0)
    assert feature("headings", row) == pytest.approx(1 / 3, abs=1e-6)


def test_neighbouring_words_count_as_pairs():
    assert feature("pairs", features("refresh token lives", TOKEN)[0]) == 1.0
    assert feature("pairs", features("token refresh", TOKEN)[0]) == 0.0


def test_typing_error_is_matched_by_its_letters():
    right, wrong = features("refresh", TOKEN)[0], features("refrehs", TOKEN)[0]
    assert 0.4 < feature("passage", wrong) < feature("passage", right)


def test_word_that_no_candidate_has_counts_against_all_of_them():
    known = features("Do tokens live?", TOKEN, GRAIN)
    rows = features("Do tokens live in Bolivia?", TOKEN, GRAIN)
    assert [feature("unknown", row) for row in known] == pytest.approx([0, 0], abs=1e-6)
    assert feature("unknown", rows[0]) == feature("unknown", rows[1]) > 0.1


def test_word_that_only_asks_for_a_measure_does_not():
    (row,) = features("How frobnicating do tokens live?", TOKEN)
    assert feature("unknown", row) == pytest.approx(0, abs=1e-6)


def test_earlier_turn_counts_by_its_weight():
    alone = features("How long does it live?", GRAIN, TOKEN)
    led = features("How long does it live?", GRAIN, TOKEN, context=[("access token", 0.5)])
    assert feature("passage", led[1]) > feature("passage", led[0])
    assert feature("passage", led[1]) - feature("passage", led[0]) > 0
    assert len(alone) == len(led) == 2


@settings(deadline=None, max_examples=60)
@given(
    st.text(max_size=80),
    st.lists(st.tuples(st.text(max_size=40), st.text(max_size=200)), max_size=4),
)
def test_any_text_gives_finite_shares(question, texts):
    candidates = [Candidate(headings, text, 0.3, 1.0) for headings, text in texts]
    table = match_features(question, candidates, idf=lambda _: 1.0, reader=READER)
    assert table.shape == (len(texts), len(FEATURES))
    assert np.isfinite(table).all()
    assert (table >= 0).all()
    assert (table <= 1.001).all()


def test_question_that_a_candidate_answers_counts():
    plain = Candidate("Guide", "Send the form to the office.", 0.3, 0)
    heading = Candidate("Guide > How do I quit?", "Send the form to the office.", 0.3, 0)
    line = Candidate("Guide", "Also asked: How do I quit?\n\nSend the form to the office.", 0.3, 0)
    rows = features("How do I quit?", plain, heading, line)
    assert [feature("asked", row) for row in rows] == pytest.approx([0, 1, 1], abs=1e-3)


def test_questions_that_share_only_small_words_are_not_alike():
    row = features("How do I quit?", Candidate("Guide > How do I bake bread?", "Flour.", 0.3, 0))[0]
    assert feature("asked", row) < 0.5


def test_own_questions_are_bare_and_few():
    line = "*Also asked:* What for? " + " ".join(f"Is it {number}?" for number in range(50))
    found = own_questions("Guide > Why?", f"## Why?\n\n{line}\n\nBecause.")
    assert found[:3] == ("Why?", "What for?", "Is it 0?")
    assert len(found) == MAX_QUESTIONS


def test_own_questions_may_stand_in_a_quotation():
    text = "## Why?\n\n> Also asked: What for? What is the use?\n\nBecause."
    assert own_questions("Guide > Why?", text) == ("Why?", "What for?", "What is the use?")


def test_title_and_prose_that_ask_promise_no_answer():
    assert own_questions("Does smoking cause cancer?", "Is it so? Nobody knows.") == ()
