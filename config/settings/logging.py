"""Logs: one line an event, with the request's id; plain for people, JSON for collectors."""

from typing import Any


def build_logging(*, log_format: str, level: str) -> dict[str, Any]:
    """A `LOGGING` dictionary in `log_format` ("plain" or "json") from `level` up."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "common.request_id.RequestIDFilter"}},
        "formatters": {
            "plain": {
                "format": "{asctime} {levelname:<7} {request_id} {name}: {message}",
                "style": "{",
            },
            "json": {"()": "common.logs.JSONFormatter"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "filters": ["request_id"],
                "formatter": log_format,
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            # Django logs the whole path of every 404 and 4xx; a token may stand in it.
            "django.request": {"level": "ERROR"},
            # It tells at length which CPU features it did not find.
            "faiss.loader": {"level": "WARNING"},
            # It tells of every job that it looks at.
            "apscheduler": {"level": "WARNING"},
            # A line for every request that an SDK makes.
            "httpx": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "pinecone": {"level": "WARNING"},
            "django.server": {"handlers": [], "propagate": True, "level": "WARNING"},
            # Its start and stop messages go through; its access log would show query strings.
            "uvicorn.access": {"level": "WARNING"},
        },
    }
