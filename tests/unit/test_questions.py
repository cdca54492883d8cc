"""Sentences that ask, and the headings that chunks stand below."""

import pytest

from rag.text.questions import bare_question, is_question, own_heading


@pytest.mark.parametrize(
    "sentence", ["Why?", "*Why?*", 'Who said "why?"', "¿Por qué?", "なぜ？", "لماذا؟"]
)
def test_question_mark_at_the_end_asks(sentence):
    assert is_question(sentence)


@pytest.mark.parametrize(
    "sentence", ["", "Yes.", "Call `/search/?q=backup` first.", "Why? Because."]
)
def test_anything_else_says_something(sentence):
    assert not is_question(sentence)


@pytest.mark.parametrize(
    "sentence",
    ["How do I log in?", "## How do I log in?", "Also asked: How do I log in?",
     "*Also asked:* How do I log in?"],
)  # fmt: skip
def test_marks_and_label_are_no_part_of_the_question(sentence):
    assert bare_question(sentence) == "How do I log in?"


def test_own_heading_is_the_last_one_below_the_title():
    assert own_heading("Guide > Tokens > Signing") == "Signing"


def test_title_alone_is_no_heading():
    assert own_heading("Guide") == ""
