"""A newcomer's way, over a real server on a fresh database with the shipped documents."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 120


class Server:
    """`manage.py serve`, as `make run` starts it, and a client for it."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            "PATH": os.environ["PATH"],
            "READ_DOT_ENV": "false",
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            "BACKUP_DIR": str(folder / "backups"),
            "PORT": str(self.port),
        }
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def wait(self) -> None:
        """Return with the first healthy answer."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/health/ready/", timeout=5).close()
            except OSError:
                continue
            return
        self.log.seek(0)
        raise AssertionError(self.log.read())

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """Status and body (JSON where it is) of one request."""
        request = urllib.request.Request(f"{self.url}{path}", method=method)
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=60) as answer:
                return answer.status, parse(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, parse(error.read())


def parse(body: bytes) -> Any:
    """JSON where it is JSON, else text."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a fresh database, with the shipped documents indexed."""
    server = Server(tmp_path_factory.mktemp("spine"))
    try:
        server.wait()
        yield server
    finally:
        server.process.terminate()
        server.process.wait(timeout=30)
        server.log.close()


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """The access token of a new account."""
    account = {"username": "grace", "email": "grace@example.org", "password": "Quiet-Copper-Moth-9"}
    assert server.call("POST", "/api/auth/register/", account)[0] == 201
    login = {"username": account["username"], "password": account["password"]}
    status, body = server.call("POST", "/api/auth/login/", login)
    assert status == 200
    return str(body["access"])


def ask(server: Server, token: str, question: str) -> dict[str, Any]:
    """The bot's message."""
    status, body = server.call("POST", "/api/chat/messages/", {"content": question}, token)
    assert status == 201, body
    return dict(body["bot_message"])


def test_readme_lines_work_as_they_stand(server: Server) -> None:
    (block,) = re.findall(
        r"## Talk to it\n\n```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    script = block.replace("http://127.0.0.1:8000", server.url)
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for expected in ('"username":"ada"', "15 minutes", "event: message.completed", '"results"'):
        assert expected in done.stdout
    assert "7 days" in streamed_text(done.stdout)  # The question leans on the one before it.
    assert "urn:docent:problem" not in done.stdout


def streamed_text(output: str) -> str:
    """The text that the `answer.delta` events in `output` add up to."""
    deltas = re.findall(r"^event: answer.delta\ndata: (.+)$", output, re.MULTILINE)
    return "".join(json.loads(data)["text"] for data in deltas)


@pytest.mark.parametrize("follow_up", ["And how long a refresh token?", "And a refresh token?"])
def test_follow_up_is_answered_from_what_it_leans_on(
    server: Server, token: str, follow_up: str
) -> None:
    first = ask(server, token, "How long does an access token live?")
    path = f"/api/chat/sessions/{first['session']}/messages/"
    status, body = server.call("POST", path, {"content": follow_up}, token)
    assert status == 201
    assert "7 days" in body["bot_message"]["metadata"]["citations"][0]["quote"]


def test_answer_quotes_a_shipped_document_to_the_letter(server: Server, token: str) -> None:
    message = ask(server, token, "How long does an access token live?")
    assert message["status"] == "complete"
    assert message["metadata"]["mode"] == "extractive"
    assert "15 minutes" in message["content"]
    sources = {source["ref"]: source for source in message["metadata"]["sources"]}
    assert message["metadata"]["citations"]
    assert sources[1]["heading_path"].startswith(f"{sources[1]['title']} > How long does an access")
    for citation in message["metadata"]["citations"]:
        document = sources[citation["ref"]]["document_id"]
        _, content = server.call("GET", f"/api/rag/documents/{document}/content/", token=token)
        start, end = citation["source_span"]
        assert content["content"][start:end] == citation["quote"]


def test_question_that_no_document_answers_is_declined(server: Server, token: str) -> None:
    message = ask(server, token, "Who won the football world cup in 1998?")
    assert message["content"].startswith("I don't have specific information about this topic")
    assert message["metadata"]["citations"] == []


def test_history_keeps_what_was_asked(server: Server, token: str) -> None:
    message = ask(server, token, "How do I make a backup?")
    _, page = server.call("GET", f"/api/chat/sessions/{message['session']}/messages/", token=token)
    assert [item["sender_type"] for item in page["results"]] == ["user", "bot"]
    assert page["results"][0]["content"] == "How do I make a backup?"


def test_stranger_gets_nowhere(server: Server) -> None:
    status, body = server.call("GET", "/api/chat/sessions/")
    assert (status, body["code"]) == (401, "not_authenticated")


def test_pages_of_a_fresh_start_answer(server: Server) -> None:
    pages = ("/", "/health/", "/api/docs/", "/api/redoc/", "/api/schema/", "/admin/login/")
    assert {page: server.call("GET", page)[0] for page in pages} == dict.fromkeys(pages, 200)
