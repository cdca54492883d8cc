"""Addresses."""

from typing import Any

from rest_framework import serializers

from users.serializers.fields import (
    MAX_TOKEN_CHARS,
    AddressField,
    PasswordField,
    StrictCharField,
)


class EmailTokenForm(serializers.Serializer[Any]):
    """The token in the mail's link."""

    token = StrictCharField(max_length=MAX_TOKEN_CHARS)


class ResendForm(serializers.Serializer[Any]):
    """Which address is to be verified."""

    email = AddressField()


class EmailChangeForm(serializers.Serializer[Any]):
    """The new address, and the password as proof."""

    new_email = AddressField()
    password = PasswordField()


class EmailStateAnswer(serializers.Serializer[Any]):
    """The address and whether it is proven."""

    email = serializers.CharField()
    email_verified = serializers.BooleanField()
