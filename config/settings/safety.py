"""What a server must have before it may start; every lack is named at once."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

SECRET_KEY_CHARS = 50
SECRET_KEY_DISTINCT = 10
WEAK_WORDS = (
    "insecure",
    "changeme",
    "change-me",
    "secret-key",
    "development",
    "example",
    "password",
)


def refuse_unsafe_pairs(settings: Mapping[str, Any], *, processes: int) -> None:
    """ImproperlyConfigured for settings that are each fine and never together, anywhere."""
    reasons = _process_reasons(settings, processes)
    public = [host for host in settings["ALLOWED_HOSTS"] if not _is_private(host)]
    if settings["DEBUG"] and public:
        reasons.append(
            f"DEBUG is on and ALLOWED_HOSTS has {', '.join(public)}: anybody would see source "
            "code and settings. Use config.settings.production, or DEBUG=false."
        )
    _refuse(reasons)


def _is_private(host: str) -> bool:
    """Whether `host` cannot be reached from the internet."""
    name = host.strip("[]")
    if name == "testserver" or name.rpartition(".")[2] == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_private
    except ValueError:
        return False


def refuse_unsafe(settings: Mapping[str, Any], *, processes: int) -> None:
    """ImproperlyConfigured, with a sentence for each reason not to start with `settings`."""
    reasons = [
        *_secret_reasons(settings),
        *_address_reasons(settings),
        *_process_reasons(settings, processes),
    ]
    _refuse(reasons)


def _refuse(reasons: list[str]) -> None:
    if reasons:
        lines = "\n".join(f"  - {reason}" for reason in reasons)
        raise ImproperlyConfigured(f"Refusing to start with these settings:\n{lines}")


def _secret_reasons(settings: Mapping[str, Any]) -> list[str]:
    key = str(settings["SECRET_KEY"])
    if not key or key == settings["DEVELOPMENT_KEY"]:
        return ["SECRET_KEY is not set. Make one: openssl rand -base64 48"]
    if len(key) < SECRET_KEY_CHARS or len(set(key)) < SECRET_KEY_DISTINCT:
        return [f"SECRET_KEY is too weak: {SECRET_KEY_CHARS} random characters are needed."]
    if any(word in key.lower() for word in WEAK_WORDS):
        return ["SECRET_KEY looks like a placeholder. Make one: openssl rand -base64 48"]
    return []


def _address_reasons(settings: Mapping[str, Any]) -> list[str]:
    reasons = []
    if settings["DEBUG"]:
        reasons.append("DEBUG is on: it shows source code and settings to anybody.")
    if not settings["ALLOWED_HOSTS"]:
        reasons.append("ALLOWED_HOSTS is empty: name the hosts that this server answers for.")
    if any(host in {"*", ".", ""} for host in settings["ALLOWED_HOSTS"]):
        reasons.append("ALLOWED_HOSTS has a wildcard: name the hosts.")
    if not str(settings["PUBLIC_URL"]).startswith("https://"):
        reasons.append("PUBLIC_URL must begin with https://: links in mails are built from it.")
    if any(not origin.startswith("https://") for origin in settings["CORS_ALLOWED_ORIGINS"]):
        reasons.append("CORS_ALLOWED_ORIGINS may name https:// origins only.")
    return reasons


def _process_reasons(settings: Mapping[str, Any], processes: int) -> list[str]:
    if processes <= 1:
        return []
    reasons = []
    if settings["USE_FAKE_REDIS"]:
        reasons.append(
            f"WEB_CONCURRENCY is {processes} and there is no REDIS_URL: the in-process stand-in "
            "shares nothing between processes. Set REDIS_URL, or run one process."
        )
    if settings["DATABASES"]["default"]["ENGINE"].endswith("sqlite3"):
        reasons.append(
            f"WEB_CONCURRENCY is {processes} on SQLite: one writer at a time for all of them. "
            "Set DATABASE_URL to PostgreSQL, or run one process."
        )
    return reasons
