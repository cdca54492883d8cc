"""Follow-ups: earlier turns with small weights, smaller still for complete questions."""

import pytest

from rag.followups import (
    COMPLETE_FACTOR,
    FIRST_WEIGHT,
    FRAGMENT_WEIGHT,
    MAX_TURN_CHARS,
    PREVIOUS_WEIGHT,
    contextualize,
    looks_complete,
)


def test_first_question_stands_alone():
    result = contextualize(" How long does a token live? ", [])
    assert result.text == "How long does a token live?"
    assert [(turn.text, turn.weight) for turn in result.turns] == [(result.text, 1.0)]
    assert result.is_complete


def test_leaning_question_gets_the_previous_and_the_first_turn():
    result = contextualize("How long does it live?", ["What is a token?", "And a refresh token?"])
    assert [(turn.text, turn.weight) for turn in result.turns] == [
        ("How long does it live?", 1.0),
        ("And a refresh token?", PREVIOUS_WEIGHT),
        ("What is a token?", FIRST_WEIGHT),
    ]
    assert result.text == "How long does it live? (after: And a refresh token?)"
    assert not result.is_complete


def test_complete_question_hardly_looks_back():
    result = contextualize("Which file formats can staff upload?", ["What is a token?"])
    assert result.turns[1].weight == pytest.approx(PREVIOUS_WEIGHT * COMPLETE_FACTOR)
    assert result.text == "Which file formats can staff upload?"


@pytest.mark.parametrize("question", ["And a refresh token?", "What about PDF?", "but for staff"])
def test_fragment_takes_its_question_from_the_turn_before(question):
    result = contextualize(question, ["How long does an access token live?"])
    assert result.leans_on == (("How long does an access token live?", FRAGMENT_WEIGHT),)


@pytest.mark.parametrize("question", ["And how long a refresh token?", "So can it be revoked?"])
def test_follow_up_that_asks_something_is_no_fragment(question):
    result = contextualize(question, ["How long does an access token live?"])
    assert result.leans_on == (("How long does an access token live?", PREVIOUS_WEIGHT),)


def test_complete_question_leans_on_nothing():
    assert contextualize("Which file formats can staff upload?", ["Why?"]).leans_on == ()


def test_blank_turns_are_left_out_and_long_ones_cut():
    result = contextualize("And it?", ["  ", "x" * 1000])
    assert [len(turn.text) for turn in result.turns] == [7, MAX_TURN_CHARS]


@pytest.mark.parametrize(
    "question",
    ["What about Redis?", "And on Windows?", "How old is she?", "Why?", "Who made them?"],
)
def test_leaning_questions_are_seen(question):
    assert not looks_complete(question)


@pytest.mark.parametrize(
    "question", ["How do I rotate the secret key?", "Are there limits on uploads of PDF files?"]
)
def test_complete_questions_are_seen(question):
    assert looks_complete(question)
