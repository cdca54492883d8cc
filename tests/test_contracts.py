"""Every arrow of docs/architecture.md is held by a contract: each is crossed once, and caught."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("config", "background_tasks", "chat", "rag", "users", "common")

APPS = "Apps look down"
INSIDE_APP = "Inside an app"
INSIDE_RAG = "Inside rag"
NO_HTTP = "Services, selectors, models"
VENDORS = "Vendor SDKs"
REDIS = "Redis is opened"
SCHEDULER = "APScheduler is"

# (the contract's name, who imports, what it may not import)
PLANTED = [
    (APPS, "background_tasks.apps", "config.wsgi"),
    (APPS, "chat.apps", "background_tasks.apps"),
    (APPS, "rag.apps", "chat.apps"),
    (APPS, "users.apps", "chat.apps"),
    (APPS, "rag.apps", "users.apps"),
    (APPS, "users.apps", "rag.apps"),
    (APPS, "common.apps", "rag.apps"),
    (APPS, "common.apps", "users.apps"),
    (INSIDE_APP, "users.views", "users.urls"),
    (INSIDE_APP, "users.serializers", "users.views"),
    (INSIDE_APP, "users.services", "users.serializers"),
    (INSIDE_APP, "users.serializers", "users.services"),
    (INSIDE_APP, "chat.selectors", "chat.services"),
    (INSIDE_APP, "chat.models", "chat.selectors"),
    (INSIDE_APP, "chat.errors", "chat.models"),
    (INSIDE_APP, "background_tasks.models", "background_tasks.views"),
    (INSIDE_RAG, "rag.services", "rag.views"),
    (INSIDE_RAG, "rag.pipeline", "rag.services"),
    (INSIDE_RAG, "rag.pipeline", "rag.indexing"),
    (INSIDE_RAG, "rag.indexing", "rag.pipeline"),
    (INSIDE_RAG, "rag.retrieval", "rag.pipeline"),
    (INSIDE_RAG, "rag.prompts", "rag.retrieval"),
    (INSIDE_RAG, "rag.backends", "rag.retrieval"),
    (INSIDE_RAG, "rag.embedders.base", "rag.backends"),
    (INSIDE_RAG, "rag.generators.base", "rag.embedders.base"),
    (INSIDE_RAG, "rag.vector_stores.base", "rag.generators.base"),
    (INSIDE_RAG, "rag.vendors", "rag.embedders.base"),
    (INSIDE_RAG, "rag.types", "rag.vendors"),
    (INSIDE_RAG, "rag.errors", "rag.types"),
    (NO_HTTP, "users.services", "rest_framework"),
    (NO_HTTP, "chat.selectors", "rest_framework"),
    (NO_HTTP, "rag.models", "rest_framework"),
    (NO_HTTP, "rag.pipeline", "rest_framework"),
    (NO_HTTP, "rag.retrieval", "rest_framework"),
    (NO_HTTP, "rag.types", "rest_framework"),
    (VENDORS, "rag.services", "mistralai"),
    (VENDORS, "rag.vector_stores.base", "pinecone"),
    (VENDORS, "chat.services", "openai"),
    (VENDORS, "rag.embedders.base", "tokenizers"),
    (REDIS, "chat.services", "redis"),
    (REDIS, "users.services", "fakeredis"),
    (SCHEDULER, "chat.services", "apscheduler"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What lint-imports says of a copy of the tree in which all of them are planted."""
    tree = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tree / package, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tree)
    for _, importer, imported in PLANTED:
        plant(tree, importer, imported)
    done = lint(tree)
    assert done.returncode == 1
    return done.stdout


def plant(tree: Path, importer: str, imported: str) -> None:
    """Append the import to the module (both are made when they do not exist yet)."""
    if imported.partition(".")[0] in PACKAGES:
        module_file(tree, imported).touch()
    with module_file(tree, importer).open("a") as module:
        module.write(f"\nimport {imported}\n")


def module_file(tree: Path, name: str) -> Path:
    """Where the module or package `name` stands in `tree`."""
    path = tree / name.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run lint-imports over `tree`."""
    script = "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())"
    return subprocess.run(
        [sys.executable, "-c", script, "--no-logo", "--no-cache"],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "COLUMNS": "300", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def section(report: str, contract: str) -> str:
    """The part of the report that tells how `contract` is broken."""
    details = report.partition("Broken contracts")[2]
    parts = re.split(r"\n([^\n]+)\n-{3,}\n", details)
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        if title.startswith(contract):
            return body
    raise AssertionError(f"{contract!r} is not among the broken contracts")


@pytest.mark.parametrize(("contract", "importer", "imported"), PLANTED)
def test_planted_import_is_caught(report: str, contract: str, importer: str, imported: str) -> None:
    assert f"{importer} -> {imported} (l." in section(report, contract)


def test_every_contract_has_a_planted_violation() -> None:
    names = re.findall(r'^name = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    contracts = [name for name in names if name != "docent"]
    assert all(any(name.startswith(planted) for planted, *_ in PLANTED) for name in contracts)


def test_tree_as_it_stands_keeps_every_contract() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
