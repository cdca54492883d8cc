"""Reading a stream of chat-completion chunks: text, references, usage, and why it stopped."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import orjson

from rag.errors import ProviderError, ProviderMalformed, ProviderUnavailable
from rag.types import GeneratorEvent, Reference, Span, TextDelta, Usage

Reason = Literal["stop", "length", "declined"]

REASONS: Mapping[str, Reason] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "content_filter": "declined",
}
SENTENCE_START = re.compile(r"(?:[.!?]\s+|\n+)(?=\S)")


class CompletionReader:
    """Turns the lines of one stream into events; afterwards holds `reason`, `usage`, `model`.

    Mistral may send content as a list of parts, reference parts among them: each names the
    passages that the text just before it rests on. While `followed()` is false, text that came in
    one read is one event: each costs what a reader would have of it.
    """

    def __init__(self, *, passages: int, followed: Callable[[], bool] = lambda: True) -> None:
        self._followed = followed
        self.reason: Reason | None = None
        self.usage: Usage | None = None
        self.model = ""
        self._passages = passages
        self._text = ""
        self._referenced_to = 0

    def read(self, lines: Iterable[bytes]) -> Iterator[GeneratorEvent]:
        """The events that `lines` of the body bring; none for comments and blank lines.

        Raises ProviderUnavailable for an error object, ProviderMalformed for anything else
        that is not a chunk, after the events before it.
        """
        events = self._read(lines)
        return events if self._followed() else _gathered(events)

    def _read(self, lines: Iterable[bytes]) -> Iterator[GeneratorEvent]:
        for line in lines:
            if line.startswith(b"data:"):
                yield from self._read_data(line[5:].strip())

    def _read_data(self, data: bytes) -> list[GeneratorEvent]:
        if not data or data == b"[DONE]":
            return []
        try:
            return self._read_chunk(orjson.loads(data))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise ProviderMalformed from error

    def _read_chunk(self, chunk: dict[str, Any]) -> list[GeneratorEvent]:
        if chunk.get("object") == "error" or chunk.get("error"):
            raise ProviderUnavailable
        if usage := chunk.get("usage"):
            self.usage = Usage(
                prompt_tokens=int(usage.get("prompt_tokens") or 0),
                completion_tokens=int(usage.get("completion_tokens") or 0),
            )
        self.model = self.model or str(chunk.get("model") or "")
        if not chunk.get("choices"):
            return []
        choice = chunk["choices"][0]
        events = self._read_content((choice.get("delta") or {}).get("content"))
        if why := choice.get("finish_reason"):
            # KeyError for what this product never asks for (tool calls), or "error".
            self.reason = REASONS[why]
        return events

    def _read_content(self, content: str | list[dict[str, Any]] | None) -> list[GeneratorEvent]:
        if not content:
            return []
        if isinstance(content, str):
            self._text += content
            return [TextDelta(text=content)]
        return [event for part in content for event in self._read_part(part)]

    def _read_part(self, part: dict[str, Any]) -> list[GeneratorEvent]:
        kind = part.get("type")
        if kind == "text" and part["text"]:
            self._text += part["text"]
            return [TextDelta(text=part["text"])]
        if kind == "reference":
            return self._references(part["reference_ids"])
        # Thoughts of reasoning models, and parts not known yet, are no part of the answer.
        return []

    def _references(self, ids: list[int | str]) -> list[GeneratorEvent]:
        span = self._span_before()
        if span[0] == span[1]:
            return []
        self._referenced_to = span[1]
        numbers = [int(number) for number in ids]
        return [
            Reference(ref=number, answer_span=span)
            for number in numbers
            if 1 <= number <= self._passages
        ]

    def _span_before(self) -> Span:
        """The sentence, or the rest of one, that ends where the text ends now."""
        text = self._text.rstrip()
        starts = [found.end() for found in SENTENCE_START.finditer(text)]
        start = max([self._referenced_to, *starts])
        start += len(text[start:]) - len(text[start:].lstrip())
        return start, max(start, len(text))


def _gathered(events: Iterator[GeneratorEvent]) -> Iterator[GeneratorEvent]:
    """`events`, text that follows text as one."""
    text = ""
    try:
        for event in events:
            if isinstance(event, TextDelta):
                text += event.text
                continue
            if text:
                yield TextDelta(text=text)
                text = ""
            yield event
    except ProviderError:
        if text:
            yield TextDelta(text=text)
        raise
    if text:
        yield TextDelta(text=text)
