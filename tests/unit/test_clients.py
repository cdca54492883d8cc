"""Whose address a request comes from."""

import pytest
from django.test import RequestFactory

from common.clients import address_bucket, client_address, client_of


def request(peer="10.0.0.1", **headers):
    return RequestFactory().get("/", REMOTE_ADDR=peer, **headers)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.1", "10.0.0.1"),
        (1, "203.0.113.1", "203.0.113.1"),
        (1, "6.6.6.6, 203.0.113.1", "203.0.113.1"),
        (1, "6.6.6.6,7.7.7.7,203.0.113.1", "203.0.113.1"),
        (2, "6.6.6.6, 203.0.113.1, 10.0.0.2", "203.0.113.1"),
        (2, "203.0.113.1", "10.0.0.1"),
        (3, "203.0.113.1, 10.0.0.2", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "unknown", "10.0.0.1"),
        (1, "203.0.113.1, ", "10.0.0.1"),
        (1, "203.0.113.1:5678", "203.0.113.1"),
        (1, "[2001:db8::1]:443", "2001:db8::1"),
        (1, "2001:DB8:0::1", "2001:db8::1"),
        (1, "::ffff:203.0.113.1", "203.0.113.1"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "203.0.113.1; DROP TABLE", "10.0.0.1"),
        (1, "a" * 5_000, "10.0.0.1"),
    ],
)
def test_the_first_address_that_no_client_can_invent(settings, proxies, forwarded, address):
    settings.TRUSTED_PROXIES = proxies
    assert client_address(request(HTTP_X_FORWARDED_FOR=forwarded)) == address


def test_a_socket_without_an_address_is_unknown():
    assert client_address(request(peer="")) == "unknown"


def test_an_ipv6_client_is_counted_by_its_network():
    assert address_bucket("2001:db8::1") == address_bucket("2001:db8::ffff:1")
    assert address_bucket("2001:db8::1") != address_bucket("2001:db8:0:1::1")
    assert address_bucket("203.0.113.1") == "203.0.113.1"


def test_a_user_agent_is_cut_and_made_printable():
    agent = client_of(request(HTTP_USER_AGENT="x\x00\x1b[31m" + "y" * 1_000)).user_agent
    assert agent.startswith("x[31my")
    assert len(agent) == 256
