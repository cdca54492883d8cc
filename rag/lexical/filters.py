"""The conditions that keep a lexical query to what its viewer may see, as SQL."""

import json
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import UUIDField

from rag.types import Filters

NOBODY = UUID(int=0)
_USER_ID: Any = UUIDField()

# The document d and the chunk c are in every query that uses this.
_BASE = "d.current_version_id = c.version_id AND NOT d.hidden"


def visible_sql(filters: Filters) -> tuple[str, list[Any]]:
    """A condition over the document `d` and the chunk `c`, and its parameters."""
    # Both conditions for a viewer without a name too: with the first alone SQLite walks all
    # public documents by their index instead of looking up the few chunks by key.
    parts = [_BASE, "(d.visibility = 'public' OR d.owner_id = %s)"]
    values: list[Any] = [_USER_ID.get_db_prep_value(filters.viewer.user_id or NOBODY, connection)]
    if filters.category is not None:
        parts.append("d.category = %s")
        values.append(filters.category)
    for key, value in filters.metadata.items():
        condition, parameters = _metadata_sql(key, value)
        parts.append(condition)
        values.extend(parameters)
    return " AND ".join(parts), values


def _metadata_sql(key: str, value: Any) -> tuple[str, list[Any]]:
    if connection.vendor == "postgresql":
        return "d.metadata @> %s::jsonb", [json.dumps({key: value})]
    # Compared as JSON, so that 1 is not "1" and true is not 1.
    path = "$." + json.dumps(key)
    return (
        (
            "json_type(d.metadata, %s) = json_type(%s, '$') "
            "AND json_extract(d.metadata, %s) = json_extract(%s, '$')"
        ),
        [path, json.dumps(value), path, json.dumps(value)],
    )
