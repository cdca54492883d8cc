"""Accounts."""

import re
from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from common.identifiers import new_id
from users.identity import INVISIBLE, email_key, username_key

# No "@": a name can never be read as somebody's address.
USERNAME_PATTERN = re.compile(r"\A[\w.+-]+\Z")


def refuse_invisible(username: str) -> None:
    """ValidationError for a name with letters that cannot be seen."""
    if INVISIBLE.intersection(username):
        raise ValidationError("A username may hold no invisible characters.", code="invalid")


def refuse_unsound_domain(email: str) -> None:
    """ValidationError for an address whose domain no network can know."""
    try:
        email.rpartition("@")[2].encode("idna")
    except UnicodeError as error:
        raise ValidationError("Enter a valid email address.", code="invalid") from error


class AccountManager(UserManager["User"]):
    """Finds accounts by either name, whatever the spelling."""

    def find(self, identifier: str) -> "User | None":
        """The account with this username or address, or None."""
        if "@" in identifier:
            return self.filter(email_key=email_key(identifier)).first()
        return self.filter(username_key=username_key(identifier)).first()

    def get_by_natural_key(self, username: str | None) -> "User":
        """The account by either name (Django's commands and log-in forms ask this way)."""
        user = self.find(username or "")
        if user is None:
            raise self.model.DoesNotExist
        return user

    def create_superuser(self, username: str, *args: Any, **fields: Any) -> "User":
        """An administrator made at the server's own command line: the address needs no proof."""
        fields.setdefault("email_verified_at", timezone.now())
        return super().create_superuser(username, *args, **fields)


class User(AbstractUser):
    """Somebody who can log in; staff keep the knowledge base, superusers administer."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    username = models.CharField(
        max_length=150,
        unique=True,
        validators=[
            RegexValidator(USERNAME_PATTERN, "Letters, digits and . + - _ only."),
            refuse_invisible,
        ],
        error_messages={"unique": "This username is taken."},
    )
    username_key = models.CharField(max_length=255, unique=True, editable=False)
    email = models.EmailField(max_length=254, validators=[refuse_unsound_domain])
    email_key = models.CharField(max_length=255, unique=True, editable=False)
    email_verified_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[AccountManager] = AccountManager()

    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    class Meta(AbstractUser.Meta):
        ordering = ("-date_joined",)
        indexes = [models.Index(fields=["-date_joined"], name="user_joined")]

    @property
    def role(self) -> str:
        """`admin`, `staff` or `user`."""
        return "admin" if self.is_superuser else "staff" if self.is_staff else "user"

    @property
    def email_verified(self) -> bool:
        """Whether the present address was proven."""
        return self.email_verified_at is not None

    def clean(self) -> None:
        """Also refuse another spelling of somebody else's name or address (forms ask this)."""
        super().clean()
        others = User.objects.exclude(pk=self.pk)
        taken = {
            "username": others.filter(username_key=username_key(self.username)),
            "email": others.filter(email_key=email_key(self.email)),
        }
        errors = {
            field: f"This {field} is taken." for field, rows in taken.items() if rows.exists()
        }
        if errors:
            raise ValidationError(errors)

    def save(
        self,
        *args: Any,
        update_fields: Iterable[str] | None = None,
        keep_family: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Save; a new password or a deactivation ends every family but `keep_family`.

        Here and not in a service, so that the admin and Django's commands cannot forget it.
        """
        self.username_key, self.email_key = username_key(self.username), email_key(self.email)
        new_password = self._password is not None  # type: ignore[attr-defined]  # Django's own sign
        ends = not self._state.adding and (new_password or not self.is_active)
        super().save(*args, update_fields=_with_keys(update_fields), **kwargs)
        if ends:
            reason = "password_changed" if new_password else "deactivated"
            self.token_families.live().revoke(reason, keep=keep_family)


def _with_keys(update_fields: Iterable[str] | None) -> Iterable[str] | None:
    if update_fields is None:
        return None
    names = set(update_fields)
    return names | {f"{name}_key" for name in ("username", "email") if name in names}
