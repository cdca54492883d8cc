"""A message over HTTP while a provider fails: one cell of the matrix a test (`tests.faults`)."""

import importlib
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from rest_framework.test import APIClient

from chat.models import ChatMessage
from common.loop import run
from rag.backends import get_vector_store
from rag.errors import ProviderError
from rag.generators.completions import Limits
from rag.management.commands.create_index import READY_SECONDS
from rag.models import Chunk, Document
from rag.services import project_outbox
from rag.services.queue import process_document
from tests.factories import make_document
from tests.faults import ALL, CELLS, INDEXING, PAGE, Cell, note
from tests.providers import served
from tests.stand_ins.asgi import StandIn
from tests.stand_ins.faults import ALWAYS
from tests.stand_ins.mistral import MistralStandIn
from tests.stand_ins.openai import OpenAIStandIn
from tests.stand_ins.pinecone import PineconeStandIn

pytestmark = pytest.mark.django_db(transaction=True)

LIMITS = Limits(first_token=2.0, stall=1.5, answer=10.0)
VECTOR_SECONDS = 3.0
REFUNDS = (
    "# Refunds\n\nYou may return goods within 30 days of delivery. The buyer pays the postage."
)
PARKING = (
    "# Parking\n\nThe car park opens at six in the morning. Visitors use the spaces by the gate."
)
QUESTION = "Within how many days may I return goods?"
SAID = "You may return goods within 30 days of delivery. [1]"
CHAT = "POST /v1/chat/completions"


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """The SDKs, loaded before any clock runs: a process does that once, not at every fault."""
    for name in ("mistralai.client", "openai.resources.chat", "pinecone.async_client.async_index"):
        importlib.import_module(name)


class House:
    """The product over stand-ins for every provider that a role needs."""

    def __init__(self, settings: Any, stack: ExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self.mistral = stack.enter_context(served(MistralStandIn()))
        self.fallback: OpenAIStandIn | None = None
        self.pinecone: PineconeStandIn | None = None

    def choose(self, **roles: Any) -> None:
        """Use these back ends."""
        rag = {**self._settings.RAG, "VECTOR_SECONDS": VECTOR_SECONDS, **roles}
        # How sure retrieval is of two documents is not what is tested here.
        self._settings.RAG = rag | {"DECLINE_BELOW": 0.0, "UNCERTAIN_BELOW": 0.0}

    def with_models(self, *, fallback: bool) -> None:
        """Mistral, a fallback if wanted, and quoting below them."""
        options = {"api_key": "key", "server_url": self.mistral.url, "limits": LIMITS}
        rungs = [{"BACKEND": "rag.generators.mistral.MistralGenerator", "OPTIONS": options}]
        if fallback:
            self.fallback = self._stack.enter_context(served(OpenAIStandIn()))
            more = {"api_key": "key", "base_url": f"{self.fallback.url}/v1", "limits": LIMITS}
            rungs.append({"BACKEND": "rag.generators.openai.OpenAIGenerator", "OPTIONS": more})
        rungs.append({"BACKEND": "rag.generators.extractive.ExtractiveGenerator", "OPTIONS": {}})
        chain = "rag.generators.chain.ChainGenerator"
        self.choose(GENERATOR={"BACKEND": chain, "OPTIONS": {"rungs": rungs}})

    def with_embedder(self) -> None:
        """Mistral's vectors."""
        options = {"api_key": "key", "server_url": self.mistral.url, "seconds": 0.5}
        path = "rag.embedders.mistral.MistralEmbedder"
        self.choose(EMBEDDER={"BACKEND": path, "OPTIONS": options})

    def with_pinecone(self) -> None:
        """Vectors in Pinecone, its index made."""
        self.pinecone = self._stack.enter_context(served(PineconeStandIn()))
        options = {
            "api_key": "key",
            "control_host": self.pinecone.url,
            "seconds": 1.0,
            "write_seconds": 1.5,
        }
        path = "rag.vector_stores.pinecone.PineconeVectorStore"
        self.choose(VECTOR_STORE={"BACKEND": path, "OPTIONS": options})
        run(get_vector_store().ensure_index(seconds=READY_SECONDS))


@pytest.fixture
def house(settings: Any) -> Iterator[House]:
    with ExitStack() as stack:
        yield House(settings, stack)


def prepare(house: House, role: str) -> tuple[StandIn, str]:
    """The product with two documents: who is to fail, and on which path."""
    house.with_models(fallback="allback" in role)
    if role == "Mistral embeddings":
        house.with_embedder()
    if role == "Pinecone":
        house.with_pinecone()
    make_document(REFUNDS, title="Refunds")
    make_document(PARKING, title="Parking")
    project_outbox()
    if role == "Pinecone":
        return house.pinecone, "/query"
    if role == "Fallback, Mistral down":
        house.mistral.faults.add("status", path="/chat", status=503, times=ALWAYS)
        return house.fallback, "/chat"
    return house.mistral, "/embeddings" if role == "Mistral embeddings" else "/chat"


def break_it(provider: StandIn, path: str, cell: Cell) -> None:
    """Commit the cell's fault on every call from now on."""
    if cell.kind == "once":
        provider.faults.add("status", path=path, status=503)
    else:
        provider.faults.add(cell.kind, path=path, times=ALWAYS, **cell.details)


def ask(client: APIClient) -> dict[str, Any]:
    """The answer to the question, as the client gets it."""
    response = client.post("/api/chat/messages/", {"content": QUESTION})
    assert response.status_code == 201, response.content
    body = response.json()
    assert body["user_message"]["content"] == QUESTION
    return body["bot_message"]


def codes_of(message: dict[str, Any]) -> set[str]:
    """Why a message fell or failed."""
    metadata = message["metadata"]
    codes = {fall["code"] for fall in metadata.get("fell", ())}
    return codes | ({metadata["error"]["code"]} if "error" in metadata else set())


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.id)
def test_message(house: House, user_api: APIClient, cell: Cell) -> None:
    provider, path = prepare(house, cell.role)
    assert ask(user_api)["content"] == SAID

    break_it(provider, path, cell)
    started = time.perf_counter()
    broken = ask(user_api)
    note(cell, time.perf_counter() - started)

    assert (broken["status"], broken["metadata"].get("mode")) == cell.outcome
    assert cell.codes & codes_of(broken) or not cell.codes
    assert "secret" not in str(broken)
    if cell.outcome[0] == "complete":
        assert broken["content"] == SAID

    provider.faults.clear()
    house.mistral.faults.clear()
    healed = ask(user_api)
    assert (healed["status"], healed["metadata"]["mode"]) == ("complete", "grounded")
    assert "fell" not in healed["metadata"]
    kept = ChatMessage.objects.filter(sender_type="user").count()
    assert (kept, ChatMessage.objects.filter(sender_type="bot").count()) == (3, 3)


