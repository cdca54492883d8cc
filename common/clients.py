"""Where a request comes from, as far as it can be trusted."""

import ipaddress
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

USER_AGENT_CHARS = 256
# What one customer of an access provider is usually given: one bucket, not 2**64.
IPV6_NETWORK_BITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who calls: the address that can be trusted, and what the program says it is."""

    address: str = ""
    user_agent: str = ""


def client_of(request: HttpRequest) -> Client:
    """The client behind `request`."""
    agent = "".join(c for c in request.headers.get("User-Agent", "") if c.isprintable())
    return Client(address=client_address(request), user_agent=agent[:USER_AGENT_CHARS])


def client_address(request: HttpRequest) -> str:
    """The client's address: the peer's, or the one that the last trusted proxy saw.

    Each trusted proxy appends the address it was called from to X-Forwarded-For, so with
    `TRUSTED_PROXIES = n` the n-th entry from the right is the first that no client can invent.
    """
    peer = _parse(request.META.get("REMOTE_ADDR") or "") or "unknown"
    trusted = settings.TRUSTED_PROXIES
    if trusted < 1:
        return peer
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    return (_parse(hops[-trusted]) if len(hops) >= trusted else "") or peer


def _parse(text: str) -> str:
    """The address in `text` ("1.2.3.4", "1.2.3.4:80", "[::1]:80") in its one spelling, or ""."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def address_bucket(address: str) -> str:
    """What calls from `address` are counted under: itself, or the network of an IPv6 address."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/{IPV6_NETWORK_BITS}", strict=False))
