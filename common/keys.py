"""The secrets that things are signed with: where they come from, and when one is too weak."""

import hashlib
import hmac
from functools import lru_cache

from django.conf import settings

MIN_KEY_BYTES = 32  # 256 bits, what HS256 asks for (RFC 7518, section 3.2)
MIN_DISTINCT_CHARACTERS = 10
WELL_KNOWN = ("insecure", "changeme", "change-me", "change_me", "secret-key", "your-secret")


def weakness(key: str) -> str:
    """Why `key` must not sign anything in production; "" when it may."""
    if not key:
        return "it is empty"
    if len(key.encode()) < MIN_KEY_BYTES:
        return f"it has fewer than {MIN_KEY_BYTES} bytes"
    if len(set(key)) < MIN_DISTINCT_CHARACTERS:
        return f"it has fewer than {MIN_DISTINCT_CHARACTERS} different characters"
    if any(word in key.lower() for word in WELL_KNOWN):
        return "it is a default or an example"
    return ""


def weak_keys() -> dict[str, str]:
    """The settings that hold a weak key, and why."""
    named = {"SECRET_KEY": settings.SECRET_KEY}
    for name in ("SECRET_KEY_FALLBACKS", "JWT_SIGNING_KEYS"):
        named |= {f"{name}[{i}]": key for i, key in enumerate(getattr(settings, name, []))}
    return {name: reason for name, key in named.items() if (reason := weakness(key))}


def signing_keys(purpose: str) -> tuple[bytes, ...]:
    """The keys for `purpose`, 256 bits each: the first signs, every one verifies."""
    roots = getattr(settings, "JWT_SIGNING_KEYS", None) or [
        settings.SECRET_KEY,
        *settings.SECRET_KEY_FALLBACKS,
    ]
    return tuple(_derive(root, purpose) for root in roots)


@lru_cache(maxsize=64)
def _derive(root: str, purpose: str) -> bytes:
    # One secret, a key of its own for each use: what one signs, no other takes.
    return hmac.digest(root.encode(), f"docent:{purpose}".encode(), hashlib.sha256)
