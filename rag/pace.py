"""Whether somebody reads an answer while it is written, or its end alone is waited for."""

from collections.abc import Callable
from contextvars import ContextVar

_followed: ContextVar[Callable[[], bool] | None] = ContextVar("followed", default=None)


def pace_by(followed: Callable[[], bool]) -> None:
    """For the rest of this task: what comes from a provider need be handed on at once only while
    `followed()` says that somebody reads along.
    """
    _followed.set(followed)


def is_followed() -> Callable[[], bool]:
    """What `pace_by` was told in this task; where it was not, everything is handed on at once."""
    return _followed.get() or _always


def _always() -> bool:
    return True
