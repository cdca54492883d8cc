"""Passwords."""

from typing import Any

from rest_framework import serializers

from users.serializers.fields import (
    MAX_TOKEN_CHARS,
    AddressField,
    PasswordField,
    StrictCharField,
)


class PasswordChangeForm(serializers.Serializer[Any]):
    """The old password as proof, and the new one."""

    old_password = PasswordField()
    new_password = PasswordField()


class PasswordResetForm(serializers.Serializer[Any]):
    """Whose password was forgotten."""

    email = AddressField()


class PasswordResetConfirmForm(serializers.Serializer[Any]):
    """The two parts of the link in the mail, and the new password."""

    uid = serializers.UUIDField()
    token = StrictCharField(max_length=MAX_TOKEN_CHARS)
    new_password = PasswordField()
