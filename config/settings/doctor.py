"""What `manage.py doctor` asks, with small real calls, and what to do when one is down."""

DOCTOR_CHECKS: dict[str, dict[str, str]] = {
    "database": {
        "PROBE": "common.probes.probe_database_write",
        "ADVICE": "Look at DATABASE_URL, that the server runs, and that `migrate` has run.",
    },
    "redis": {
        "PROBE": "common.probes.probe_redis_lock",
        "ADVICE": "Look at REDIS_URL and that the server runs; until then limits and streams "
        "hold for one process.",
    },
    "mail": {
        "PROBE": "common.probes.probe_mail",
        "ADVICE": "Look at EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER and EMAIL_HOST_PASSWORD.",
    },
    "embedder": {
        "PROBE": "rag.checks.probe_embedder",
        "ADVICE": "Look at the embedder's key, address and model (MISTRAL_…, OPENAI_…).",
    },
    "vector store": {
        "PROBE": "rag.checks.probe_vector_store",
        "ADVICE": "Run `manage.py create_index`; look at PINECONE_API_KEY and its addresses.",
    },
    "generator": {
        "PROBE": "rag.checks.probe_generator",
        "ADVICE": "Look at the model's key, address and name (MISTRAL_…, OPENAI_…, FALLBACK_…).",
    },
}
