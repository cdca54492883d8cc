"""Which back end plays which role in retrieval, decided by the environment.

`RAG_EMBEDDER`, `RAG_VECTOR_STORE` and `RAG_GENERATOR` name a short name below or a dotted path;
left empty, the keys that are present decide.
"""

from typing import Any

from environs import Env

from config.settings.providers import embedder_options, generator_rungs, store_options

SHORT_NAMES = {
    "EMBEDDER": {
        "local": "rag.embedders.local.LocalEmbedder",
        "minilm": "rag.embedders.minilm.MiniLMEmbedder",
        "mistral": "rag.embedders.mistral.MistralEmbedder",
        "openai": "rag.embedders.openai.OpenAIEmbedder",
    },
    "VECTOR_STORE": {
        "local": "rag.vector_stores.local.LocalVectorStore",
        "pinecone": "rag.vector_stores.pinecone.PineconeVectorStore",
        "pgvector": "rag.vector_stores.pgvector.PgvectorStore",
    },
    "GENERATOR": {
        "extractive": "rag.generators.extractive.ExtractiveGenerator",
        "mistral": "rag.generators.mistral.MistralGenerator",
        "openai": "rag.generators.openai.OpenAIGenerator",
    },
}
CHAIN = "rag.generators.chain.ChainGenerator"


def build_rag(env: Env) -> dict[str, Any]:
    """The `RAG` setting: a back end for each role, and the numbers retrieval works with."""
    return {
        "EMBEDDER": _embedder(env),
        # Every embedder as the environment would build it: an older generation of the index
        # may need another one than the present.
        "EMBEDDERS": [
            _choice("EMBEDDER", name, embedder_options(env, name))
            for name in SHORT_NAMES["EMBEDDER"]
        ],
        "VECTOR_STORE": _vector_store(env),
        "GENERATOR": _generator(env),
        "TOP_K": env.int("RAG_TOP_K", 3),
        "MAX_TOP_K": 10,
        "CANDIDATES": env.int("RAG_CANDIDATES", 50),
        # Seconds that a question waits for its vectors before words alone decide.
        "VECTOR_SECONDS": env.float("RAG_VECTOR_SECONDS", 4.0),
        # Seconds for a model's first words before the next rung is asked, between two pieces of
        # its answer, and for the whole answer with all its rungs.
        "FIRST_TOKEN_SECONDS": env.float("RAG_FIRST_TOKEN_SECONDS", 10.0),
        "STALL_SECONDS": env.float("RAG_STALL_SECONDS", 15.0),
        # The cosine from which two questions have one answer; 0 keeps no answers.
        "CACHE_SIMILARITY": env.float("RAG_CACHE_SIMILARITY", 0.0),
        "CACHE_HOURS": env.float("RAG_CACHE_HOURS", 24.0),
        "ANSWER_SECONDS": env.float("RAG_ANSWER_SECONDS", 90.0),
        # None: the embedder's own weight of the vector leg.
        "VECTOR_WEIGHT": _number(env.str("RAG_VECTOR_WEIGHT", "")),
        # Overrides of the calibration: below them an answer is declined, or said to be uncertain.
        "DECLINE_BELOW": _number(env.str("RAG_DECLINE_BELOW", "")),
        "UNCERTAIN_BELOW": _number(env.str("RAG_UNCERTAIN_BELOW", "")),
        # How long a model may take to make a follow-up standalone; 0 leaves it to the rule.
        "REWRITE_SECONDS": env.float("RAG_REWRITE_SECONDS", 3.0),
        # Whether a model may answer from its own knowledge when nothing relevant is found.
        "GENERAL_ANSWERS": env.bool("RAG_GENERAL_ANSWERS", False),
        "MAX_DOCUMENT_CHARS": env.int("RAG_MAX_DOCUMENT_CHARS", 2_000_000),
        "MAX_PROMPT_CHARS": env.int("RAG_MAX_PROMPT_CHARS", 24_000),
        # False leaves new documents to the scheduler's sweep or to another process.
        "PROCESS_IN_BACKGROUND": env.bool("RAG_PROCESS_IN_BACKGROUND", True),
    }


def _number(text: str) -> float | None:
    return float(text) if text else None


def _embedder(env: Env) -> dict[str, Any]:
    name = env.str("RAG_EMBEDDER", "") or ("mistral" if env.str("MISTRAL_API_KEY", "") else "local")
    return _choice("EMBEDDER", name, embedder_options(env, name))


def _vector_store(env: Env) -> dict[str, Any]:
    default = "pinecone" if env.str("PINECONE_API_KEY", "") else "local"
    name = env.str("RAG_VECTOR_STORE", "") or default
    return _choice("VECTOR_STORE", name, store_options(env, name))


def _generator(env: Env) -> dict[str, Any]:
    """A chain of every model that is configured, the named one first, extractive last."""
    named = env.str("RAG_GENERATOR", "")
    if named == "extractive" or "." in named:
        return _choice("GENERATOR", named, {})
    rungs = [_choice("GENERATOR", kind, options) for kind, options in generator_rungs(env, named)]
    last = _choice("GENERATOR", "extractive", {})
    return {"BACKEND": CHAIN, "OPTIONS": {"rungs": [*rungs, last]}} if rungs else last


def _choice(role: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    return {"BACKEND": SHORT_NAMES[role].get(name, name), "OPTIONS": options}
