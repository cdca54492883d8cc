"""When two spellings are one name: the keys that usernames and addresses are compared by."""

import hashlib
import unicodedata

KEY_CHARS = 255

# Letters by category, invisible by design: two names that look alike would differ by them.
INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0")


def caseless(text: str) -> str:
    """`text` for caseless comparison of identifiers (Unicode 16, section 3.13, D147)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFKC", folded.casefold())


def username_key(username: str) -> str:
    """What a username is unique by."""
    return _bounded(caseless(username.strip()))


def email_key(email: str) -> str:
    """What an address is unique by: whatever its case, Unicode form or form of domain."""
    local, _, domain = caseless(email.strip()).rpartition("@")
    return _bounded(f"{local}@{_network_domain(domain)}")


def _bounded(key: str) -> str:
    # Casefolding makes some texts many times longer than the column that they came from.
    return key if len(key) <= KEY_CHARS else hashlib.sha256(key.encode()).hexdigest()


def _network_domain(domain: str) -> str:
    try:
        return domain.rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        return domain
