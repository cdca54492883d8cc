"""Which tables a backup holds, and which it leaves out and why."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.apps.registry import Apps
from django.core.management import call_command
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from background_tasks.backups.rows import Model
from background_tasks.errors import BackupError

LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        "sessions.session": "log-ins to the admin; they are made anew",
        "users.tokenfamily": "a log-in that was ended since must not come back to life",
        "users.onetimelink": "a link that was spent since must not work again",
        "users.outgoingmail": "mail that has been sent since must not be sent again",
        "common.idempotencyrecord": "kept for hours only",
        "background_tasks.taskrun": "what this installation ran, not what it holds",
        "background_tasks.taskstate": "what this installation ran, not what it holds",
    }
)
# What `migrate` itself puts into an empty database; a restore replaces it.
SEEDED = frozenset({"contenttypes.contenttype", "auth.permission", "rag.indexcounter"})

Migrations = dict[str, list[str]]


def applied_migrations(using: str) -> Migrations:
    """The migrations that a database has, by app, in their order."""
    loader = MigrationLoader(connections[using])
    found: Migrations = {}
    for app, name in sorted(loader.applied_migrations):
        if (app, name) in loader.graph.nodes:
            found.setdefault(app, []).append(name)
    return found


def make_tables(migrations: Migrations) -> None:
    """Bring a database without tables to where `migrations` stood, and no further."""
    nodes = {(app, name) for app, names in migrations.items() for name in names}
    if nodes >= MigrationLoader(None).graph.nodes.keys():
        call_command("migrate", verbosity=0, interactive=False)
        return
    for app, names in migrations.items():
        call_command("migrate", app, names[-1], verbosity=0, interactive=False)


def models_at(migrations: Migrations) -> dict[str, Model]:
    """The models as they were after `migrations`, by label, in a fixed order.

    A backup is read with the models of its own time, so that newer code can restore it. Raises
    BackupError for a migration that this code does not have.
    """
    loader = MigrationLoader(None)
    nodes = [(app, name) for app, names in migrations.items() for name in names]
    for node in nodes:
        if node not in loader.graph.nodes:
            raise BackupError(
                f"The backup was made by a version with the migration {node[0]}.{node[1]}, "
                "which this version does not know. Restore it with that version or a newer one."
            )
    registry: Apps = loader.project_state(nodes).apps
    models = registry.get_models(include_auto_created=True)
    return {model._meta.label_lower: _frozen(model) for model in _ordered(models)}  # noqa: SLF001


def stored(models: Mapping[str, Model]) -> dict[str, Model]:
    """Those of `models` that belong in a backup."""
    return {label: model for label, model in models.items() if label not in LEFT_OUT}


def _ordered(models: Any) -> list[Model]:
    managed = [model for model in models if model._meta.managed and not model._meta.proxy]  # noqa: SLF001
    return sorted(managed, key=lambda model: str(model._meta.label_lower))  # noqa: SLF001


def _frozen(model: Model) -> Model:
    # These models are copies of their own: their times must be restored, not set to now.
    for field in model._meta.concrete_fields:  # noqa: SLF001
        for attribute in ("auto_now", "auto_now_add"):
            if getattr(field, attribute, False):
                setattr(field, attribute, False)
    return model
