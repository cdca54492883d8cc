"""Clients generated from docs/openapi.yaml compile, and hold a conversation with a real server."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.factories import make_document

HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent.parent / "docs" / "openapi.yaml"
HERONS = "# Herons\n\nThe grey heron builds its nest of twigs in tall trees near water.\n"
QUESTION = "Where does the grey heron build its nest?"

pytestmark = pytest.mark.django_db(transaction=True)


def run(*command: str, folder: Path) -> str:
    """What `command` printed; fails with what it said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def python_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name under which the generated package can be imported."""
    pytest.importorskip("openapi_python_client", reason="requirements/local.txt is not installed")
    generator = [sys.executable, "-m", "openapi_python_client", "generate", "--meta=none"]
    said = run(
        *generator, f"--path={SCHEMA}", f"--output-path={tmp_path}/docent_client", folder=tmp_path
    )
    assert "WARNING" not in said
    monkeypatch.syspath_prepend(str(tmp_path))
    return "docent_client"


def test_python_client_holds_a_conversation(python_client: str, live_server: Any) -> None:
    make_document(HERONS, title="Herons")

    def part(path: str) -> Any:
        return importlib.import_module(f"{python_client}.{path}")

    models, package = part("models"), importlib.import_module(python_client)
    with package.Client(base_url=live_server.url) as client:
        password = "Tall-Green-Kettle-58"
        body = models.RegistrationFormRequest("tess", "tess@example.org", password)
        part("api.accounts.auth_register_create").sync(client=client, body=body)
        login = models.LoginFormRequest(username="tess", password=password)
        tokens = part("api.accounts.auth_login_create").sync(client=client, body=login)
    with package.AuthenticatedClient(base_url=live_server.url, token=tokens.access) as client:
        question = models.DirectMessageFormRequest(content=QUESTION)
        exchange = part("api.chat.send_message_anywhere").sync(client=client, body=question)
        assert "in tall trees near water" in exchange.bot_message.content
        problem = part("api.chat.get_message").sync(client=client, message_id=UUID(int=7))
        assert (problem.status, problem.code) == (404, "message_not_found")


@pytest.mark.skipif(
    shutil.which("npx") is None or not (HERE / "node_modules").is_dir(),
    reason="the TypeScript tools are not installed: make clients",
)
def test_typescript_client_compiles_and_holds_a_conversation(tmp_path, live_server) -> None:
    make_document(HERONS, title="Herons")
    for name in ("flow.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    options = ("--default-non-nullable=false", "-o", "schema.d.ts")
    run("npx", "openapi-typescript", str(SCHEMA), *options, folder=tmp_path)
    run("npx", "tsc", folder=tmp_path)
    said = run("node", "flow.js", live_server.url, folder=tmp_path)
    assert said.startswith("complete ")
    assert "in tall trees near water" in said
