"""Rows as lines of text that are the same on every database engine.

A line is a JSON array of a row's values in the order of its table's fields: times in UTC with
microseconds, UUIDs and decimals as text, bytes (vectors too) in base64, JSON with sorted keys.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connections, models
from django.db.models.functions import Collate
from django.utils.duration import duration_iso_string

ROWS_AT_ONCE = 50

Model = type[models.Model]


def stored_fields(model: Model) -> list[Any]:
    """The fields of a row, those that the database computes left out."""
    return [field for field in model._meta.concrete_fields if not field.generated]  # noqa: SLF001


def read_lines(model: Model, using: str) -> Iterator[bytes]:
    """All rows of a table as lines, in the order of their keys; memory stays flat."""
    fields = stored_fields(model)
    key = model._meta.pk  # noqa: SLF001
    order: Any = key.attname
    if isinstance(key, models.CharField) and connections[using].vendor == "postgresql":
        # The server's own collation would order texts in another way than SQLite does.
        order = Collate(key.attname, "C")
    rows = model._base_manager.using(using).order_by(order)  # noqa: SLF001
    for row in rows.values_list(*(field.attname for field in fields)).iterator(ROWS_AT_ONCE):
        yield encode(row)


def encode(row: Sequence[Any]) -> bytes:
    """A row as a line."""
    return json.dumps([_plain(value) for value in row], separators=(",", ":")).encode() + b"\n"


def decode(fields: Sequence[Any], line: bytes) -> dict[str, Any]:
    """A line as the values of a row, by attribute name."""
    values = json.loads(line)
    return {
        field.attname: value if isinstance(field, models.JSONField) else field.to_python(value)
        for field, value in zip(fields, values, strict=True)
    }


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return _number(value)
        case UUID() | Decimal() | time():
            return str(value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case timedelta():
            return duration_iso_string(value)
        case bytes() | memoryview():
            return base64.b64encode(value).decode()
        case dict():
            return {key: _plain(value[key]) for key in sorted(value)}
        case list() | tuple():
            return [_plain(item) for item in value]
    raise TypeError(f"no portable form of {type(value).__name__}")


def _number(value: float) -> float | int:
    # PostgreSQL gives 1e16 in JSON back as an integer: one form for both.
    return int(value) if value.is_integer() else value
