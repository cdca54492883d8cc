"""The back ends behind an API keep the contracts of their roles, against the stand-ins."""

from collections.abc import Iterator
from typing import Any

import dj_database_url
import pytest
from django.db import connections

from common.loop import close_threads, run
from rag.embedders.mistral import MistralEmbedder
from rag.embedders.openai import OpenAIEmbedder
from rag.generators.chain import ChainGenerator
from rag.generators.extractive import ExtractiveGenerator
from rag.generators.mistral import MistralGenerator
from rag.generators.openai import OpenAIGenerator
from rag.vector_stores.pgvector import PgvectorStore
from rag.vector_stores.pinecone import PineconeVectorStore
from tests.contracts.embedder import EmbedderContract
from tests.contracts.generator import GeneratorContract
from tests.contracts.vector_store import DIMENSION, VectorStoreContract
from tests.postgres import Postgres, running_postgres
from tests.providers import served
from tests.stand_ins.faults import ALWAYS
from tests.stand_ins.mistral import MistralStandIn
from tests.stand_ins.openai import OpenAIStandIn
from tests.stand_ins.pinecone import PineconeStandIn

ALIAS = "contract"


@pytest.fixture
def mistral() -> Iterator[MistralStandIn]:
    with served(MistralStandIn()) as app:
        yield app


@pytest.fixture
def openai() -> Iterator[OpenAIStandIn]:
    with served(OpenAIStandIn()) as app:
        yield app


class TestMistralEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, mistral):
        return MistralEmbedder(api_key="key", server_url=mistral.url)


class TestOpenAIEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, openai):
        return OpenAIEmbedder(api_key="key", base_url=f"{openai.url}/v1")


class TestMistralGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self, mistral):
        parts = [{"type": "text", "text": "Within thirty days"}]
        reference = [{"type": "reference", "reference_ids": [1, 9]}]
        mistral.replies.append([parts, reference, ", as the policy says."])
        return MistralGenerator(api_key="key", server_url=mistral.url)


class TestOpenAIGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self, openai):
        return OpenAIGenerator(api_key="key", base_url=f"{openai.url}/v1")


class TestChainThatFell(GeneratorContract):
    @pytest.fixture
    def generator(self, mistral):
        mistral.faults.add("status", times=ALWAYS)
        first = MistralGenerator(api_key="key", server_url=mistral.url)
        return ChainGenerator(rungs=[first, ExtractiveGenerator()])


@pytest.mark.django_db(transaction=True)
class TestPineconeVectorStore(VectorStoreContract):
    @pytest.fixture
    def store(self):
        with served(PineconeStandIn()) as app:
            store = PineconeVectorStore(
                dimension=DIMENSION,
                fingerprint="contract-8",
                api_key="key",
                control_host=app.url,
            )
            run(store.ensure_index(seconds=10))
            yield store


@pytest.fixture(scope="module")
def postgres(django_db_blocker: Any) -> Iterator[Postgres]:
    # Not the suite's database, so none of its rules about tests apply: only let it connect.
    with running_postgres() as server, django_db_blocker.unblock():
        connections.databases[ALIAS] = connections.configure_settings(
            {"default": {}, ALIAS: dj_database_url.parse(server.url("postgres"))}
        )[ALIAS]
        yield server
        close_threads()
        del connections.databases[ALIAS]


class TestPgvectorStore(VectorStoreContract):
    @pytest.fixture
    def store(self, postgres):
        postgres.psql("DROP TABLE IF EXISTS rag_pgvector;")
        store = PgvectorStore(dimension=DIMENSION, fingerprint="contract-8", database=ALIAS)
        run(store.ensure_index(seconds=10))
        return store
