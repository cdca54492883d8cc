"""JSON in and out: strict in what is read, fast in what is written."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from common.errors import Malformed, TooLarge

CHUNK_BYTES = 65_536


class JSONParser(BaseParser):
    """Reads one JSON object: UTF-8, limited in bytes and depth, no NUL, no lone surrogate."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return parse_object(read_limited(stream, settings.REQUEST_MAX_JSON_BYTES))


def read_limited(stream: IO[bytes], limit: int) -> bytes:
    """All bytes of `stream`; TooLarge as soon as there are more than `limit`."""
    parts: list[bytes] = []
    size = 0
    while part := stream.read(CHUNK_BYTES):
        size += len(part)
        if size > limit:
            raise TooLarge(f"The body may have at most {limit} bytes.")
        parts.append(part)
    return b"".join(parts)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` holds ({} for none); Malformed for anything else."""
    if not body.strip():
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed("The body is not valid JSON in UTF-8.") from error
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.")
    _check(value, settings.REQUEST_MAX_JSON_DEPTH)
    return value


def _check(value: dict[str, Any], depth_limit: int) -> None:
    pending: list[tuple[Any, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > depth_limit:
            raise Malformed(f"The body is nested deeper than {depth_limit} levels.")
        if isinstance(item, dict):
            pending.extend((key, depth) for key in item)
            pending.extend((inner, depth + 1) for inner in item.values())
        elif isinstance(item, list):
            pending.extend((inner, depth + 1) for inner in item)
        elif isinstance(item, str) and "\0" in item:
            raise Malformed("The body holds a NUL character.")
        elif isinstance(item, float) and item - item != 0:
            raise Malformed("The body holds a number that is out of range.")


class JSONRenderer(BaseRenderer):
    """Writes JSON with orjson: datetimes in UTC with Z, UUIDs as text."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else to_json(data)


def to_json(data: Any) -> bytes:
    """`data` as UTF-8 JSON."""
    return orjson.dumps(data, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    # DRF hands out subclasses (ReturnDict, ErrorDetail) and lazy strings.
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    return str(value)
