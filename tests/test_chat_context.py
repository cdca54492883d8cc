"""What a model sees of a conversation: the newest turns that fit; the others go or are told."""

from typing import Any

import pytest

from chat.context import CHARS_PER_TOKEN, SUMMARY_CHARS, build_history
from chat.models import ChatMessage


def said(*contents: str) -> list[ChatMessage]:
    """A conversation as it is read, newest first; the user speaks first."""
    senders = ("user", "bot")
    messages = [
        ChatMessage(sender_type=senders[place % 2], content=content)
        for place, content in enumerate(contents)
    ]
    return messages[::-1]


@pytest.fixture(autouse=True)
def budget(settings: Any) -> None:
    """Room for thirty characters."""
    settings.CHAT_HISTORY_TOKENS = 30 // CHARS_PER_TOKEN
    settings.CHAT_HISTORY_OLDER = "drop"


def test_what_fits_is_told_oldest_first() -> None:
    history = build_history(said("one", "two", "three", "four"))
    assert [(turn.role, turn.content) for turn in history] == [
        ("user", "one"),
        ("assistant", "two"),
        ("user", "three"),
        ("assistant", "four"),
    ]


def test_newest_turns_are_kept() -> None:
    history = build_history(said("a" * 20, "b" * 20, "c" * 10, "d" * 10))
    assert [turn.content[0] for turn in history] == ["c", "d"]


def test_budget_is_used_to_the_last_character() -> None:
    assert len(build_history(said("a" * 10, "b" * 10, "c" * 10))) == 3
    assert len(build_history(said("a" * 11, "b" * 10, "c" * 10))) == 2


def test_turn_that_does_not_fit_ends_the_list() -> None:
    # A shorter one before it would tell half a conversation.
    history = build_history(said("short", "b" * 40, "c"))
    assert [turn.content for turn in history] == ["c"]


def test_no_turn_fits() -> None:
    assert build_history(said("a" * 31)) == ()
    assert build_history([]) == ()


def test_older_questions_are_summarised_by_setting(settings: Any) -> None:
    settings.CHAT_HISTORY_OLDER = "summarise"
    history = build_history(said("What is a token?", "b" * 40, "And a\nkey?", "d" * 25))
    assert [turn.role for turn in history] == ["user", "assistant"]
    assert history[0].content == (
        "Earlier in this conversation the user asked: What is a token? / And a key?"
    )
    assert history[1].content == "d" * 25


def test_summary_has_a_limit_and_drops_the_oldest(settings: Any) -> None:
    settings.CHAT_HISTORY_OLDER = "summarise"
    questions = [text for number in range(40) for text in (f"{number:02} " + "q" * 200, "answer")]
    [summary, *rest] = build_history(said(*questions, "x", "y" * 28))
    assert len(summary.content) < SUMMARY_CHARS + 100
    assert "39 q" in summary.content
    assert "00 q" not in summary.content
    assert [turn.content for turn in rest] == ["x", "y" * 28]


def test_answers_alone_are_not_summarised(settings: Any) -> None:
    settings.CHAT_HISTORY_OLDER = "summarise"
    assert build_history(said("a" * 20, "b" * 31)[:1]) == ()
