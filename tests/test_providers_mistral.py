"""Mistral through its true SDK, against the stand-in."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from common.loop import run
from rag.embedders.mistral import MistralEmbedder
from rag.errors import (
    ProviderError,
    ProviderMalformed,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnavailable,
)
from rag.generators.mistral import MistralGenerator
from rag.resilience.errors import CircuitOpen, ProviderBusy
from rag.types import Finished, Reference
from tests.providers import (
    LIMITS,
    answer,
    end_of,
    fail,
    make_prompt,
    served,
    take,
    text_of,
    until,
    warmed,
)
from tests.stand_ins.faults import ALWAYS
from tests.stand_ins.lexical import embed
from tests.stand_ins.mistral import MistralStandIn
from tests.stand_ins.server import free_port

CHAT = "POST /v1/chat/completions"
EMBEDDINGS = "POST /v1/embeddings"


@pytest.fixture
def mistral() -> Iterator[MistralStandIn]:
    with served(MistralStandIn()) as app:
        yield app


@pytest.fixture
def generator(mistral: MistralStandIn) -> MistralGenerator:
    return warmed(MistralGenerator(api_key="key", server_url=mistral.url, limits=LIMITS))


@pytest.fixture
def embedder(mistral: MistralStandIn) -> MistralEmbedder:
    return warmed(
        MistralEmbedder(api_key="key", server_url=mistral.url, seconds=2.0, total_seconds=10)
    )


def no_waiting(thing: MistralGenerator | MistralEmbedder) -> list[float]:
    """Make `thing` retry without waiting; the waits that it would have taken are listed."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    guard = thing.guard if isinstance(thing, MistralGenerator) else thing._guard
    object.__setattr__(guard.policy, "sleep", note)
    return waits


class TestAnswers:
    def test_answer_streams_and_says_what_it_used(self, mistral, generator):
        mistral.replies.append("Refunds take fourteen days. [1]")
        events = answer(generator)
        assert text_of(events) == "Refunds take fourteen days. [1]"
        finished = end_of(events)
        assert (finished.model, finished.reason) == ("mistral-small-latest", "stop")
        assert finished.usage.completion_tokens == 5
        assert finished.usage.prompt_tokens > 0

    def test_instructions_turns_and_passages_reach_the_model(self, mistral, generator):
        answer(generator)
        [(_, payload)] = mistral.journal
        roles = [message["role"] for message in payload["messages"]]
        assert roles == ["system", "user", "assistant", "user"]
        assert payload["messages"][-1]["content"] == make_prompt().user
        assert payload["stream"] is True

    def test_reference_parts_become_references_to_passages(self, mistral, generator):
        mistral.replies.append(
            [
                [{"type": "text", "text": "Yes. Refunds take two weeks"}],
                [{"type": "reference", "reference_ids": [1, 7]}],
                [{"type": "text", "text": ". Shipping is free"}],
                [{"type": "reference", "reference_ids": ["2"]}],
                ".",
            ]
        )
        events = answer(generator)
        text = text_of(events)
        references = [event for event in events if isinstance(event, Reference)]
        quoted = [(event.ref, text[slice(*event.answer_span)]) for event in references]
        assert text == "Yes. Refunds take two weeks. Shipping is free."
        assert quoted == [(1, "Refunds take two weeks"), (2, "Shipping is free")]

    def test_thoughts_are_no_part_of_the_answer(self, mistral, generator):
        thought = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]
        mistral.replies.append([thought, "Fourteen days."])
        assert text_of(answer(generator)) == "Fourteen days."

    def test_one_connection_serves_answer_after_answer(self, mistral, generator):
        async def three() -> int:
            for _ in range(3):
                await take(generator, 1_000_000)
            return 0

        for _ in range(3):
            answer(generator)
        client = run(generator._client._clients.get())
        assert len(client.sdk_configuration.async_client._transport._open) == 1

    def test_key_that_is_wrong_is_a_refusal(self, mistral):
        generator = MistralGenerator(api_key="wrong", server_url=mistral.url, limits=LIMITS)
        _, error = fail(generator)
        assert type(error) is ProviderRejected
        assert mistral.requests[CHAT] == 1

    def test_server_url_may_end_in_v1(self, mistral):
        generator = MistralGenerator(api_key="key", server_url=f"{mistral.url}/v1/", limits=LIMITS)
        assert text_of(answer(generator)) == "Refunds take fourteen days. [1]"


BEFORE_THE_FIRST_TOKEN = [
    ("status", {"status": 500}, ProviderUnavailable),
    ("status", {"status": 502}, ProviderUnavailable),
    ("status", {"status": 429}, ProviderBusy),
    ("status", {"status": 429, "retry_after": "3600"}, ProviderBusy),
    ("status", {"status": 403}, ProviderRejected),
    ("status", {"status": 422}, ProviderRejected),
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
]


