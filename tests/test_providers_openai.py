"""Any OpenAI-compatible endpoint through OpenAI's true SDK, against the stand-in."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from common.loop import run
from rag.embedders.openai import OpenAIEmbedder
from rag.errors import (
    ProviderError,
    ProviderMalformed,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnavailable,
)
from rag.generators.openai import OpenAIGenerator
from rag.resilience.errors import ProviderBusy
from tests.providers import LIMITS, answer, end_of, fail, served, take, text_of, until, warmed
from tests.stand_ins.faults import ALWAYS
from tests.stand_ins.lexical import embed
from tests.stand_ins.openai import OpenAIStandIn

CHAT = "POST /v1/chat/completions"


@pytest.fixture
def openai() -> Iterator[OpenAIStandIn]:
    with served(OpenAIStandIn()) as app:
        yield app


@pytest.fixture
def generator(openai: OpenAIStandIn) -> OpenAIGenerator:
    return warmed(
        OpenAIGenerator(api_key="key", base_url=f"{openai.url}/v1", model="any", limits=LIMITS)
    )


@pytest.fixture
def embedder(openai: OpenAIStandIn) -> OpenAIEmbedder:
    return warmed(
        OpenAIEmbedder(api_key="key", base_url=f"{openai.url}/v1", seconds=2.0, total_seconds=10)
    )


def test_answer_streams_and_says_what_it_used(openai, generator):
    events = answer(generator)
    assert text_of(events) == "Refunds take fourteen days. [1]"
    assert (end_of(events).model, end_of(events).reason) == ("any", "stop")
    assert end_of(events).usage.completion_tokens == 5
    [(_, payload)] = openai.journal
    assert payload["max_tokens"] == 1_024


def test_server_without_a_key_is_asked_all_the_same(openai):
    openai.api_key = "none"
    generator = OpenAIGenerator(base_url=f"{openai.url}/v1", limits=LIMITS)
    assert end_of(answer(warmed(generator))).reason == "stop"


@pytest.mark.parametrize(
    ("kind", "details", "expected"),
    [
        ("status", {"status": 500}, ProviderUnavailable),
        ("status", {"status": 503, "retry_after": "40"}, ProviderBusy),
        ("status", {"status": 429, "retry_after": "40"}, ProviderBusy),
        ("status", {"status": 401}, ProviderRejected),
        ("status", {"status": 404}, ProviderRejected),
        ("html", {}, ProviderMalformed),
        ("redirect", {}, ProviderMalformed),
        ("slow", {"seconds": 30}, ProviderTimeout),
        ("stall", {}, ProviderTimeout),
        ("cut", {}, ProviderUnavailable),
        ("truncate", {}, ProviderMalformed),
        ("malformed", {}, ProviderMalformed),
        ("stream_error", {}, ProviderUnavailable),
        ("empty", {}, ProviderMalformed),
        ("huge", {}, ProviderError),
    ],
)
def test_fault_before_the_first_token_says_nothing(openai, generator, kind, details, expected):
    openai.faults.add(kind, times=ALWAYS, **details)
    text, error = fail(generator)
    assert text == ""
    assert isinstance(error, expected)
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("stall", ProviderTimeout),
        ("cut", ProviderUnavailable),
        ("truncate", ProviderMalformed),
        ("malformed", ProviderMalformed),
        ("stream_error", ProviderUnavailable),
    ],
)
def test_fault_in_the_middle_keeps_the_text_and_is_an_error(openai, generator, kind, expected):
    openai.faults.add(kind, after=2, times=ALWAYS)
    text, error = fail(generator)
    assert text == "Refunds take"
    assert type(error) is expected
    assert openai.requests[CHAT] == 1


@pytest.mark.parametrize("place", ["headers", "first_token", "later"])
def test_cancelling_closes_the_stream_at_once(openai, generator, place):
    patient = OpenAIGenerator(api_key="key", base_url=f"{openai.url}/v1")
    openai.fixed_tokens = 10_000
    if place == "first_token":
        openai.first_token_seconds = 60
    else:
        openai.faults.add("stall", after=0 if place == "headers" else 3)

    async def cancel() -> None:
        task = asyncio.create_task(take(patient, 1_000))
        await until(lambda: openai.requests[CHAT] == 1)
        task.cancel()
        await asyncio.wait([task])
        await until(lambda: openai.disconnects == 1 and openai.open_streams == 0)

    run(cancel())


def test_vectors_are_those_of_the_texts_in_order(openai, embedder):
    openai.faults.add("shuffled")
    texts = ["alpha", "beta", "gamma"]
    vectors = run(embedder.embed(texts))
    expected = np.array([embed(text, 1_536) for text in texts], dtype=np.float32)
    np.testing.assert_allclose(vectors, expected, atol=1e-4)


def test_shorter_vectors_are_asked_for(openai):
    embedder = OpenAIEmbedder(
        api_key="key", base_url=f"{openai.url}/v1", dimension=64, shorten=True
    )
    assert run(embedder.embed(["alpha"])).shape == (1, 64)
    assert embedder.fingerprint == "openai:text-embedding-3-small:64"


@pytest.mark.parametrize(
    ("kind", "details", "expected"),
    [
        ("status", {"status": 500}, ProviderUnavailable),
        ("status", {"status": 401}, ProviderRejected),
        ("html", {}, ProviderMalformed),
        ("stall", {}, ProviderTimeout),
        ("cut", {}, ProviderUnavailable),
        ("malformed", {}, ProviderMalformed),
        ("dimension", {}, ProviderMalformed),
        ("half", {}, ProviderMalformed),
        ("nan", {}, ProviderMalformed),
    ],
)
def test_fault_of_vectors_is_an_error_of_ours(openai, embedder, kind, details, expected):
    openai.faults.add(kind, times=ALWAYS, **details)
    with pytest.raises(expected) as raised:
        run(embedder.embed(["alpha", "beta"]))
    assert "secret" not in str(raised.value)
