"""The schema as it stands in the repository: complete, current, and true to its examples."""

import importlib.util
from types import ModuleType

import pytest

from tests.openapi.reading import ROOT, check, examples, named, operations


def load_script() -> ModuleType:
    """scripts/schema.py."""
    spec = importlib.util.spec_from_file_location("schema_script", ROOT / "scripts" / "schema.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ANSWERS = [
    (f"{named(operation)} {status}", content["schema"], example)
    for operation in operations()
    for status, response in operation[2]["responses"].items()
    for media, content in response.get("content", {}).items()
    if media.endswith("json")
    for example in examples(content)
]
BODIES = [
    (named(operation), content["schema"], example)
    for operation in operations()
    for media, content in operation[2].get("requestBody", {}).get("content", {}).items()
    if media == "application/json"
    for example in examples(content)
]


@pytest.mark.parametrize(("name", "schema", "example"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_example_of_an_answer_is_what_the_schema_says(name, schema, example) -> None:
    check(example, schema)


@pytest.mark.parametrize(("name", "schema", "example"), BODIES, ids=[row[0] for row in BODIES])
def test_example_of_a_body_is_what_the_schema_says(name, schema, example) -> None:
    check(example, schema)


@pytest.mark.parametrize("operation", operations(), ids=named)
def test_operation_has_summary_tag_and_who_may_call_it(operation) -> None:
    _, _, described = operation
    assert described.get("summary")
    assert described.get("tags")
    assert "security" in described


@pytest.mark.parametrize("operation", operations(), ids=named)
def test_operation_with_a_body_has_an_example_of_it(operation) -> None:
    contents = operation[2].get("requestBody", {}).get("content", {})
    if "application/json" in contents:
        assert examples(contents["application/json"])


@pytest.mark.parametrize("operation", operations(), ids=named)
def test_operation_that_answers_with_json_has_an_example_of_it(operation) -> None:
    for status, response in operation[2]["responses"].items():
        content = response.get("content", {}).get("application/json")
        if content and status.startswith("2"):
            assert examples(content), status


def test_schema_in_the_repository_is_the_codes_own() -> None:
    assert load_script().generate() == (ROOT / "docs" / "openapi.yaml").read_text(), (
        "run `make schema`, and name the change in CHANGELOG.md"
    )


def test_changed_schema_wants_to_be_named_in_the_changelog(tmp_path, monkeypatch) -> None:
    script = load_script()
    monkeypatch.setattr(script, "SCHEMA", tmp_path / "openapi.yaml")
    monkeypatch.setattr(script, "CHANGELOG", tmp_path / "CHANGELOG.md")
    script.SCHEMA.write_text("openapi: 3.0.3\n")
    script.CHANGELOG.write_text("- The first.\n")
    complaint = script.complaint("openapi: 3.0.3\n")
    assert "Say what changed in CHANGELOG.md" in complaint
    script.CHANGELOG.write_text(complaint)
    assert script.complaint("openapi: 3.0.3\n") is None


def test_stale_schema_is_found() -> None:
    assert "is not current" in load_script().complaint("openapi: something else\n")
