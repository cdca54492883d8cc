"""`.env.example` names every variable that the settings read, with its default."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENTRY = re.compile(r"^# (?P<line>.+)\n#(?P<name>[A-Z][A-Z0-9_]*)=(?P<default>.*)$", re.MULTILINE)


def read_by_settings() -> dict[str, set[str]]:
    """Each variable's defaults (as text) where they are written out, from the settings' code."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "config" / "settings").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if is_read(node):
                name = ast.literal_eval(node.args[0])
                found.setdefault(name, set()).update(written_default(node))
            for name in passed_on(node):
                found.setdefault(name, set())
    return found


def passed_on(node: ast.AST) -> list[str]:
    """The variables that `node` hands to a function of ours: `choose(env, "NAME", …)`."""
    if not isinstance(node, ast.Call) or not node.args:
        return []
    first, *others = node.args
    if not (isinstance(first, ast.Name) and first.id == "env"):
        return []
    texts = [arg.value for arg in others if isinstance(arg, ast.Constant)]
    return [text for text in texts if re.fullmatch(r"RAG_[A-Z_]+", str(text))]


def is_read(node: ast.AST) -> bool:
    """Whether `node` is `env.<type>("NAME", …)`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
    )


def written_default(node: ast.Call) -> list[str]:
    """The default as `.env` would write it; [] where it is computed."""
    try:
        value = ast.literal_eval(node.args[1])
    except (ValueError, IndexError):
        return []
    if isinstance(value, bool):
        return [str(value).lower()]
    return [",".join(value)] if isinstance(value, list) else [str(value)]


def in_example() -> dict[str, str]:
    """Name and default of every entry; an entry has one line of words before it."""
    text = (ROOT / ".env.example").read_text()
    return {match["name"]: match["default"] for match in ENTRY.finditer(text)}


# Read where they are used, by a library's own convention, or by a name made from a number.
NUMBERED = {f"FALLBACK_1_{name}" for name in ("BASE_URL", "API_KEY", "MODEL", "NAME")}
# gunicorn's and Docker Compose's own files read these.
DEPLOYED = {"THREADS", "POSTGRES_PASSWORD", "SERVER_NAME"}
ELSEWHERE = {"PROMETHEUS_MULTIPROC_DIR", *NUMBERED, *DEPLOYED}


def test_example_names_exactly_what_the_settings_read() -> None:
    assert set(in_example()) - ELSEWHERE == set(read_by_settings())


def test_every_assignment_has_its_line_of_words() -> None:
    text = (ROOT / ".env.example").read_text()
    assert len(re.findall(r"^#[A-Z][A-Z0-9_]*=", text, re.MULTILINE)) == len(in_example())


@pytest.mark.parametrize(
    ("name", "defaults"), [item for item in read_by_settings().items() if item[1]]
)
def test_default_is_the_settings_own(name: str, defaults: set[str]) -> None:
    assert in_example()[name] in defaults
