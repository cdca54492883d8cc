"""The streamed chat call of Mistral's SDK, without the classes that it makes for each call.

`chat.stream_async` has pydantic make six classes anew, one for each optional argument and one for
the request: two thirds of what a call costs. Its `do_request_async` then hands each hook to a
thread and back. Here the SDK's own client sends the same body, between the SDK's own hooks, which
are called where they are: with a key none of them waits. A test holds what is sent to what
`stream_async` would send. Import it inside functions only: it loads the SDK.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import httpx2
import orjson
from mistralai.client import errors, models

# The one private module: the hooks want to be told what is asked.
from mistralai.client._hooks import (
    AfterErrorContext,
    AfterSuccessContext,
    BeforeRequestContext,
    HookContext,
    SDKHooks,
)

if TYPE_CHECKING:
    from mistralai.client import Mistral

PATH = "/v1/chat/completions#stream"
CONTENT_TYPE = "text/event-stream"
FAULTS = 400
# What the SDK writes of a message beside its role and content.
EXTRA: dict[str, dict[str, Any]] = {"assistant": {"prefix": False}}


async def open_stream(
    client: "Mistral", *, messages: Sequence[dict[str, Any]], seconds: float, **options: Any
) -> httpx2.Response:
    """The response that streams the completion; raises as `chat.stream_async` does."""
    configuration = client.sdk_configuration
    base_url = configuration.get_server_details()[0]
    http = cast(httpx2.AsyncClient, configuration.async_client)
    key = cast(models.Security, configuration.security).api_key
    request = http.build_request(
        "POST",
        base_url + PATH,
        content=_body(messages, options),
        headers={
            "Accept": CONTENT_TYPE,
            "user-agent": configuration.user_agent,
            "Authorization": f"Bearer {key}",
            "content-type": "application/json",
        },
        timeout=seconds,
    )
    context = HookContext(
        config=configuration,
        base_url=base_url,
        operation_id="stream_chat",
        oauth2_scopes=None,
        security_source=configuration.security,
        tags=["chat"],
        extensions=None,
    )
    response = await _send(http, request, context)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code != httpx2.codes.OK or kind != CONTENT_TYPE:
        text = (await response.aread()).decode(errors="replace")
        raise errors.SDKError("No stream was opened", response, text)
    return response


async def _send(
    http: httpx2.AsyncClient, request: httpx2.Request, context: HookContext
) -> httpx2.Response:
    """The response, as `do_request_async` has its hooks see the request and what came of it."""
    hooks: SDKHooks = context.config.__dict__["_hooks"]
    try:
        sent = hooks.before_request(BeforeRequestContext(context), request)
        # A hook may have made another request of it.
        sent.extensions.setdefault("timeout", request.extensions["timeout"])
        response = await http.send(sent, stream=True)
    except Exception as error:
        _, fault = hooks.after_error(AfterErrorContext(context), None, error)
        if fault is None:
            raise errors.NoResponseError("No response received") from error
        raise fault  # noqa: B904 (as a rule it is that error)
    if response.status_code < FAULTS:
        return hooks.after_success(AfterSuccessContext(context), response)
    answered, fault = hooks.after_error(AfterErrorContext(context), response, None)
    if fault is not None or answered is None:
        raise fault or errors.SDKError("Unexpected error occurred", response)
    return answered


def _body(messages: Sequence[dict[str, Any]], options: dict[str, Any]) -> bytes:
    # The SDK's model checks and copies each message (1 ms), and writes the same in the end.
    written = [EXTRA.get(each["role"], {}) | each for each in messages]
    given = {name: value for name, value in options.items() if value is not None}
    return orjson.dumps({"messages": written, "stream": True} | given)
