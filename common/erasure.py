"""What has to go with an account: apps that keep something of a user's register an eraser.

Rows with a foreign key to the user that cascades need none. An eraser runs inside the
transaction that deletes the account, before the user's row goes: what lies outside the database
(vectors, streams, files) is put in an outbox or in `transaction.on_commit`. It may be called for
an account that is long gone (a restore replays erasures), and has to bear it.
"""

from collections.abc import Callable
from uuid import UUID

Eraser = Callable[[UUID], None]

_erasers: dict[str, Eraser] = {}


def register_eraser(name: str, eraser: Eraser) -> None:
    """Have `eraser(user_id)` called when an account is erased; call this in `AppConfig.ready`."""
    _erasers[name] = eraser


def erase_everywhere(user_id: UUID) -> None:
    """Call every eraser, in the order of their names; an error stops the deletion as a whole."""
    for _, eraser in sorted(_erasers.items()):
        eraser(user_id)
