"""Worked examples for the API's description."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

DOCUMENT_ID = "01980d1e-7b1c-7c33-9d55-2f6f3f0a9b11"
VERSION: dict[str, Any] = {
    "version": 1,
    "title": "Refund policy",
    "content_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "media_type": "text/markdown",
    "created_at": "2026-11-22T14:20:00.000000Z",
    "is_current": True,
}
READY: dict[str, Any] = {
    "id": DOCUMENT_ID,
    "title": "Refund policy",
    "category": "policy",
    "visibility": "private",
    "hidden": False,
    "status": "ready",
    "stage": "",
    "progress": 100,
    "error": None,
    "version": 1,
    "metadata": {"team": "sales"},
    "created_at": "2026-11-22T14:20:00.000000Z",
    "updated_at": "2026-11-22T14:20:01.000000Z",
}
QUEUED = {**READY, "status": "queued", "progress": 0, "version": None, "duplicate": False}
SUBMISSION = {
    "title": "Refund policy",
    "content": "# Refunds\n\nYou may return goods within 30 days of delivery.",
    "category": "policy",
    "visibility": "private",
    "metadata": {"team": "sales"},
}


def page(*results: dict[str, Any]) -> dict[str, Any]:
    """A page of a list that has one."""
    return {"count": len(results), "next": None, "previous": None, "results": list(results)}


def answer(value: Any, name: str = "Answer") -> OpenApiExample:
    """An example of a response."""
    return OpenApiExample(name, value=value, response_only=True, status_codes=["200", "201", "202"])


def listed(value: Any) -> OpenApiExample:
    """An example of one entry of a paged list (the schema puts the page around it)."""
    return OpenApiExample("Entry", value=value, response_only=True)


def body(value: Any, name: str = "Body") -> OpenApiExample:
    """An example of a request."""
    return OpenApiExample(name, value=value, request_only=True, media_type="application/json")
