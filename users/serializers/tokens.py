"""Log-in, refresh and their answers."""

from typing import Any

from rest_framework import serializers

from users.serializers.fields import PasswordField, StrictCharField
from users.serializers.profile import UserSerializer


class LoginForm(serializers.Serializer[Any]):
    """Either name, and the password."""

    username = StrictCharField(max_length=254, required=False)
    email = StrictCharField(max_length=254, required=False)
    password = PasswordField()
    cookie = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Put either name into `identifier`."""
        identifier = attrs.get("username") or attrs.get("email")
        if not identifier:
            raise serializers.ValidationError({"username": ["A username or an email is needed."]})
        return {**attrs, "identifier": identifier}


class LoginAnswer(serializers.Serializer[Any]):
    """Tokens in the body, or in cookies with the CSRF token here."""

    access = serializers.CharField(required=False)
    refresh = serializers.CharField(required=False)
    csrf_token = serializers.CharField(required=False)
    user = UserSerializer()


class RefreshForm(serializers.Serializer[Any]):
    """A refresh token; in cookie mode it is in the cookie."""

    refresh = StrictCharField(required=False, max_length=4_096)


class RefreshAnswer(serializers.Serializer[Any]):
    """The successors; in cookie mode they are in cookies, with the CSRF token here."""

    access = serializers.CharField(required=False)
    refresh = serializers.CharField(required=False)
    csrf_token = serializers.CharField(required=False)


class TokenForm(serializers.Serializer[Any]):
    """A token of either type."""

    token = StrictCharField(max_length=4_096)


class TokenAnswer(serializers.Serializer[Any]):
    """What a token that is good now is, and until when."""

    token_type = serializers.ChoiceField(choices=["access", "refresh"])
    expires_at = serializers.DateTimeField()


class LogoutForm(serializers.Serializer[Any]):
    """The refresh token of the device; without it, the caller's access token or cookies tell."""

    refresh = StrictCharField(required=False, max_length=4_096)
