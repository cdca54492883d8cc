"""Verbs with a small word become one word; other uses of the same words stay."""

import pytest

from rag.asked import alikeness, cut
from rag.reader import get_reader
from rag.text.phrases import joined


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How do I log in?", "How do I login?"),
        ("I was logged out.", "I was logout."),
        ("Log a user out at once", "logout a user at once"),
        ("sign in", "login"),
        ("Signing up fails", "register fails"),
        ("How do I back all my data up?", "How do I backup all my data?"),
        ("Setting up a server", "setup a server"),
        ("I switched it off", "I disable it"),
        ("turn on", "enable"),
        ("How do I turn logging on?", "How do I enable logging?"),
        ("Switch the log off", "disable the log"),
        ("Who is logged in?", "Who is login?"),
        ("Am I logged in to the server?", "Am I login to the server?"),
        ("I am logged into it", "I am login it"),
    ],
)
def test_verb_and_its_small_word_are_one(text, expected):
    assert joined(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Look for the log in production.",
        "What is logged in production?",
        "Is everything logged on the server?",
        "Where is an error logged in Docker?",
        "Logging in JSON",
        "Logs in JSON",
        "background upload",
        "It is up again.",
        "a catalog in print",
        "He signed it.",
    ],
)
def test_other_uses_stay(text):
    assert joined(text) == text


def test_going_in_is_not_going_out():
    reader = get_reader()
    asked = reader.embed([cut("How do I log on?")])[0]
    known = [reader.embed([cut(one)]) for one in ("How do I sign in?", "How do I sign out?")]
    way_in, way_out = alikeness(asked, known)
    assert way_in == pytest.approx(1.0)
    assert way_out < 0.8
