"""The app of accounts and tokens."""

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from common.keys import weak_keys


class UsersConfig(AppConfig):
    """Users, their devices and their tokens."""

    name = "users"

    def ready(self) -> None:
        """Refuse to start with a key that anybody could guess; checks alone stop no server."""
        from users import checks, schema  # noqa: F401 (both register what they define)

        if not settings.DEBUG and (weak := weak_keys()):
            reasons = "; ".join(f"{name}: {reason}" for name, reason in weak.items())
            raise ImproperlyConfigured(f"Outside DEBUG the keys must be strong. {reasons}")
