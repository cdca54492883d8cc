"""docs/openapi.yaml, read for the tests: its operations, its examples, and what they must be."""

import copy
from pathlib import Path
from typing import Any

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
METHODS = ("get", "post", "put", "patch", "delete")


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """(METHOD, path, operation) of every operation."""
    return [
        (method.upper(), path, item[method])
        for path, item in SCHEMA["paths"].items()
        for method in METHODS
        if method in item
    ]


def named(operation: tuple[str, str, dict[str, Any]]) -> str:
    """What a test calls an operation."""
    return f"{operation[0]} {operation[1]}"


def plain(schema: Any) -> Any:
    """An OpenAPI 3.0 schema as JSON Schema: `nullable` said in its way."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {key: plain(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [rest, {"type": "null"}]} if schema.get("nullable") else rest


COMPONENTS = plain(copy.deepcopy(SCHEMA["components"]))


def check(value: Any, schema: dict[str, Any]) -> None:
    """Assert that `value` is what `schema` says."""
    whole = {"components": COMPONENTS, **plain(schema)}
    jsonschema.Draft202012Validator(whole).validate(value)


def examples(content: dict[str, Any]) -> list[Any]:
    """The examples of a media type."""
    found = [example["value"] for example in content.get("examples", {}).values()]
    return [*found, content["example"]] if "example" in content else found