class TestFaultsOfAnswers:
    @pytest.mark.parametrize(("kind", "details", "expected"), BEFORE_THE_FIRST_TOKEN)
    def test_fault_before_the_first_token_says_nothing(
        self, mistral, generator, kind, details, expected
    ):
        no_waiting(generator)
        mistral.faults.add(kind, times=ALWAYS, **details)
        text, error = fail(generator)
        assert text == ""
        assert isinstance(error, expected)
        assert "secret" not in str(error)

    @pytest.mark.parametrize(
        ("kind", "details", "expected"),
        [
            ("stall", {}, ProviderTimeout),
            ("cut", {}, ProviderUnavailable),
            ("truncate", {}, ProviderMalformed),
            ("malformed", {}, ProviderMalformed),
            ("stream_error", {}, ProviderUnavailable),
        ],
    )
    def test_fault_in_the_middle_keeps_the_text_and_is_an_error(
        self, mistral, generator, kind, details, expected
    ):
        mistral.faults.add(kind, after=2, times=ALWAYS, **details)
        text, error = fail(generator)
        assert text == "Refunds take"
        assert type(error) is expected
        assert mistral.requests[CHAT] == 1

    def test_stream_without_a_finish_reason_is_not_complete(self, mistral, generator):
        mistral.faults.add("no_reason", times=ALWAYS)
        text, error = fail(generator)
        assert text == "Refunds take fourteen days. [1]"
        assert type(error) is ProviderMalformed

    def test_stream_without_done_is_complete(self, mistral, generator):
        mistral.faults.add("no_done")
        assert end_of(answer(generator)).reason == "stop"

    def test_server_error_is_tried_again_once(self, mistral, generator):
        no_waiting(generator)
        mistral.faults.add("status", status=503)
        assert text_of(answer(generator)) == "Refunds take fourteen days. [1]"
        assert mistral.requests[CHAT] == 2

    def test_short_retry_after_is_waited_for(self, mistral, generator):
        waits = no_waiting(generator)
        mistral.faults.add("status", status=429, retry_after="2")
        assert end_of(answer(generator)).reason == "stop"
        assert 2.0 <= waits[0] <= 2.5

    def test_long_retry_after_is_left_to_the_next_rung(self, mistral, generator):
        mistral.faults.add("status", status=429, retry_after="60", times=ALWAYS)
        _, error = fail(generator)
        assert (type(error), error.wait) == (ProviderBusy, 60.0)
        assert mistral.requests[CHAT] == 1

    def test_deadline_of_the_prompt_ends_a_drip(self, mistral, generator):
        async def ask_until_soon() -> None:
            deadline = asyncio.get_running_loop().time() + 0.3
            await take(generator, 1_000_000, make_prompt(deadline=deadline))

        mistral.fixed_tokens = 10_000
        mistral.tokens_per_second = 20
        with pytest.raises(ProviderTimeout):
            run(ask_until_soon())

    def test_provider_that_is_down_is_unavailable(self):
        url = f"http://127.0.0.1:{free_port()}"
        generator = MistralGenerator(api_key="key", server_url=url, limits=LIMITS)
        no_waiting(generator)
        assert type(fail(generator)[1]) is ProviderUnavailable

    def test_circuit_opens_after_failures_and_closes_after_a_probe(self, mistral, generator):
        no_waiting(generator)
        now = [1_000.0]
        generator.guard.breaker._clock = lambda: now[0]
        mistral.faults.add("status", times=ALWAYS)
        for _ in range(3):
            fail(generator)
        asked = mistral.requests[CHAT]
        _, error = fail(generator)
        assert isinstance(error, CircuitOpen)
        assert mistral.requests[CHAT] == asked
        mistral.faults.clear()
        now[0] += 60
        assert end_of(answer(generator)).reason == "stop"
        assert generator.guard.breaker.state == "closed"


class TestLeaving:
    def test_stopping_after_a_token_closes_the_stream(self, mistral, generator):
        async def stop() -> None:
            await take(generator, 2)
            await until(lambda: mistral.open_streams == 0 and mistral.disconnects == 1)

        mistral.fixed_tokens = 10_000
        mistral.tokens_per_second = 50
        run(stop())

    @pytest.mark.parametrize("place", ["headers", "first_token", "later"])
    def test_cancelling_closes_the_stream_at_once(self, mistral, generator, place):
        patient = MistralGenerator(api_key="key", server_url=mistral.url)
        mistral.fixed_tokens = 10_000
        if place == "first_token":
            mistral.first_token_seconds = 60
        else:
            mistral.faults.add("stall", after=0 if place == "headers" else 3)

        async def cancel() -> None:
            task = asyncio.create_task(take(patient, 1_000))
            await until(lambda: mistral.requests[CHAT] == 1)
            if place != "headers":
                await until(lambda: mistral.open_streams == 1)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            await until(lambda: mistral.disconnects == 1)

        run(cancel())
        assert mistral.open_streams == 0

    def test_cancelling_at_any_moment_leaves_nothing_open(self, mistral, generator):
        patient = MistralGenerator(api_key="key", server_url=mistral.url)
        mistral.first_token_seconds = 60

        async def cancel_after(seconds: float) -> None:
            task = asyncio.create_task(take(patient, 1_000))
            await asyncio.wait([task], timeout=seconds)
            task.cancel()
            await asyncio.wait([task])

        async def cancel_many() -> None:
            await asyncio.gather(*(cancel_after(number / 30) for number in range(60)))
            await until(lambda: mistral.open_streams == 0)
            assert mistral.disconnects == mistral.opened_streams

        run(cancel_many())
        assert mistral.opened_streams > 0

    def test_a_hundred_answers_at_once_are_each_whole(self, mistral):
        patient = MistralGenerator(api_key="key", server_url=mistral.url)
        mistral.fixed_tokens = 20
        mistral.first_token_seconds = 1.0

        async def ask() -> int:
            events = [event async for event in patient.generate(make_prompt())]
            assert isinstance(events[-1], Finished)
            return len(text_of(events).split())

        async def ask_many() -> list[int]:
            return await asyncio.gather(*(ask() for _ in range(100)))

        assert run(ask_many()) == [20] * 100
        # However long the provider thinks: all of them have been asked by then.
        assert mistral.most_open_streams == 100


