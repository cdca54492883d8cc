"""The bottom layer: what every app stands on."""

from django.apps import AppConfig
from django.conf import settings

from common.lean import import_lean

# Before any model or view asks for them in full.
import_lean()


class CommonConfig(AppConfig):
    """Errors, requests, Redis, throttles, idempotency, health."""

    name = "common"

    def ready(self) -> None:
        """Switch on error reports where a DSN is set; nothing is loaded for them otherwise."""
        if settings.SENTRY_DSN:
            from common.sentry import start_sentry

            start_sentry(settings.SENTRY_DSN)
