"""Registration and its answer."""

from typing import Any

from rest_framework import serializers

from users.serializers.fields import AddressField, PasswordField, UsernameField


class RegistrationForm(serializers.Serializer[Any]):
    """A new account; anything else in the body is not looked at."""

    username = UsernameField()
    email = AddressField()
    password = PasswordField()


class RegistrationAnswer(serializers.Serializer[Any]):
    """What is told of a new account."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    email = serializers.CharField()
    date_joined = serializers.DateTimeField()
