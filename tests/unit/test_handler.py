"""The end of a request that the API's own handler serves."""

import io

from django.http import FileResponse, HttpResponse

from common.handler import _close


def test_whatever_a_response_holds_is_closed_with_it() -> None:
    file = io.BytesIO(b"content")
    response = FileResponse(file)

    _close(response)

    assert file.closed
    assert response.closed


def test_what_cannot_be_closed_keeps_nothing_else_open() -> None:
    def fail() -> None:
        raise OSError

    closed = []
    response = HttpResponse()
    response._resource_closers += [fail, lambda: closed.append(True)]

    _close(response)

    assert closed == [True]
