"""The ladder of generators: Mistral, then OpenAI-compatible endpoints, then quoting."""

import asyncio
from collections.abc import AsyncGenerator, Iterator

import pytest

from common.loop import run
from rag.errors import NotConfigured, ProviderRejected, ProviderTimeout, ProviderUnavailable
from rag.generators.base import Generator
from rag.generators.chain import ChainGenerator
from rag.generators.mistral import MistralGenerator
from rag.generators.openai import OpenAIGenerator
from rag.types import Finished, GeneratorEvent, Prompt, TextDelta
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
from tests.stand_ins.mistral import MistralStandIn
from tests.stand_ins.openai import OpenAIStandIn

CHAT = "POST /v1/chat/completions"


class Quoting(Generator):
    """A last rung that is always there."""

    name = "extractive"

    async def _stream(self, prompt: Prompt) -> AsyncGenerator[GeneratorEvent, None]:
        yield TextDelta(text="Quoted.")
        yield Finished(model="extractive", mode="extractive")


@pytest.fixture
def mistral() -> Iterator[MistralStandIn]:
    with served(MistralStandIn()) as app:
        yield app


@pytest.fixture
def openai() -> Iterator[OpenAIStandIn]:
    with served(OpenAIStandIn()) as app:
        app.replies.append("From the second rung.")
        yield app


@pytest.fixture
def chain(mistral: MistralStandIn, openai: OpenAIStandIn) -> ChainGenerator:
    return ChainGenerator(
        rungs=[
            warmed(MistralGenerator(api_key="key", server_url=mistral.url, limits=LIMITS)),
            warmed(OpenAIGenerator(api_key="key", base_url=f"{openai.url}/v1", limits=LIMITS)),
            Quoting(),
        ]
    )


class TestFalling:
    def test_first_rung_answers_when_it_can(self, chain, openai):
        events = answer(chain)
        assert text_of(events) == "Refunds take fourteen days. [1]"
        assert end_of(events).fell == ()
        assert openai.requests[CHAT] == 0

    @pytest.mark.parametrize(
        ("kind", "details", "code"),
        [
            ("status", {"status": 500}, "provider_unavailable"),
            ("status", {"status": 429, "retry_after": "30"}, "provider_busy"),
            ("html", {}, "provider_malformed"),
            ("stall", {}, "provider_timeout"),
            ("slow", {"seconds": 30}, "provider_timeout"),
            ("cut", {}, "provider_unavailable"),
            ("empty", {}, "provider_malformed"),
            ("stream_error", {}, "provider_unavailable"),
        ],
    )
    def test_second_rung_answers_when_the_first_fails(self, chain, mistral, kind, details, code):
        mistral.faults.add(kind, times=ALWAYS, **details)
        events = answer(chain)
        assert text_of(events) == "From the second rung."
        assert end_of(events).model == "gpt-4o-mini"
        assert end_of(events).fell == ({"rung": "mistral", "code": code},)
        assert end_of(events).usage.completion_tokens == 4

    def test_sources_are_quoted_when_every_model_fails(self, chain, mistral, openai):
        mistral.faults.add("status", times=ALWAYS)
        openai.faults.add("cut", times=ALWAYS)
        finished = end_of(answer(chain))
        assert finished.mode == "extractive"
        assert [fall["rung"] for fall in finished.fell] == ["mistral", "openai"]

    def test_refusal_for_good_does_not_fall(self, chain, mistral, openai):
        mistral.faults.add("status", status=401, times=ALWAYS)
        assert type(fail(chain)[1]) is ProviderRejected
        assert openai.requests[CHAT] == 0

    def test_answer_that_began_does_not_fall(self, chain, mistral, openai):
        mistral.faults.add("cut", after=2, times=ALWAYS)
        text, error = fail(chain)
        assert text == "Refunds take"
        assert type(error) is ProviderUnavailable
        assert openai.requests[CHAT] == 0

    def test_deadline_that_is_over_leaves_the_last_rung(self, chain, mistral):
        mistral.faults.add("stall", times=ALWAYS)

        async def ask() -> list[GeneratorEvent]:
            deadline = asyncio.get_running_loop().time() + 0.1
            return [event async for event in chain.generate(make_prompt(deadline=deadline))]

        finished = end_of(run(ask()))
        assert finished.mode == "extractive"
        assert {fall["code"] for fall in finished.fell} == {ProviderTimeout.code}

    def test_open_circuit_is_passed_over_without_a_call(self, chain, mistral, openai):
        mistral.faults.add("status", times=ALWAYS)
        for _ in range(4):
            openai.replies.append("From the second rung.")
            finished = end_of(answer(chain))
        assert finished.fell == ({"rung": "mistral", "code": "circuit_open"},)
        assert mistral.requests[CHAT] == 5

    def test_leaving_closes_the_rung_that_answers(self, chain, mistral, openai):
        mistral.faults.add("status", times=ALWAYS)
        openai.fixed_tokens = 10_000
        openai.tokens_per_second = 50

        async def stop() -> None:
            await take(chain, 2)
            await until(lambda: openai.disconnects == 1)

        run(stop())
        assert openai.open_streams == 0

    def test_chain_is_built_from_settings(self):
        options = {"api_key": "key", "name": "one"}
        path = "rag.generators.openai.OpenAIGenerator"
        chain = ChainGenerator(rungs=[{"BACKEND": path, "OPTIONS": options}])
        assert [rung.name for rung in chain.rungs] == ["one"]

    def test_chain_without_rungs_is_not_configured(self):
        with pytest.raises(NotConfigured):
            ChainGenerator(rungs=[])
