"""Fields that several forms share."""

import unicodedata
from typing import Any

from rest_framework import serializers

from users.models.users import USERNAME_PATTERN, refuse_invisible, refuse_unsound_domain

MAX_PASSWORD_CHARS = 256
MAX_TOKEN_CHARS = 128  # of the one-time tokens in mails


class PasswordField(serializers.CharField):
    """A password as it was typed: no blank is trimmed, and it is never in an answer."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs |= {"trim_whitespace": False, "write_only": True}
        kwargs.setdefault("max_length", MAX_PASSWORD_CHARS)
        kwargs.setdefault("style", {"input_type": "password"})
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Text alone: a number is not a password."""
        return super().to_internal_value(_text(self, data))


class StrictCharField(serializers.CharField):
    """Text alone, where DRF would also take numbers."""

    def to_internal_value(self, data: Any) -> str:
        """The text."""
        return super().to_internal_value(_text(self, data))


class AddressField(serializers.EmailField):
    """An e-mail address."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 254)
        super().__init__(**kwargs)
        self.validators.append(refuse_unsound_domain)

    def to_internal_value(self, data: Any) -> str:
        """The address, as text."""
        return super().to_internal_value(_text(self, data))


class UsernameField(serializers.RegexField):
    """A new username, in the one Unicode form that is stored."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 150)
        kwargs.setdefault("min_length", 3)
        kwargs.setdefault("error_messages", {"invalid": "Letters, digits and . + - _ only."})
        super().__init__(USERNAME_PATTERN, **kwargs)
        self.validators.append(refuse_invisible)

    def to_internal_value(self, data: Any) -> str:
        """The name, normalised (NFKC)."""
        return unicodedata.normalize("NFKC", super().to_internal_value(_text(self, data)))


def _text(field: serializers.CharField, data: Any) -> str:
    if not isinstance(data, str):
        field.fail("invalid")
    return data
