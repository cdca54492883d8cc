"""Reading event streams in tests."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from chat.streams.events import TERMINAL
from chat.streams.schemas import SCHEMAS


@dataclass(frozen=True)
class ServerSentEvent:
    """One event of a stream."""

    id: int
    name: str
    data: dict[str, Any]


def parse(body: bytes) -> list[ServerSentEvent]:
    """The events in `body`, each held against its JSON Schema."""
    events = []
    for block in body.decode().split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":")
        )
        if fields:
            event = ServerSentEvent(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            Draft202012Validator(SCHEMAS[event.name]).validate(event.data)
            events.append(event)
    return events


def text_of(events: Iterable[ServerSentEvent]) -> str:
    """The answer's text, put together from its deltas."""
    return "".join(event.data["text"] for event in events if event.name == "answer.delta")


def check_whole(events: list[ServerSentEvent]) -> None:
    """Ids grow by one from 1, and exactly one terminal event ends the stream."""
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert [event.name in TERMINAL for event in events] == [False] * (len(events) - 1) + [True]
