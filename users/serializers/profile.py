"""What is told of an account."""

from rest_framework import serializers

from users.models import TokenFamily, User
from users.serializers.fields import PasswordField, StrictCharField, UsernameField


class UserSerializer(serializers.ModelSerializer[User]):
    """An account as its owner sees it."""

    role = serializers.ChoiceField(choices=["user", "staff", "admin"], read_only=True)
    email_verified = serializers.BooleanField(read_only=True)

    class Meta:
        model = User
        fields = (
            "id",
            "username",
            "email",
            "email_verified",
            "first_name",
            "last_name",
            "role",
            "date_joined",
        )
        read_only_fields = fields


class ProfileForm(serializers.Serializer[User]):
    """What an owner may change of a profile; anything else in the body is not looked at."""

    username = UsernameField(required=False)
    first_name = StrictCharField(max_length=150, required=False, allow_blank=True)
    last_name = StrictCharField(max_length=150, required=False, allow_blank=True)


class AccountDeletionForm(serializers.Serializer[User]):
    """The proof that the owner asks."""

    password = PasswordField()


class DeviceSerializer(serializers.ModelSerializer[TokenFamily]):
    """A device: a log-in and what came of it."""

    current = serializers.SerializerMethodField()

    class Meta:
        model = TokenFamily
        fields = ("id", "created_at", "last_used_at", "user_agent", "address", "current")
        read_only_fields = fields

    def get_current(self, family: TokenFamily) -> bool:
        """Whether the request came from this device."""
        return bool(family.pk == self.context["family_id"])


class DevicePage(serializers.Serializer[TokenFamily]):
    """A page of devices."""

    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = DeviceSerializer(many=True)


class ExportAnswer(serializers.Serializer[User]):
    """Everything stored about an account; other parts of the product add theirs by name."""

    exported_at = serializers.DateTimeField()
    account = serializers.DictField()
    devices = serializers.ListField(child=serializers.DictField())
    security_events = serializers.ListField(child=serializers.DictField())
