"""Typing errors are mended by the words of documents; words that people mean are left alone."""

import pytest

from rag.text.spelling import Speller, count_changes
from rag.text.tokens import words

TEXTS = [
    "Upload a document, change the password, verified addresses, best streaming, passwords.",
    "The length of causes, cases and cases.",
]
REAL_WORDS = {"passport", "router"}


def mend(question: str, held: str = "") -> str:
    now = {held, *words(" ".join(TEXTS))}
    return Speller(TEXTS, REAL_WORDS.__contains__).mend(question, now.__contains__)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("how do I chnage my pasword", "how do I change my password"),
        ("uplaod a documnet", "upload a document"),
        ("streeming, verifed?", "streaming, verified?"),
        ("lenght of casues", "length of causes"),  # two that are swapped before one too many
    ],
)
def test_typing_error_is_mended(typed, meant):
    assert mend(typed) == meant


@pytest.mark.parametrize(
    "question",
    [
        "change the password",
        "changing documents",  # another form of a known word
        "renew my passport, reset my router",  # words that the model knows
        "a chanse",  # too short for another letter to be an error
        "pword",
        "an Uplaod",  # a name, maybe
        "really",
        "vitamin-pasword, pasword.txt",  # names
        "verifier",  # ends otherwise
    ],
)
def test_anything_else_is_left_alone(question):
    assert mend(question) == question


def test_word_that_a_document_holds_after_all_is_left_alone():
    assert mend("pasword", held="pasword") == "pasword"


def test_word_that_no_document_holds_any_more_mends_nothing():
    speller = Speller(TEXTS, REAL_WORDS.__contains__)

    assert speller.mend("pasword", lambda word: word == "document") == "pasword"


def test_without_documents_nothing_is_mended():
    assert Speller([], REAL_WORDS.__contains__).mend("pasword", "".__eq__) == "pasword"


@pytest.mark.parametrize(
    ("word", "other", "changes"),
    [("tokn", "token", 1), ("chnage", "change", 1), ("best", "belt", 2), ("same", "same", 0)],
)
def test_changes_are_counted(word, other, changes):
    assert count_changes(word, other) == count_changes(other, word) == changes
