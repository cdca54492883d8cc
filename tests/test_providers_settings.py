"""Which back ends an environment makes."""

import subprocess
import sys
from typing import Any

import pytest
from environs import Env

from config.settings.rag import build_rag


def chosen(monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, Any]:
    """The RAG setting under `variables` alone."""
    for name in ("MISTRAL_API_KEY", "PINECONE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return build_rag(Env())


def rungs(setting: dict[str, Any]) -> list[str]:
    """The generators of a chain, by class."""
    choices = setting["GENERATOR"]["OPTIONS"].get("rungs", [setting["GENERATOR"]])
    return [choice["BACKEND"].rpartition(".")[2] for choice in choices]


class TestKeysDecide:
    def test_no_keys_is_all_local(self, monkeypatch):
        setting = chosen(monkeypatch)
        assert setting["EMBEDDER"]["BACKEND"].endswith("LocalEmbedder")
        assert setting["VECTOR_STORE"]["BACKEND"].endswith("LocalVectorStore")
        assert rungs(setting) == ["ExtractiveGenerator"]

    def test_mistral_key_brings_its_embedder_and_its_generator(self, monkeypatch):
        setting = chosen(monkeypatch, MISTRAL_API_KEY="k", MISTRAL_SERVER_URL="http://m.test")
        assert setting["EMBEDDER"]["BACKEND"].endswith("MistralEmbedder")
        assert setting["EMBEDDER"]["OPTIONS"]["server_url"] == "http://m.test"
        assert rungs(setting) == ["MistralGenerator", "ExtractiveGenerator"]

    def test_pinecone_key_brings_its_store(self, monkeypatch):
        setting = chosen(monkeypatch, PINECONE_API_KEY="k", PINECONE_ENVIRONMENT="eu-west-1")
        assert setting["VECTOR_STORE"]["BACKEND"].endswith("PineconeVectorStore")
        assert setting["VECTOR_STORE"]["OPTIONS"]["region"] == "eu-west-1"

    def test_fallbacks_follow_in_order(self, monkeypatch):
        setting = chosen(
            monkeypatch,
            MISTRAL_API_KEY="k",
            OPENAI_BASE_URL="http://one.test/v1",
            FALLBACK_1_BASE_URL="http://two.test/v1",
            FALLBACK_2_API_KEY="three",
            FALLBACK_4_API_KEY="not reached",
        )
        options = [rung["OPTIONS"] for rung in setting["GENERATOR"]["OPTIONS"]["rungs"]]
        assert rungs(setting) == [
            "MistralGenerator",
            *["OpenAIGenerator"] * 3,
            "ExtractiveGenerator",
        ]
        assert options[1]["base_url"] == "http://one.test/v1"
        assert [option.get("name") for option in options[2:4]] == ["fallback_1", "fallback_2"]

    def test_name_beats_the_keys(self, monkeypatch):
        setting = chosen(
            monkeypatch,
            MISTRAL_API_KEY="k",
            RAG_EMBEDDER="local",
            RAG_GENERATOR="extractive",
            RAG_VECTOR_STORE="some.path.Store",
        )
        assert setting["EMBEDDER"]["BACKEND"].endswith("LocalEmbedder")
        assert rungs(setting) == ["ExtractiveGenerator"]
        assert setting["VECTOR_STORE"]["BACKEND"] == "some.path.Store"

    def test_named_generator_is_the_first_rung(self, monkeypatch):
        setting = chosen(monkeypatch, MISTRAL_API_KEY="k", RAG_GENERATOR="openai")
        assert rungs(setting) == ["OpenAIGenerator", "MistralGenerator", "ExtractiveGenerator"]


def test_start_up_with_every_key_imports_no_sdk():
    program = (
        "import sys, django; django.setup();"
        "from rag.backends import get_embedder;"
        "from rag.generators.mistral import MistralGenerator as M;"
        "from rag.generators.openai import OpenAIGenerator as O;"
        "get_embedder(); M(api_key='k'); O(api_key='k');"
        "print([n for n in ('mistralai', 'pinecone', 'openai', 'httpx', 'httpx2', 'pydantic')"
        " if n in sys.modules])"
    )
    environment = {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "MISTRAL_API_KEY": "k",
        "PINECONE_API_KEY": "k",
        "OPENAI_API_KEY": "k",
        "PATH": "",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
