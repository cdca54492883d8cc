"""Rows that are hard to carry from one engine to another: `python -m tests.awkward_rows [STOP]`.

With STOP it goes on writing, a session with two messages at a time, until that file exists.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import django
from django.db import transaction

TEXTS = [
    "",
    "line\r\nbreak\ttab",
    "quote \" ' \\ backslash \\n",
    "Größe 😀 日本語 \u200f\u05e2\u05d1",
    "\u2028\u2029\ufeff\x7f",
    "x" * 100_000,
]
VALUES = [
    None, True, 0, -1, 2**53 + 1, 10**30, 0.1 + 0.2, 1e16, 1e-9, 1.0, -0.0, "", "null",
    {"b": 1, "a": [1, {"z": None, "y": []}], "": {}}, [], {},
]  # fmt: skip
TIMES = [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2024, 3, 31, 1, 0, 0, 1, tzinfo=UTC),
    datetime(2024, 10, 27, 2, 30, 0, 999_999, tzinfo=UTC),
]


def write_session(user, text: str = "text", values=None, at=None) -> None:
    """A session with a question and its answer, in one transaction."""
    from chat.models import ChatMessage, ChatSession

    with transaction.atomic():
        session = ChatSession.objects.create(user=user, title=text[:200])
        question = ChatMessage.objects.create(
            session=session, sender_type="user", content=text, position=0,
            metadata={"values": values}, **({"timestamp": at} if at else {}),
        )  # fmt: skip
        ChatMessage.objects.create(
            session=session, sender_type="bot", content=text, position=1, reply_to=question
        )


def main() -> None:
    """Write."""
    django.setup()
    from tests.factories import make_user

    user = make_user(username=f"writer-{sys.argv[1:]}-{id(sys)}")
    for number, text in enumerate(TEXTS):
        write_session(user, text, VALUES, TIMES[number % len(TIMES)])
    if len(sys.argv) > 1:
        while not Path(sys.argv[1]).exists():
            write_session(user)


if __name__ == "__main__":
    main()
