"""Importing a library without the optional parts that it loads only because they are installed.

Some libraries try a list of imports and note what worked. What comes in that way is never used
here, stays for the life of every process, and is a fifth of its memory.
"""

import sys
from importlib import import_module

# What loads, and what it would bring along: DRF's browsable API, its clients and PostgreSQL's own
# fields; test tools (which the schema's
# generator pulls in); signatures other than HMAC; the Redis client's own measures,
# and its check of revoked certificates.
OPTIONAL = {
    "rest_framework.compat": ("requests", "pygments", "markdown", "django.contrib.postgres"),
    "django.test.utils": ("jinja2",),
    "jwt": ("cryptography",),
    "redis": ("opentelemetry", "cryptography"),
}


def import_lean() -> None:
    """Import what `OPTIONAL` names without its extras; they can still be imported afterwards."""
    for name, extras in OPTIONAL.items():
        if name not in sys.modules:
            import_without(name, extras)


def import_without(name: str, hidden: tuple[str, ...]) -> None:
    """Import `name` as if `hidden` were not installed; what is loaded already stays visible."""
    absent = [extra for extra in hidden if extra not in sys.modules]
    # None is Python's own way to say that a module cannot be imported.
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        import_module(name)
    finally:
        for extra in absent:
            del sys.modules[extra]
