"""The JSON Schema of every event, served at `/api/schema/events/`."""

from typing import Any

from chat.models import SenderType, Status
from chat.streams import events

UUID = {"type": "string", "format": "uuid"}
SPAN = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0},
    "minItems": 2,
    "maxItems": 2,
}


def _object(*optional: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties.keys() - set(optional)),
        "additionalProperties": False,
    }


SOURCE = _object(
    "heading_path",  # Answers that were stored without it are told as they are.
    ref={"type": "integer", "minimum": 1},
    document_id=UUID,
    version={"type": "integer", "minimum": 1},
    title={"type": "string"},
    category={"type": "string"},
    chunk_id=UUID,
    score={"type": "number"},
    span=SPAN,
    heading_path={"type": "string"},
    cited={"type": "boolean"},
)
CITATION = _object(
    ref={"type": "integer", "minimum": 1},
    answer_span=SPAN,
    source_span=SPAN,
    quote={"type": "string"},
    verdict={"enum": ["supported", "weak", "unsupported"]},
)
USAGE = _object(
    prompt_tokens={"type": "integer", "minimum": 0},
    completion_tokens={"type": "integer", "minimum": 0},
)
MESSAGE = _object(
    id=UUID,
    session=UUID,
    sender_type={"enum": SenderType.values},
    content={"type": "string"},
    timestamp={"type": "string", "format": "date-time"},
    status={"enum": Status.values},
    metadata={"type": "object"},
    reply_to={"anyOf": [UUID, {"type": "null"}]},
    variant={"type": "integer", "minimum": 1},
    is_current={"type": "boolean"},
    feedback={"type": ["object", "null"]},
)

SCHEMAS: dict[str, dict[str, Any]] = {
    events.CREATED: _object(user_message=MESSAGE, bot_message_id=UUID),
    events.RETRIEVED: _object(
        sources={"type": "array", "items": SOURCE},
        confidence={"type": "number", "minimum": 0, "maximum": 1},
    ),
    events.DELTA: _object(text={"type": "string", "minLength": 1}),
    events.CITATION: CITATION,
    events.USAGE: USAGE,
    events.COMPLETED: _object(bot_message=MESSAGE),
    events.STOPPED: _object(bot_message=MESSAGE),
    events.FAILED: _object(
        code={"type": "string"}, retryable={"type": "boolean"}, bot_message=MESSAGE
    ),
}


def event_schemas() -> dict[str, Any]:
    """A JSON Schema (2020-12) for each event's data, by the event's name."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events of an answer",
        "events": SCHEMAS,
    }
