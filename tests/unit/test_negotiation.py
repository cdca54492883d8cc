"""The renderer for a request: chosen at once or by DRF, it is the same."""

import pytest
from django.http import Http404
from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from chat.views.answering import EventStreamRenderer
from common.json import JSONRenderer
from common.negotiation import ContentNegotiation

ACCEPTS = [
    None,
    "",
    "*/*",
    "application/json",
    "application/*",
    "text/event-stream",
    "text/event-stream, application/json",
    "application/json; q=0.1, text/event-stream",
    "application/json; indent=4",
    "APPLICATION/JSON",
    "text/html",
    "nonsense",
]


def choose(negotiation: DefaultContentNegotiation, accept: str | None, query: str) -> object:
    """What comes of a request: the kind of renderer and the media type, or the kind of error."""
    headers = {} if accept is None else {"HTTP_ACCEPT": accept}
    request = Request(APIRequestFactory().get(f"/{query}", **headers))
    try:
        renderer, media_type = negotiation.select_renderer(
            request, [JSONRenderer(), EventStreamRenderer()]
        )
    except (exceptions.APIException, Http404) as error:
        return type(error)
    return type(renderer), media_type


@pytest.mark.parametrize("query", ["", "?format=events", "?format=xml", "?page=1"])
@pytest.mark.parametrize("accept", ACCEPTS)
def test_the_choice_is_drf_s_own(accept: str | None, query: str) -> None:
    expected = choose(DefaultContentNegotiation(), accept, query)

    chosen = choose(ContentNegotiation(), accept, query)

    if isinstance(expected, tuple) and expected[1] == "*/*":
        expected = (expected[0], expected[0].media_type)
    assert chosen == expected


def test_unknown_types_are_not_acceptable() -> None:
    assert choose(ContentNegotiation(), "text/html", "") is exceptions.NotAcceptable
