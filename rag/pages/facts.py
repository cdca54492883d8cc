"""What runs behind the product right now, in the words of a person."""

from django.conf import settings

from common.probes import database_name, redis_name
from rag.models import Document

# The class that plays a role, by its name, for people; others show their class's name.
NAMES = {
    "LocalEmbedder": "WordLlama, in this process",
    "MiniLMEmbedder": "MiniLM, in this process",
    "MistralEmbedder": "Mistral AI",
    "OpenAIEmbedder": "OpenAI-compatible",
    "LocalVectorStore": "exact index, in this process",
    "PineconeVectorStore": "Pinecone",
    "PgVectorStore": "PostgreSQL (pgvector)",
    "ExtractiveGenerator": "quotes from the sources, no model",
    "MistralGenerator": "Mistral AI",
    "OpenAIGenerator": "OpenAI-compatible",
    "ChainGenerator": "Mistral AI, with fallbacks",
}


def running_now() -> list[tuple[str, str]]:
    """(part, what plays it) for the database, Redis and the roles of retrieval; two queries."""
    documents = Document.objects.visible_to(None).count()
    return [
        ("Database", database_name()),
        ("Cache and streams", redis_name()),
        ("Embedder", backend_name("EMBEDDER")),
        ("Vector store", backend_name("VECTOR_STORE")),
        ("Answers by", backend_name("GENERATOR")),
        ("Public documents", str(documents)),
    ]


def backend_name(role: str) -> str:
    """What people call the back end that `settings.RAG` names for `role`."""
    name = str(settings.RAG[role]["BACKEND"]).rpartition(".")[2]
    return NAMES.get(name, name)
