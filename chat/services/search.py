"""Full-text search over the caller's own messages."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django.db import connection
from django.db.models import F, Value

from chat.models import ChatMessage
from chat.services.highlights import highlight
from rag.text.tokens import words

MAX_RESULTS = 200
# The key 0 is no message's: putting it in has the database index what waits (see the migration).
UNINDEXED = "SELECT 1 FROM chat_message_unindexed LIMIT 1"
INDEX_NOW = "INSERT INTO chat_message_unindexed VALUES (0)"
SQLITE = """
    SELECT m.id, bm25(chat_message_text)
    FROM chat_message_text
    JOIN chat_chatmessage m ON m.search_key = chat_message_text.rowid
    JOIN chat_chatsession s ON s.id = m.session_id
    WHERE chat_message_text MATCH %s AND s.user_id = %s
    ORDER BY bm25(chat_message_text), m.id DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMessage:
    """A message that fits a search, with the fitting words in `<mark>`; the rest is escaped."""

    message: ChatMessage
    highlight: str
    score: float


def search_messages(*, user_id: UUID, query: str) -> list[FoundMessage]:
    """The user's messages that hold every word of `query`, best first, at most 200."""
    search = _search_sqlite if connection.vendor == "sqlite" else _search_postgresql
    return [
        FoundMessage(message=row, highlight=highlight(row.content, query), score=score)
        for row, score in search(user_id, query)
    ]


def _search_sqlite(user_id: UUID, query: str) -> list[tuple[ChatMessage, float]]:
    found = words(query)
    if not found:
        return []
    # Each word is quoted: nothing in it is read as an operator of the query language.
    match = " AND ".join(f'"{word}"' for word in found)
    with connection.cursor() as cursor:
        cursor.execute(UNINDEXED)
        if cursor.fetchone():
            cursor.execute(INDEX_NOW)
        cursor.execute(SQLITE, [match, user_id.hex, MAX_RESULTS])
        rows = [(UUID(hex=key), -rank) for key, rank in cursor.fetchall()]
    messages = ChatMessage.objects.select_related("feedback").in_bulk([key for key, _ in rows])
    return [(messages[key], score) for key, score in rows if key in messages]


def _search_postgresql(user_id: UUID, query: str) -> list[tuple[ChatMessage, float]]:
    # Imported here: it loads psycopg, 10 MB that a server on SQLite has no use for.
    from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector

    search = SearchQuery(query, config="english", search_type="plain")
    vector = SearchVector("content", config="english")
    found = (
        ChatMessage.objects.of(user_id)
        .select_related("feedback")
        .annotate(document=vector, rank=SearchRank(F("document"), search, normalization=Value(1)))
        .filter(document=search)
        .order_by("-rank", "-id")[:MAX_RESULTS]
    )
    return [(row, row.rank) for row in cast(Any, found)]
