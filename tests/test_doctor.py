"""`manage.py doctor`, and settings that are refused at start."""

import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from common.health import check_health, reset_health
from common.loop import run
from common.models import IdempotencyRecord
from rag.backends import get_embedder, get_vector_store
from rag.errors import ProviderError
from tests.providers import LIMITS, served
from tests.stand_ins.faults import ALWAYS
from tests.stand_ins.mistral import MistralStandIn
from tests.stand_ins.pinecone import PineconeStandIn
from tests.stand_ins.server import free_port

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parent.parent


def examine(*names: str) -> tuple[str, bool]:
    """What the doctor prints, and whether it found everything in order."""
    said = StringIO()
    try:
        call_command("doctor", *names, stdout=said, no_color=True)
    except CommandError as error:
        return f"{said.getvalue()}{error}", False
    return said.getvalue(), True


@pytest.fixture
def mistral(settings: Any) -> Iterator[MistralStandIn]:
    with served(MistralStandIn()) as app:
        options = {"api_key": "key", "server_url": app.url}
        model = {
            "BACKEND": "rag.generators.mistral.MistralGenerator",
            "OPTIONS": {**options, "limits": LIMITS},
        }
        quoting = {"BACKEND": "rag.generators.extractive.ExtractiveGenerator", "OPTIONS": {}}
        chain = "rag.generators.chain.ChainGenerator"
        settings.RAG = {
            **settings.RAG,
            "EMBEDDER": {
                "BACKEND": "rag.embedders.mistral.MistralEmbedder",
                "OPTIONS": {**options, "seconds": 1.0, "total_seconds": 2.0},
            },
            "GENERATOR": {"BACKEND": chain, "OPTIONS": {"rungs": [model, quoting]}},
        }
        yield app


@pytest.fixture
def mail_server() -> Iterator[int]:
    """An SMTP server that says hello and goodbye; its port."""

    class Greeting(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 ready\r\n")
            for line in self.rfile:
                self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 ok\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class TestDoctor:
    def test_product_without_keys_is_in_order(self):
        said, healthy = examine()
        assert healthy, said
        lines = said.splitlines()
        names = ["database", "redis", "mail", "embedder", "vector store", "generator"]
        assert [line[9:21].strip() for line in lines] == names
        assert all(line.startswith("ok ") and " ms " in line for line in lines)

    def test_writing_leaves_nothing_behind(self):
        examine("database")
        assert not IdempotencyRecord.objects.exists()

    def test_services_are_really_asked(self, mistral):
        said, healthy = examine("embedder", "generator")
        assert healthy, said
        assert "mistral ok" in said
        assert set(mistral.requests) == {"POST /v1/embeddings", "POST /v1/chat/completions"}

    def test_service_that_is_down_has_a_line_of_advice_and_fails(self, mistral):
        mistral.faults.add("status", times=ALWAYS, status=401)
        said, healthy = examine("database", "embedder", "generator")
        assert not healthy
        assert "down     embedder" in said
        assert "provider_rejected" in said
        assert "MISTRAL_" in said
        assert said.endswith("Down: embedder, generator.")
        assert "secret" not in said

    def test_missing_index_names_the_command_that_makes_it(self, mistral, settings):
        with served(PineconeStandIn()) as app:
            options = {"api_key": "key", "control_host": app.url}
            path = "rag.vector_stores.pinecone.PineconeVectorStore"
            store = {"BACKEND": path, "OPTIONS": options}
            settings.RAG = {**settings.RAG, "VECTOR_STORE": store}
            said, healthy = examine("vector store")
            assert not healthy
            assert "create_index" in said
            call_command("create_index", stdout=StringIO())
            assert examine("vector store")[1]
            assert type(get_vector_store()).__name__ in examine("vector store")[0]

    def test_mail_server_is_greeted(self, settings, mail_server):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_USE_TLS = False
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_server
        said, healthy = examine("mail")
        assert healthy
        assert "SMTP at 127.0.0.1" in said
        settings.EMAIL_PORT = free_port()
        said, healthy = examine("mail")
        assert not healthy
        assert "EMAIL_HOST" in said

    def test_unknown_name_is_an_error(self):
        said, healthy = examine("coffee")
        assert not healthy
        assert "Unknown: coffee" in said


class TestReadiness:
    def test_open_circuit_degrades_readiness_and_does_not_end_it(self, mistral):
        mistral.faults.add("status", times=ALWAYS)
        with pytest.raises(ProviderError):
            run(get_embedder().embed([f"word {number}" * 9_000 for number in range(9)]))
        reset_health()
        [finding] = [finding for finding in check_health() if finding.name == "providers"]
        assert (finding.status, finding.needed) == ("degraded", False)
        assert finding.detail == "Left alone after failures: mistral-embed."
        reset_health()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"WEB_CONCURRENCY": "2"}, "on SQLite: one writer at a time"),
        ({"WEB_CONCURRENCY": "2"}, "there is no REDIS_URL"),
        ({"ALLOWED_HOSTS": "docent.example.com"}, "DEBUG is on and ALLOWED_HOSTS has docent"),
        ({"ALLOWED_HOSTS": "*"}, "DEBUG is on and ALLOWED_HOSTS has *"),
    ],
)
def test_unsafe_pair_is_refused_at_start_with_a_sentence(environment, sentence):
    done = start(environment)
    assert done.returncode != 0
    assert sentence in done.stderr


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ALLOWED_HOSTS": "localhost,10.0.0.7,app.localhost"},
        {"ALLOWED_HOSTS": "docent.example.com", "DEBUG": "false"},
    ],
)
def test_safe_pair_starts(environment):
    assert start(environment).returncode == 0


def start(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """What comes of loading the local settings under `environment`."""
    return subprocess.run(
        [sys.executable, "-c", "from django.conf import settings; settings.DEBUG"],
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "READ_DOT_ENV": "false",
            **environment,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
