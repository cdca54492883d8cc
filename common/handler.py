"""Django for the API under ASGI, without a thread made for each request.

Django's own handler makes a thread for every request and hops into it for each signal, each
middleware hook and the view; under load that costs more than the view does. Here the few
middlewares of the API run on the loop, and views run in threads that are kept.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from functools import lru_cache
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, get_resolver, set_script_prefix

from common.live import LiveResponse
from common.loop import in_view_thread

KNOWN_PATHS = 1_024

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class APIHandler(ASGIHandler):
    """Serves one request with `settings.API_MIDDLEWARE`, whose hooks never block."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the chain, once, when the server starts."""
        pages = settings.MIDDLEWARE
        # Django reads the list from this one setting; nothing else runs at this moment.
        settings.MIDDLEWARE = settings.API_MIDDLEWARE
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.handle(scope, receive, send)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, answer, and clean up."""
        try:
            body_file = await self.read_body(receive)
        except RequestAborted:
            return
        set_script_prefix(get_script_prefix(scope))
        request, refusal = self.create_request(scope, body_file)
        response: HttpResponseBase = refusal or HttpResponse(status=400)
        try:
            if request is not None:
                response = await self.run_get_response(request)
            await self._respond(response, receive, send)
        finally:
            _close(response)
            body_file.close()

    async def _respond(self, response: HttpResponseBase, receive: Receive, send: Send) -> None:
        if not response.streaming:
            await self.send_response(response, send)
            return
        sending = asyncio.ensure_future(self.send_response(response, send))
        # The body is read, so the next message can only be that the client has gone.
        leaving = asyncio.ensure_future(receive())
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, leaving):
            task.cancel()
        results = await asyncio.gather(sending, leaving, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """The view for the request's path; paths that were seen lately are not searched again."""
        match = _resolve(settings.ROOT_URLCONF, request.path_info)
        request.resolver_match = match
        return match

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        """Write the response, a live one piece by piece."""
        if not isinstance(response, LiveResponse):
            await super().send_response(response, send)
            return
        headers = [(name.encode("ascii"), text.encode("latin1")) for name, text in response.items()]
        headers += [
            (b"set-cookie", cookie.OutputString().encode("ascii"))
            for cookie in response.cookies.values()
        ]
        await send(
            {"type": "http.response.start", "status": response.status_code, "headers": headers}
        )
        async with aclosing(response.pieces) as pieces:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    async def _get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        callback, args, kwargs = self.resolve_request(request)
        response: HttpResponseBase
        try:
            if iscoroutinefunction(callback):
                response = await callback(request, *args, **kwargs)
            else:
                response = await in_view_thread(_view, callback, request, *args, **kwargs)
        except Exception as error:
            # As Django's own: a hook answers for the exception, or it goes on.
            answered = self.process_exception_by_middleware(error, request)
            if answered is None:
                raise
            response = answered
        self.check_response(response, callback)
        return response


def _close(response: Any) -> None:
    """What `response.close()` does, but for telling `request_finished`.

    Django's listeners tidy the thread that served the whole request. Here none did: this is the
    loop's, and the threads that views run in are tidied after each piece of work.
    """
    for closer in response._resource_closers:  # noqa: SLF001 (there is no other way)
        with suppress(Exception):
            closer()
    response._resource_closers.clear()  # noqa: SLF001
    response.closed = True


@lru_cache(maxsize=KNOWN_PATHS)
def _resolve(urlconf: str, path: str) -> ResolverMatch:
    return get_resolver(urlconf).resolve(path)


def _view(
    callback: Callable[..., HttpResponseBase], request: HttpRequest, *args: Any, **kwargs: Any
) -> HttpResponseBase:
    response = callback(request, *args, **kwargs)
    render = getattr(response, "render", None)
    return as_plain(render()) if callable(render) else response


def as_plain(response: Any) -> HttpResponse:
    """A rendered response as one that Django does not take to another thread to render."""
    plain: Any = HttpResponse(response.content, status=response.status_code)
    plain.cookies = response.cookies
    plain._resource_closers = response._resource_closers  # noqa: SLF001 (closed with this one)
    for name, value in response.items():
        plain[name] = value
    return cast(HttpResponse, plain)
