"""What a stream of chat-completion chunks becomes (`rag.generators.reading`)."""

import orjson
import pytest

from rag.errors import ProviderMalformed, ProviderUnavailable
from rag.generators.reading import CompletionReader
from rag.types import GeneratorEvent, Reference, TextDelta


def line(**delta: object) -> bytes:
    """A chunk that says `delta`."""
    return b"data: " + orjson.dumps({"model": "m", "choices": [{"delta": delta}]})


def unread(*, passages: int) -> CompletionReader:
    """A reader of what nobody follows."""
    return CompletionReader(passages=passages, followed=lambda: False)


def test_where_somebody_follows_each_token_is_an_event() -> None:
    reader = CompletionReader(passages=1, followed=lambda: True)

    assert list(reader.read([line(content="Fif"), line(content="teen")])) == [
        TextDelta(text="Fif"),
        TextDelta(text="teen"),
    ]


def test_text_of_one_read_is_one_event() -> None:
    reader = unread(passages=1)

    assert list(reader.read([line(content="Fif"), b"", line(content="teen "), line()])) == [
        TextDelta(text="Fifteen ")
    ]
    assert list(reader.read([line(content="minutes.")])) == [TextDelta(text="minutes.")]


def test_a_reference_stands_after_the_text_that_it_rests_on() -> None:
    reader = unread(passages=2)
    referring = line(content=[{"type": "reference", "reference_ids": [2]}])

    events = list(reader.read([line(content="Fifteen "), line(content="minutes."), referring]))

    assert events == [
        TextDelta(text="Fifteen minutes."),
        Reference(ref=2, answer_span=(0, 16)),
    ]


@pytest.mark.parametrize(
    ("bad", "error"),
    [(b"data: {", ProviderMalformed), (b'data: {"object": "error"}', ProviderUnavailable)],
)
def test_what_came_before_a_fault_comes_before_its_error(
    bad: bytes, error: type[Exception]
) -> None:
    events: list[GeneratorEvent] = []

    with pytest.raises(error):
        events.extend(unread(passages=1).read([line(content="Fif"), bad]))

    assert events == [TextDelta(text="Fif")]
