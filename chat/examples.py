"""Worked examples for the API's documentation; each one is run by a test as it stands."""

from drf_spectacular.utils import OpenApiExample

SESSION_ID = "01900000-0000-7000-8000-000000000001"
QUESTION_ID = "01900000-0000-7000-8000-000000000002"
ANSWER_ID = "01900000-0000-7000-8000-000000000003"
DOCUMENT_ID = "01900000-0000-7000-8000-000000000004"
CHUNK_ID = "01900000-0000-7000-8000-000000000005"
TIME = "2026-11-22T10:15:00.000000Z"
QUOTE = "An access token lives 15 minutes."

_session = {
    "id": SESSION_ID,
    "title": "How long does an access token live?",
    "created_at": TIME,
    "updated_at": TIME,
    "message_count": 2,
    "archived": False,
}
_question: dict[str, object] = {
    "id": QUESTION_ID,
    "session": SESSION_ID,
    "sender_type": "user",
    "content": "How long does an access token live?",
    "timestamp": TIME,
    "status": "complete",
    "metadata": {},
    "reply_to": None,
    "variant": 1,
    "is_current": True,
    "feedback": None,
}
_source = {
    "ref": 1,
    "document_id": DOCUMENT_ID,
    "version": 1,
    "title": "Access tokens and refresh tokens",
    "category": "guide",
    "chunk_id": CHUNK_ID,
    "score": 0.82,
    "span": [141, 640],
    "heading_path": "Access tokens and refresh tokens > How long does an access token live?",
    "cited": True,
}
_citation = {
    "ref": 1,
    "answer_span": [0, len(QUOTE)],
    "source_span": [208, 208 + len(QUOTE)],
    "quote": QUOTE,
    "verdict": "supported",
}
_answer = _question | {
    "id": ANSWER_ID,
    "sender_type": "bot",
    "content": f"{QUOTE} [1]",
    "metadata": {
        "mode": "extractive",
        "model": "extractive",
        "confidence": 0.82,
        "sources": [_source],
        "citations": [_citation],
        "usage": None,
        "standalone_question": "How long does an access token live?",
        "timings_ms": {"embed": 1, "search": 2, "first_token": 4, "total": 5},
        "request_id": "01900000-0000-7000-8000-000000000006",
    },
    "reply_to": QUESTION_ID,
}


def _request(name: str, value: object) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _response(
    name: str, value: object, *, status: str = "200", media: str = "application/json"
) -> OpenApiExample:
    return OpenApiExample(
        name, value=value, response_only=True, status_codes=[status], media_type=media
    )


QUESTION = _request("A question", {"content": "How long does an access token live?", "top_k": 3})
EXCHANGE = _response(
    "Question and answer", {"user_message": _question, "bot_message": _answer}, status="201"
)
EVENTS = _response(
    "Events",
    f'id: 3\nevent: answer.delta\ndata: {{"text":"{QUOTE}"}}\n\n',
    media="text/event-stream",
)
REGENERATE = _request("As one answer", {"stream": False})
MESSAGE = _response("A message", _answer)
MESSAGE_PAGE = _response("A page of messages", _answer)
SESSION_TITLE = _request("A title", {"title": "Tokens"})
SESSION_CHANGE = _request("Archive it", {"archived": True})
SESSION = OpenApiExample("A session", value=_session, response_only=True)
# Entries of paged lists: the schema puts the page around them.
SESSION_PAGE = _response("A page of sessions", _session)
VERDICT = _request(
    "Not good", {"rating": -1, "reasons": ["incomplete"], "comment": "The unit is missing."}
)
STORED_VERDICT = _response(
    "Stored",
    {
        "rating": -1,
        "reasons": ["incomplete"],
        "comment": "The unit is missing.",
        "updated_at": TIME,
    },
)
HISTORY = _response(
    "History",
    {
        "sessions": [_session],
        "recent_messages": [_answer, _question],
        "total_sessions": 1,
        "total_messages": 2,
    },
)
FOUND = _response(
    "Found messages",
    {
        "message": _answer,
        "highlight": "An <mark>access</mark> <mark>token</mark> lives 15 minutes. [1]",
        "score": 1.7,
    },
)
STOPPING = _response("Not confirmed yet", _answer | {"status": "streaming"}, status="202")
TRANSCRIPT = _response("As JSON", {"session": _session, "messages": [_question, _answer]})
EVENT_SCHEMAS = _response("One of them", {"answer.delta": {"type": "object", "required": ["text"]}})
