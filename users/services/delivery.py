"""Sending what `services.mail` recorded, and sending it again when the mail server was down."""

import logging
import os
import smtplib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import DatabaseError, close_old_connections
from django.db.models import F
from django.template.loader import render_to_string
from django.utils import timezone

from common.loop import release_connections
from users.models import OneTimeLink, OutgoingMail, User
from users.services.links import make_link

logger = logging.getLogger(__name__)

SENDING_THREADS = 2
# Nobody else takes a row that is being sent: longer than a mail server may take to answer.
LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 12  # with waits that double from a minute: about a day
MAX_WAIT = timedelta(hours=4)
SWEEP_ROWS = 200
# A mail server that is down answers nobody: the rest of the sweep would only wait for it.
SWEEP_FAILURES = 5

SUBJECTS = {
    "verify_email": "Verify your e-mail address",
    "address_in_use": "You already have an account",
    "reset_password": "Set a new password",
    "change_email": "Confirm your new e-mail address",
    "email_change_requested": "A new e-mail address was asked for",
    "email_changed": "Your e-mail address was changed",
    "password_changed": "Your password was changed",
    "username_changed": "Your username was changed",
    "new_device": "Your account was used on a new device",
    "token_reused": "A device was logged out for your safety",
    "logged_out_everywhere": "You were logged out everywhere",
    "account_deleted": "Your account was deleted",
    "account_deactivated": "Your account was deactivated",
    "role_changed": "Your role was changed",
    "data_exported": "Your data was exported",
}
LINKS = {
    "verify_email": OneTimeLink.Purpose.VERIFY_EMAIL,
    "change_email": OneTimeLink.Purpose.CHANGE_EMAIL,
    "reset_password": OneTimeLink.Purpose.RESET_PASSWORD,
}


class _State:
    """The sending threads of this process; forgotten by a forked child."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.threads: ThreadPoolExecutor | None = None


_state = _State()


def _forget() -> None:
    global _state
    _state = _State()


os.register_at_fork(after_in_child=_forget)


def deliver_soon(mail_id: UUID) -> None:
    """Send the mail from another thread: no answer waits for a mail server or tells by its time."""
    if settings.ACCOUNT_MAIL_DELIVERY != "background":
        return
    with _state.lock:
        if _state.threads is None:
            _state.threads = ThreadPoolExecutor(SENDING_THREADS, thread_name_prefix="mail")
        _state.threads.submit(_deliver_in_thread, mail_id)


def _deliver_in_thread(mail_id: UUID) -> None:
    close_old_connections()
    try:
        deliver(mail_id)
    except DatabaseError:
        logger.warning("Mail left for the sweep: the database was not available", exc_info=True)
    finally:
        release_connections()


def wait_for_deliveries() -> None:
    """Block until this process has sent what it began (at shutdown, and in tests)."""
    with _state.lock:
        threads, _state.threads = _state.threads, None
    if threads is not None:
        threads.shutdown()


def send_due() -> int:
    """Send every mail that is due (a task calls this each minute); how many went."""
    sent = failed = 0
    due = OutgoingMail.objects.filter(due_at__lte=timezone.now())
    for pk in list(due.values_list("pk", flat=True)[:SWEEP_ROWS]):
        sent += deliver(pk)
        failed += OutgoingMail.objects.filter(pk=pk).exists()
        if failed >= SWEEP_FAILURES:
            break
    return sent


def count_due() -> int:
    """How many mails wait to be sent now."""
    return OutgoingMail.objects.filter(due_at__lte=timezone.now()).count()


def deliver(mail_id: UUID) -> bool:
    """Send one mail if nobody else is at it; whether it has gone. Its row goes with it."""
    now = timezone.now()
    rows = OutgoingMail.objects.filter(pk=mail_id)
    if not rows.filter(due_at__lte=now).update(due_at=now + LEASE, attempts=F("attempts") + 1):
        return False
    row = rows.select_related("user").first()
    if row is None:
        return False
    try:
        message = build(row)
        if message is not None:
            message.send()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        # ValueError: an address or header that no mail can carry.
        _postpone(row, error)
        return False
    rows.delete()
    return message is not None


def _postpone(row: OutgoingMail, error: Exception) -> None:
    # The exception's text may quote the recipient.
    logger.warning("Mail %s not sent: %s", row.pk, type(error).__name__)
    rows = OutgoingMail.objects.filter(pk=row.pk)
    if row.attempts >= MAX_ATTEMPTS:
        logger.error("Mail %s given up after %d attempts", row.pk, row.attempts)
        rows.delete()
        return
    wait = min(timedelta(minutes=2 ** (row.attempts - 1)), MAX_WAIT)
    rows.update(due_at=timezone.now() + wait)


def build(row: OutgoingMail) -> EmailMultiAlternatives | None:
    """The mail with text and HTML body; None when there is nobody left to tell."""
    user = row.user
    if row.kind in LINKS and user is None:
        user = User.objects.find(row.to)
    if row.kind in LINKS and not _wanted(row.kind, user):
        return None
    context: dict[str, Any] = {"public_url": settings.PUBLIC_URL} | row.context
    to = row.to
    if row.kind in LINKS and user is not None:
        # To the address on record, never to the spelling of it that somebody typed.
        to = row.to if row.kind == "change_email" else user.email
        context["username"] = user.username
        context["link"] = make_link(user, LINKS[row.kind], email=to)
    return _write(row.kind, to, context)


def _write(kind: str, to: str, context: dict[str, Any]) -> EmailMultiAlternatives:
    body = render_to_string(f"users/mail/{kind}.txt", context).strip()
    context |= {"body": body, "subject": SUBJECTS[kind]}
    text = render_to_string("users/mail/message.txt", context)
    message = EmailMultiAlternatives(SUBJECTS[kind], text, to=[to])
    message.attach_alternative(render_to_string("users/mail/message.html", context), "text/html")
    return message


def _wanted(kind: str, user: User | None) -> bool:
    if user is None or not user.is_active:
        return False
    return kind != "verify_email" or not user.email_verified
