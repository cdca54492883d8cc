"""A follow-up made into a question of its own: by the model if there is one, else by rule."""

import asyncio
import logging
import re
from contextlib import aclosing
from dataclasses import replace

from django.conf import settings

from rag.backends import get_generator
from rag.errors import ProviderError
from rag.followups import StandaloneQuestion, WeightedTurn
from rag.prompts import build_rewriting_prompt
from rag.resilience.deadline import instant
from rag.retrieval import standalone_of
from rag.types import DECLINED, Finished, Question, TextDelta, Usage

logger = logging.getLogger(__name__)

EXTRACTIVE = "extractive"
MAX_CHARS = 400
# The words as asked keep a say, in case the model has put in what nobody meant.
ASKED_WEIGHT = 0.25


async def make_standalone(question: Question) -> StandaloneQuestion:
    """What to search for in place of `question`, which may lean on the turns before it.

    The model is asked only where the rule finds that the question leans back, and only for
    `RAG["REWRITE_SECONDS"]`; whatever goes wrong, the rule's answer stands.
    """
    by_rule = standalone_of(question)
    generator = get_generator()
    seconds = settings.RAG["REWRITE_SECONDS"]
    if by_rule.is_complete or generator.name == EXTRACTIVE or seconds <= 0:
        return by_rule
    try:
        # The call ends itself by its deadline; this holds where a back end knows of none.
        async with asyncio.timeout(2 * seconds):
            rewritten, usage = await _ask_model(question, seconds)
    except (ProviderError, TimeoutError) as error:
        logger.warning("The follow-up is made standalone by rule: %s", type(error).__name__)
        return by_rule
    if rewritten is None:
        return replace(by_rule, usage=usage)
    turns = (WeightedTurn(rewritten, 1.0), WeightedTurn(question.text, ASKED_WEIGHT))
    return StandaloneQuestion(rewritten, turns, is_complete=True, usage=usage)


async def _ask_model(question: Question, seconds: float) -> tuple[str | None, Usage | None]:
    """The model's one line (None where it is no question to search for), and what it counted."""
    prompt = build_rewriting_prompt(question, deadline=instant(seconds, question.deadline))
    text, usage = "", None
    async with aclosing(get_generator().generate(prompt)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                text += event.text
            elif isinstance(event, Finished):
                if event.mode == EXTRACTIVE:
                    return None, None
                usage = event.usage
    line = re.sub(r"\s+", " ", text).strip().strip('"')
    usable = 0 < len(line) <= MAX_CHARS and DECLINED not in line
    return (line if usable else None), usage