@pytest.mark.parametrize("cell", INDEXING, ids=lambda cell: cell.id)
def test_document(house: House, user_api: APIClient, cell: Cell) -> None:
    house.with_models(fallback=False)
    house.with_embedder()
    provider, path = house.mistral, "/embeddings"
    if cell.role.startswith("Pinecone"):
        house.with_pinecone()
        provider, path = house.pinecone, "/upsert"
    make_document(PARKING, title="Parking")
    project_outbox()

    break_it(provider, path, cell)
    started = time.perf_counter()
    document = make_document(REFUNDS, title="Refunds")
    if cell.role.startswith("Pinecone"):
        with pytest.raises(ProviderError) as raised:
            project_outbox()
        assert raised.value.code in cell.codes
    note(cell, time.perf_counter() - started)
    assert document.status == cell.outcome[0]

    provider.faults.clear()
    retry(document)
    while project_outbox():
        pass
    healed = ask(user_api)
    assert (healed["content"], healed["metadata"]["mode"]) == (SAID, "grounded")
    assert "fell" not in healed["metadata"]
    if house.pinecone:
        assert len(run(get_vector_store().keys())) == Chunk.objects.filter(live=True).count() == 2


def retry(document: Document) -> None:
    """Let the queue try again now, as an operator's retry does for one that failed for good."""
    Document.objects.filter(pk=document.pk).exclude(status="ready").update(
        status="queued", lease_until=None
    )
    process_document(document.pk)


def test_page_has_a_row_for_every_cell_and_no_other() -> None:
    on_page = set(re.findall(r"::test_\w+\[(.+?)\]`", PAGE.read_text()))
    assert on_page == {cell.id for cell in ALL}
    assert len(ALL) >= 60
