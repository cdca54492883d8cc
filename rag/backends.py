"""The back ends that the settings name, built once a process on first use."""

import threading
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from rag.embedders.base import Embedder
from rag.errors import NotConfigured
from rag.generators.base import Generator
from rag.vector_stores.base import VectorStore

_lock = threading.RLock()
_built: dict[tuple[str, str], Any] = {}


def get_embedder() -> Embedder:
    """The embedder of `RAG["EMBEDDER"]`."""
    embedder: Embedder = _get("EMBEDDER", settings.RAG["EMBEDDER"])
    return embedder


def get_embedder_of(fingerprint: str, choice: Mapping[str, Any]) -> Embedder:
    """The embedder of a generation, which may be another than the settings name by now.

    Raises NotConfigured when `choice` no longer makes vectors of that space.
    """
    embedder = get_embedder()
    if embedder.fingerprint != fingerprint:
        embedder = _get("EMBEDDER", _with_keys(choice), name=fingerprint)
    if embedder.fingerprint != fingerprint:
        raise NotConfigured(f"No embedder makes vectors of {fingerprint} any more.")
    return embedder


def get_generator() -> Generator:
    """The generator of `RAG["GENERATOR"]`."""
    generator: Generator = _get("GENERATOR", settings.RAG["GENERATOR"])
    return generator


def get_vector_store(embedder: Embedder | None = None) -> VectorStore:
    """The vector store of `RAG["VECTOR_STORE"]`, for the vectors of `embedder` (the settings')."""
    embedder = embedder or get_embedder()
    store: VectorStore = _get(
        "VECTOR_STORE",
        settings.RAG["VECTOR_STORE"],
        name=embedder.fingerprint,
        dimension=embedder.dimension,
        fingerprint=embedder.fingerprint,
    )
    return store


def build_embedder(choice: Mapping[str, Any]) -> Embedder:
    """The embedder of `choice`: {"BACKEND": dotted path, "OPTIONS": {…}}."""
    if choice["BACKEND"] == settings.RAG["EMBEDDER"]["BACKEND"] and not choice.get("OPTIONS"):
        return get_embedder()
    embedder: Embedder = _get("EMBEDDER", _with_keys(choice), name=repr(sorted(choice.items())))
    return embedder


def _with_keys(choice: Mapping[str, Any]) -> dict[str, Any]:
    """A stored choice, with what the environment says of that back end (keys, addresses)."""
    known = settings.RAG.get("EMBEDDERS", ())
    options = [item["OPTIONS"] for item in known if item["BACKEND"] == choice["BACKEND"]]
    return {**choice, "OPTIONS": {**(options[0] if options else {}), **choice.get("OPTIONS", {})}}


def reset_backends(**kwargs: Any) -> None:
    """Forget what was built, so that changed settings take effect (tests, reloads)."""
    if kwargs.get("setting", "RAG") == "RAG":
        with _lock:
            _built.clear()


setting_changed.connect(reset_backends)


def _get(role: str, choice: Mapping[str, Any], *, name: str = "", **more: Any) -> Any:
    with _lock:
        if (role, name) not in _built:
            build = import_string(choice["BACKEND"])
            _built[role, name] = build(**choice.get("OPTIONS", {}), **more)
        return _built[role, name]
