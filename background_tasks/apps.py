"""The app of scheduled work."""

from django.apps import AppConfig


class BackgroundTasksConfig(AppConfig):
    """The schedule, its ledger and the backups."""

    name = "background_tasks"
    verbose_name = "Background tasks"

    def ready(self) -> None:
        """Register the system checks and the erasure list; nothing is started here."""
        from background_tasks import checks  # noqa: F401 (registers itself)
        from background_tasks.backups.erased import note_erasure
        from common.erasure import register_eraser

        register_eraser("background_tasks.backups", note_erasure)
