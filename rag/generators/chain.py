"""The ladder: the first generator that can answer does; the last quotes the sources itself."""

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from django.utils.module_loading import import_string

from rag.errors import NotConfigured, ProviderError
from rag.generators.base import Generator
from rag.types import Finished, GeneratorEvent, Prompt

logger = logging.getLogger(__name__)


class ChainGenerator(Generator):
    """Falls from rung to rung on faults that may pass, and only before the first token.

    A refusal for good (a wrong key, a wrong model) does not fall: an operator must see it. The
    whole answer has one deadline, `Prompt.deadline`; the last rung is asked even when it is over.
    """

    name = "chain"

    def __init__(self, *, rungs: Sequence[Mapping[str, Any] | Generator]) -> None:
        self.rungs = [rung if isinstance(rung, Generator) else _build(rung) for rung in rungs]
        if not self.rungs:
            raise NotConfigured("The chain of generators has no rung.")

    async def _stream(self, prompt: Prompt) -> AsyncGenerator[GeneratorEvent, None]:
        fell: list[Mapping[str, str]] = []
        for rung in self.rungs:
            started = False
            try:
                async with aclosing(rung.generate(prompt)) as events:
                    async for event in events:
                        started = True
                        yield _with_falls(event, fell)
                return
            except ProviderError as error:
                if started or not error.transient or rung is self.rungs[-1]:
                    raise
                logger.warning("Rung %s fell: %s", rung.name, error.code)
                fell.append({"rung": rung.name, "code": error.code})


def _with_falls(event: GeneratorEvent, fell: list[Mapping[str, str]]) -> GeneratorEvent:
    return replace(event, fell=(*fell, *event.fell)) if isinstance(event, Finished) else event


def _build(rung: Mapping[str, Any]) -> Generator:
    generator: Generator = import_string(rung["BACKEND"])(**rung.get("OPTIONS", {}))
    return generator
