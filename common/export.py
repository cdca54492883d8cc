"""What is handed out to a user who asks for everything: apps register an exporter each."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

Exporter = Callable[[UUID], Any]

_exporters: dict[str, Exporter] = {}


def register_exporter(name: str, exporter: Exporter) -> None:
    """Have `exporter(user_id)`, something JSON can hold, stand under `name` in the export.

    Call this in `AppConfig.ready`.
    """
    _exporters[name] = exporter


def export_everything(user_id: UUID) -> dict[str, Any]:
    """What every app holds of the user, by the names they registered under."""
    return {name: exporter(user_id) for name, exporter in sorted(_exporters.items())}
