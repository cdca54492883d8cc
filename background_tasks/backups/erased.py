"""The erasure list: accounts that no restore of an older backup may bring back.

It stands in the database and, since the database itself may be what is lost, in a file beside
the backups. It holds ids and nothing else.
"""

import logging
from collections.abc import Iterable, Set
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from django.conf import settings
from django.db import transaction

from background_tasks.backups.shelf import get_shelf
from users.models import ErasedAccount, OutgoingMail, User
from users.services.accounts import erase_account

logger = logging.getLogger(__name__)

NAME = "erased-accounts.txt"


def note_erasure(user_id: UUID) -> None:
    """Put an account on the list once its erasure is committed."""
    transaction.on_commit(lambda: _note(user_id))


def read_list() -> set[UUID]:
    """The list as it stands beside the backups."""
    try:
        with get_shelf().open(NAME) as file:
            text = file.read().decode("ascii")
    except FileNotFoundError:
        return set()
    return {UUID(line) for line in text.split()}


def read_erased() -> set[UUID]:
    """Every account known to be erased: from the file and from the database."""
    return read_list() | set(ErasedAccount.objects.values_list("user_id", flat=True))


def write_list(more: Iterable[UUID] = ()) -> None:
    """Bring the file up to date with the database, and `more`."""
    known = read_list()
    erased = known | read_erased() | set(more)
    if erased == known:
        return
    base = Path(settings.BACKUP_DIR)
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    with TemporaryDirectory(prefix=".work-erased-", dir=base) as folder:
        file = Path(folder) / NAME
        file.write_text("".join(f"{user_id}\n" for user_id in sorted(erased)))
        get_shelf().put(file, NAME)


def replay_erasures(erased: Set[UUID]) -> int:
    """Erase those accounts again; how many were there. Nobody is mailed about it twice."""
    with transaction.atomic():
        mails = set(OutgoingMail.objects.values_list("pk", flat=True))
        found = set(User.objects.filter(pk__in=erased).values_list("pk", flat=True))
        for user_id in sorted(found):
            erase_account(user_id)
        OutgoingMail.objects.exclude(pk__in=mails).delete()
        rows = [ErasedAccount(user_id=user_id) for user_id in erased]
        ErasedAccount.objects.bulk_create(rows, ignore_conflicts=True)
    return len(found)


def _note(user_id: UUID) -> None:
    try:
        write_list([user_id])
    except Exception:
        # Any storage raises what it likes. The account is gone all the same, the database
        # knows that it is, and the next backup writes the list again.
        logger.exception("The erasure list could not be written")
