"""Rows for tests, made without the cost of the real way."""

from itertools import count
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.utils import timezone
from rest_framework.test import APIClient

from common.clients import Client
from rag.models import Document
from rag.services.queue import process_document
from rag.services.submit import Submission, submit
from users import tokens
from users.models import TokenFamily, User
from users.services.families import open_family

PASSWORD = "correct horse battery staple"

_numbers = count(1)


def make_user(**fields: Any) -> User:
    """A saved, verified user whose password is `PASSWORD` unless `password` says otherwise."""
    number = next(_numbers)
    fields.setdefault("username", f"person{number}")
    fields.setdefault("email", f"{fields['username']}@example.com")
    password = fields.pop("password", PASSWORD)

    fields.setdefault("email_verified_at", timezone.now())
    user = User(**fields)
    user.set_password(password)
    user.save()
    return user


def make_family(user: User, **fields: Any) -> TokenFamily:
    """A live family of tokens, as a log-in leaves it."""
    family = open_family(user, client=Client(address="192.0.2.1", user_agent="pytest"))
    for name, value in fields.items():
        setattr(family, name, value)
    family.save()
    return family


def bearer(user: User) -> str:
    """A real access token of `user`."""
    return tokens.make_access(make_family(user))


def as_user(user: User) -> APIClient:
    """A client that sends a real access token of `user`."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {bearer(user)}")
    return client


def link_token(message: EmailMultiAlternatives) -> str:
    """The one-time token in the link that a mail carries."""
    link = next(word for word in str(message.body).split() if word.startswith("http"))
    return link.rstrip("/").rpartition("/")[2]


def make_document(content: str, *, title: str = "A document", **fields: Any) -> Document:
    """A document that has been indexed; `owner` makes it private."""
    owner: User | None = fields.pop("owner", None)
    fields.setdefault("visibility", "private" if owner else "public")
    submission = Submission(title=title, content=content, **fields)
    submitted = submit(submission, owner_id=owner.pk if owner else None)
    process_document(submitted.document.pk)
    submitted.document.refresh_from_db()
    return submitted.document
