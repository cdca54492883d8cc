"""What is sent without `chat.stream_async` is what it would send (`rag.vendors.mistral_chat`)."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import orjson
import pytest
from mistralai.client import Mistral, errors, models

from rag.vendors.mistral_chat import open_stream

MESSAGES = [
    {"role": "system", "content": "Rules, \u201cquoted\u201d"},
    {"role": "user", "content": "Wie lange gilt ein Token?"},
    {"role": "assistant", "content": "15 Minuten. [1]"},
    {"role": "user", "content": "Und \u4e2d\u6587?\n<<<DATA>>>"},
]
OPTIONS = [
    {"model": "mistral-small-latest", "temperature": 0.1, "max_tokens": 1_024},
    {"model": "m", "temperature": 0.0, "max_tokens": 5, "stop": ["a", "b"], "random_seed": 7},
    {"model": "m"},
]
STREAM = {"content-type": "text/event-stream; charset=utf-8"}

Call = Callable[[Mistral], Awaitable[Any]]


def sent_by(call: Call, *, status: int = 200, headers: dict[str, str] | None = None) -> Any:
    """The one request that `call` sends, answered so."""
    requests: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return httpx2.Response(
            status, headers=STREAM if headers is None else headers, content=b"data: [DONE]\n\n"
        )

    async def run() -> None:
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
        await call(Mistral(api_key="a key", server_url="http://sdk.test/", async_client=http))

    asyncio.run(run())
    [request] = requests
    return request


def by_the_sdk(options: dict[str, Any]) -> Call:
    """The call that the SDK documents."""
    kinds: dict[str, Any] = {
        "system": models.SystemMessage,
        "user": models.UserMessage,
        "assistant": models.AssistantMessage,
    }
    messages = [kinds[each["role"]](content=each["content"]) for each in MESSAGES]
    return lambda client: client.chat.stream_async(messages=messages, timeout_ms=7_000, **options)


def by_us(options: dict[str, Any]) -> Call:
    """The same by our shorter way."""
    return lambda client: open_stream(client, messages=MESSAGES, seconds=7, **options)


@pytest.mark.parametrize("options", OPTIONS)
def test_request_is_the_one_that_the_sdk_would_send(options: dict[str, Any]) -> None:
    theirs, ours = sent_by(by_the_sdk(options)), sent_by(by_us(options))

    assert (ours.method, str(ours.url)) == (theirs.method, str(theirs.url))
    assert orjson.loads(ours.content) == orjson.loads(theirs.content)
    unlike = {"content-length"}  # it writes other letters than ASCII as escapes
    assert {name: ours.headers[name] for name in ours.headers if name not in unlike} == {
        name: theirs.headers[name] for name in theirs.headers if name not in unlike
    }
    assert ours.extensions["timeout"] == theirs.extensions["timeout"]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (400, {"content-type": "application/json"}),
        (401, {}),
        (429, {"retry-after": "3"}),
        (503, {"content-type": "text/html"}),
        (200, {"content-type": "application/json"}),
        (307, {"location": "http://elsewhere.test/"}),
    ],
)
def test_refusals_are_the_errors_that_the_sdk_raises(status: int, headers: dict[str, str]) -> None:
    caught = []
    for call in (by_the_sdk(OPTIONS[0]), by_us(OPTIONS[0])):
        with pytest.raises(errors.MistralError) as error:
            sent_by(call, status=status, headers=headers)
        caught.append(error.value)

    theirs, ours = caught
    assert (type(ours), ours.status_code) == (type(theirs), theirs.status_code)
    assert (ours.headers, ours.body) == (theirs.headers, theirs.body)


def test_hooks_are_told_the_same_as_by_the_sdk() -> None:
    source = inspect.getsource(type(Mistral(api_key="key").chat).stream_async)

    assert 'operation_id="stream_chat"' in source
    assert 'path="/v1/chat/completions#stream"' in source
