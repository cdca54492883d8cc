"""What `manage.py check` says about accounts."""

from typing import Any

from django.conf import settings
from django.core import checks

from common.keys import weak_keys


@checks.register(checks.Tags.security)
def check_keys(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """An error for each key outside DEBUG that is short, simple or a default."""
    if settings.DEBUG:
        return []
    return [
        checks.Error(
            f"{name} must not sign tokens: {reason}.",
            hint='python -c "import secrets; print(secrets.token_urlsafe(48))"',
            id="users.E001",
        )
        for name, reason in weak_keys().items()
    ]


@checks.register()
def check_verification(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """An error for a value of EMAIL_VERIFICATION that would verify nothing by mistake."""
    if settings.EMAIL_VERIFICATION in ("mandatory", "optional"):
        return []
    return [checks.Error("EMAIL_VERIFICATION must be `mandatory` or `optional`.", id="users.E002")]


@checks.register(checks.Tags.security, deploy=True)
def check_public_url(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """A warning when the links in mails would carry their tokens in clear."""
    if settings.PUBLIC_URL.startswith("https://"):
        return []
    return [checks.Warning("PUBLIC_URL should begin with https://.", id="users.W001")]
