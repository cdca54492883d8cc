"""What the environment says of each provider: keys, addresses, models."""

from collections.abc import Iterator
from typing import Any

from environs import Env

from config.settings.environment import BASE_DIR

VECTOR_FILES = BASE_DIR / "data" / "vectors"

Options = dict[str, Any]


def embedder_options(env: Env, name: str) -> Options:
    """What the embedder called `name` is built with."""
    if name == "mistral":
        return {
            "api_key": env.str("MISTRAL_API_KEY", ""),
            "server_url": env.str("MISTRAL_SERVER_URL", ""),
            "model": env.str("MISTRAL_EMBED_MODEL", "mistral-embed"),
            "dimension": env.int("MISTRAL_EMBED_DIMENSION", 0),
        }
    if name == "openai":
        return {
            "api_key": env.str("OPENAI_API_KEY", ""),
            "base_url": env.str("OPENAI_BASE_URL", ""),
            "model": env.str("OPENAI_EMBED_MODEL", "text-embedding-3-small"),
            "dimension": env.int("OPENAI_EMBED_DIMENSION", 0),
        }
    return {}


def store_options(env: Env, name: str) -> Options:
    """What the vector store called `name` is built with."""
    if name == "pinecone":
        return {
            "api_key": env.str("PINECONE_API_KEY", ""),
            "index_name": env.str("PINECONE_INDEX_NAME", "docent"),
            "region": env.str("PINECONE_ENVIRONMENT", "") or "us-east-1",
            "cloud": env.str("PINECONE_CLOUD", "aws"),
            "control_host": env.str("PINECONE_HOST", ""),
            "index_host": env.str("PINECONE_INDEX_HOST", ""),
        }
    if name == "local":
        return {"folder": env.str("RAG_VECTOR_FILES", str(VECTOR_FILES))}
    return {}


def generator_rungs(env: Env, named: str) -> Iterator[tuple[str, Options]]:
    """(kind, options) of each model that has a key or an address, in the order they are tried.

    `named` is tried first, with or without a key: an operator who names it means it.
    """
    if named != "openai" and (named == "mistral" or env.str("MISTRAL_API_KEY", "")):
        yield "mistral", _mistral(env)
    if named == "openai" or env.str("OPENAI_API_KEY", "") or env.str("OPENAI_BASE_URL", ""):
        yield "openai", _openai(env)
    if named == "openai" and env.str("MISTRAL_API_KEY", ""):
        yield "mistral", _mistral(env)
    yield from _numbered(env)


def _mistral(env: Env) -> Options:
    return {
        "api_key": env.str("MISTRAL_API_KEY", ""),
        "server_url": env.str("MISTRAL_SERVER_URL", ""),
        "model": env.str("MISTRAL_CHAT_MODEL", "mistral-small-latest"),
    }


def _openai(env: Env) -> Options:
    return {
        "api_key": env.str("OPENAI_API_KEY", ""),
        "base_url": env.str("OPENAI_BASE_URL", ""),
        "model": env.str("OPENAI_MODEL", "gpt-4o-mini"),
    }


def _numbered(env: Env) -> Iterator[tuple[str, Options]]:
    """FALLBACK_1_…, FALLBACK_2_… as far as they go: each an OpenAI-compatible endpoint."""
    number = 1
    while (prefix := f"FALLBACK_{number}_") and (
        env.str(f"{prefix}BASE_URL", "") or env.str(f"{prefix}API_KEY", "")
    ):
        yield (
            "openai",
            {
                "name": env.str(f"{prefix}NAME", f"fallback_{number}"),
                "api_key": env.str(f"{prefix}API_KEY", ""),
                "base_url": env.str(f"{prefix}BASE_URL", ""),
                "model": env.str(f"{prefix}MODEL", "gpt-4o-mini"),
            },
        )
        number += 1
