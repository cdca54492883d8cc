"""docs/api-errors.md names every error code that the code has, and no other."""

import ast
import re
from pathlib import Path

from rest_framework import exceptions as drf

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("common", "users", "rag", "chat", "background_tasks")
# DRF's own codes that reach a client under their own name.
FROM_DRF = {
    drf.MethodNotAllowed.default_code,
    drf.NotAcceptable.default_code,
    drf.UnsupportedMediaType.default_code,
}
# Written where they are made: common.problems.
IN_PROBLEMS = {"server_error"}
# The same of answers that end without an error's class: chat.streams, chat.services.sweeps.
IN_ANSWERS = {"interrupted", "worker_lost", "not_saved", "deleted"}


def codes_in_code() -> set[str]:
    """The `code = "…"` of every class, and those that stand in no class."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    found |= codes_of(node)
    return found | FROM_DRF | IN_PROBLEMS | IN_ANSWERS


def codes_of(class_: ast.ClassDef) -> set[str]:
    """The value of the class attribute `code`, if it is a text written out."""
    return {
        statement.value.value
        for statement in class_.body
        if isinstance(statement, ast.Assign)
        and [getattr(target, "id", "") for target in statement.targets] == ["code"]
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    }


def codes_in_page() -> set[str]:
    """The first column of the page's tables."""
    page = (ROOT / "docs" / "api-errors.md").read_text()
    return set(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE))


def test_page_names_every_code() -> None:
    assert codes_in_code() - codes_in_page() == set()


def test_page_names_no_code_that_is_gone() -> None:
    assert codes_in_page() - codes_in_code() == set()
