"""Examples in the API's documentation, one person's way through all of it."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

ADA = "0193f5c2-7a10-7c3e-9b7e-2f6d1a4c8e01"
DEVICE = "0193f5c2-9d44-7f21-8a51-0c6b7d3e9f12"
TOKEN = "kq3V9nB0mJ4yT7xW2cR5uZ8aL1sD6fG-hPoEiUyTrEw"  # noqa: S105 (nobody's)
PASSWORD = "Tall-Green-Kettle-58"  # noqa: S105 (nobody's)
ACCESS = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIn0.c2lnbmF0dXJl"
REFRESH = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"

PROFILE = {
    "id": ADA,
    "username": "maria",
    "email": "maria@example.com",
    "email_verified": True,
    "first_name": "Maria",
    "last_name": "Keller",
    "role": "user",
    "date_joined": "2026-11-22T14:00:00.000000Z",
}


def body(value: dict[str, Any], name: str = "Request") -> OpenApiExample:
    """An example of a request's body."""
    return OpenApiExample(name, value=value, request_only=True)


def answer(value: Any, name: str = "Answer", status: int = 200) -> OpenApiExample:
    """An example of an answer."""
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])
