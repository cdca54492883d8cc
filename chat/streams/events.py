"""The events of an answer: their names, their data and the JSON Schema of each."""

from collections.abc import Mapping
from typing import Any

from chat.models import ChatMessage
from chat.representations import represent_message
from common.json import to_json
from rag.types import AnswerCompleted, Citation, Source

CREATED = "message.created"
RETRIEVED = "retrieval.completed"
DELTA = "answer.delta"
CITATION = "citation.added"
USAGE = "usage"
COMPLETED = "message.completed"
STOPPED = "message.stopped"
FAILED = "message.failed"
TERMINAL = frozenset({COMPLETED, STOPPED, FAILED})

Event = tuple[str, dict[str, Any]]


def encode(number: int, name: str, data: Mapping[str, Any]) -> bytes:
    """One event as server-sent bytes: its id, its name and one line of JSON."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (number, name.encode(), to_json(data))


def created(question: ChatMessage, answer: ChatMessage) -> Event:
    """The question is stored and the answer is on its way."""
    return CREATED, {"user_message": represent_message(question), "bot_message_id": answer.id}


def terminal(answer: ChatMessage) -> Event:
    """The one last event, for an answer in its final state."""
    body = {"bot_message": represent_message(answer)}
    if answer.status == "complete":
        return COMPLETED, body
    if answer.status == "stopped":
        return STOPPED, body
    error = answer.metadata.get("error", {})
    return FAILED, {
        "code": error.get("code", "interrupted"),
        "retryable": error.get("retryable", True),
        **body,
    }


def represent_source(source: Source) -> dict[str, Any]:
    """A source as stored in the answer's metadata and sent to the client."""
    passage = source.passage
    return {
        "ref": source.ref,
        "document_id": passage.document_id,
        "version": passage.version,
        "title": passage.title,
        "category": passage.category,
        "chunk_id": passage.chunk_id,
        "score": round(passage.score, 4),
        "span": list(passage.span),
        "heading_path": passage.heading_path,
        "cited": source.cited,
    }


def represent_citation(citation: Citation) -> dict[str, Any]:
    """A verified citation as stored and sent."""
    return {
        "ref": citation.ref,
        "answer_span": list(citation.answer_span),
        "source_span": list(citation.source_span),
        "quote": citation.quote,
        "verdict": citation.verdict,
    }


def represent_answer(completed: AnswerCompleted) -> dict[str, Any]:
    """The metadata of a complete answer."""
    usage = completed.usage
    metadata: dict[str, Any] = {
        "mode": completed.mode,
        "model": completed.model,
        "confidence": round(completed.confidence, 4),
        "sources": [represent_source(source) for source in completed.sources],
        "citations": [represent_citation(citation) for citation in completed.citations],
        "usage": represent_usage(usage.prompt_tokens, usage.completion_tokens) if usage else None,
        "standalone_question": completed.standalone_question,
        "timings_ms": dict(completed.timings_ms),
    }
    if completed.cached:
        metadata["cached"] = True
    if completed.fell:
        metadata["fell"] = [dict(rung) for rung in completed.fell]
    return metadata


def represent_usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """Tokens as counted by the provider."""
    return {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}


def replay(question: ChatMessage, answer: ChatMessage) -> list[Event]:
    """The events of a finished answer, made again from what is stored of it."""
    metadata = answer.metadata
    events = [created(question, answer)]
    if "sources" in metadata:
        events.append(
            (
                RETRIEVED,
                {
                    "sources": [{**source, "cited": False} for source in metadata["sources"]],
                    "confidence": metadata.get("confidence", 0.0),
                },
            )
        )
    if answer.content:
        events.append((DELTA, {"text": answer.content}))
    events += [(CITATION, citation) for citation in metadata.get("citations", ())]
    if metadata.get("usage"):
        events.append((USAGE, metadata["usage"]))
    return [*events, terminal(answer)]
