"""What the OpenAPI schema says beyond what the views say themselves."""

from typing import Any

from common import errors
from common.problems import CONTENT_TYPE, describe

METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
PROBLEM = {
    "type": "object",
    "description": "An error, in the one shape that all have (RFC 9457). `code` is stable.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "For each field that is not valid, the reasons.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "retry_after": {"type": "integer", "description": "Seconds to wait."},
    },
}
# The problems that any operation of a kind may answer with: name, an error, what it means.
COMMON: dict[str, tuple[errors.ApplicationError, str]] = {
    "Invalid": (
        errors.Invalid("Some fields are not valid.", errors={"field": ["What is wrong with it."]}),
        "The request cannot be read, or a field is not valid.",
    ),
    "NotAuthenticated": (errors.Unauthenticated(), "No token, or one that does not hold."),
    "NotFound": (errors.NotFound(), "There is no such thing, as far as the caller may know."),
    "TooManyRequests": (errors.RateLimited(retry_after=30), "Too many requests."),
    "Unavailable": (errors.Unavailable(), "Something this needs is not working now."),
}


def add_problem_responses(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Name the problems that each operation may answer with, each with an example."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["responses"] = {name: _response(*entry) for name, entry in COMMON.items()}
    for path in result.get("paths", {}).values():
        for method, operation in path.items():
            if method in METHODS:
                _add_to(operation, path.get("parameters", []))
    return result


def _response(error: errors.ApplicationError, description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    _, body, _ = describe(error)
    return {
        "description": description,
        "content": {CONTENT_TYPE: {"schema": schema, "example": body}},
    }


def _add_to(operation: dict[str, Any], shared: list[dict[str, Any]]) -> None:
    # Said outright: without it the generators of clients guess.
    operation.setdefault("security", [{}])
    places = {parameter["in"] for parameter in [*operation.get("parameters", []), *shared]}
    names = {"429": "TooManyRequests", "503": "Unavailable"}
    if "requestBody" in operation or "query" in places:
        names["400"] = "Invalid"
    if {} not in operation["security"]:
        names["401"] = "NotAuthenticated"
    if "path" in places:
        names["404"] = "NotFound"
    responses = operation["responses"]
    for status, name in sorted(names.items()):
        responses.setdefault(status, {"$ref": f"#/components/responses/{name}"})
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses.setdefault("default", {"description": "Another problem.", "content": content})