class TestVectors:
    def test_vectors_are_those_of_the_texts_in_order(self, mistral, embedder):
        mistral.faults.add("shuffled")
        texts = ["alpha", "beta", "gamma"]
        vectors = run(embedder.embed(texts))
        expected = np.array([embed(text, 1_024) for text in texts], dtype=np.float32)
        assert vectors.shape == (3, 1_024)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, expected, atol=1e-4)

    def test_batches_keep_to_the_limits_of_the_api(self, mistral, embedder):
        texts = ["word " * 240 for _ in range(300)]
        assert run(embedder.embed(texts)).shape == (300, 1_024)
        sizes = [len(payload["input"]) for _, payload in mistral.journal]
        assert sum(sizes) == 300
        assert mistral.requests[EMBEDDINGS] == len(sizes) > 2

    def test_batch_with_more_tokens_than_estimated_is_halved(self, mistral, embedder):
        embedder.max_tokens = 10**9
        assert run(embedder.embed(["word " * 5_000] * 4)).shape == (4, 1_024)
        assert [len(payload["input"]) for _, payload in mistral.journal] == [4, 2, 2]

    def test_text_too_long_for_the_model_is_known_by_its_beginning(self, mistral, embedder):
        assert run(embedder.embed(["word " * 20_000])).shape == (1, 1_024)

    def test_only_the_part_that_failed_is_asked_again(self, mistral, embedder):
        no_waiting(embedder)
        mistral.faults.add("status", status=429, retry_after="1")
        texts = [f"{number} " + "word " * 240 for number in range(200)]
        assert run(embedder.embed(texts)).shape == (200, 1_024)
        asked = [text for _, payload in mistral.journal for text in payload["input"]]
        assert sorted(asked) == sorted(texts)
        assert mistral.requests[EMBEDDINGS] == len(mistral.journal) + 1

    def test_field_that_nobody_needs_may_be_missing(self, mistral, embedder):
        mistral.faults.add("without_id")
        assert run(embedder.embed(["alpha"])).shape == (1, 1_024)

    def test_tokens_are_counted(self, mistral, embedder):
        run(embedder.embed(["alpha beta"]))
        assert embedder.usage.prompt_tokens == 3

    @pytest.mark.parametrize(
        ("kind", "details", "expected"),
        [
            ("status", {"status": 500}, ProviderUnavailable),
            ("status", {"status": 429}, ProviderBusy),
            ("status", {"status": 401}, ProviderRejected),
            ("status", {"status": 400}, ProviderRejected),
            ("html", {}, ProviderMalformed),
            ("redirect", {}, ProviderMalformed),
            ("slow", {"seconds": 30}, ProviderTimeout),
            ("stall", {}, ProviderTimeout),
            ("drip", {"size": 8, "seconds": 0.05}, ProviderTimeout),
            ("cut", {}, ProviderUnavailable),
            ("malformed", {}, ProviderMalformed),
            ("dimension", {}, ProviderMalformed),
            ("half", {}, ProviderMalformed),
            ("nan", {}, ProviderMalformed),
            ("huge", {}, ProviderError),
            ("gzip", {}, ProviderUnavailable),
        ],
    )
    def test_fault_that_lasts_is_an_error_of_ours(self, mistral, embedder, kind, details, expected):
        no_waiting(embedder)
        mistral.faults.add(kind, times=ALWAYS, **details)
        with pytest.raises(expected) as raised:
            run(embedder.embed(["alpha", "beta"]))
        assert "secret" not in str(raised.value)

    @pytest.mark.parametrize("kind", ["status", "cut", "malformed", "dimension", "half", "nan"])
    def test_fault_that_passes_costs_a_retry(self, mistral, embedder, kind):
        waits = no_waiting(embedder)
        mistral.faults.add(kind)
        assert run(embedder.embed(["alpha", "beta"])).shape == (2, 1_024)
        assert mistral.requests[EMBEDDINGS] == 2
        assert 0.25 <= waits[0] <= 0.5
