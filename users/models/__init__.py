"""The rows of this app, a module for each kind."""

from users.models.audit import AuditEvent
from users.models.erased import ErasedAccount
from users.models.families import TokenFamily
from users.models.held import HeldName
from users.models.links import OneTimeLink
from users.models.mail import OutgoingMail
from users.models.users import User

__all__ = [
    "AuditEvent",
    "ErasedAccount",
    "HeldName",
    "OneTimeLink",
    "OutgoingMail",
    "TokenFamily",
    "User",
]
