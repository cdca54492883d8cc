"""Identifiers that sort by time and cannot be guessed."""

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562): milliseconds first, then 74 random bits."""
    return compat.uuid7()
