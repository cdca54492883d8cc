"""Follow-ups are made standalone before retrieval: by the model, else by rule."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from rest_framework.test import APIClient

from rag.errors import ProviderTimeout
from rag.generators.base import Generator
from rag.types import Finished, GeneratorEvent, Prompt, TextDelta, Usage
from tests.factories import make_document

pytestmark = pytest.mark.django_db(transaction=True)

REWRITTEN = "How long does a refresh token live?"


class Rewriter(Generator):
    """Answers "Seven days."; to a follow-up it gives `rewritten`, or fails when that is None."""

    name = "rewriter"
    rewritten: str | None = REWRITTEN
    usage: Usage | None = None
    asked: list[Prompt] = []

    async def _stream(self, prompt: Prompt) -> AsyncGenerator[GeneratorEvent, None]:
        text = "Seven days. [1]"
        if "understandable on its own" in prompt.system:
            type(self).asked.append(prompt)
            if self.rewritten is None:
                raise ProviderTimeout
            text = self.rewritten
        yield TextDelta(text=text)
        yield Finished(model="rewriter", usage=self.usage)


@pytest.fixture(autouse=True)
def model(settings: Any, monkeypatch: pytest.MonkeyPatch) -> type[Rewriter]:
    """A model that rewrites, and a document to find."""
    monkeypatch.setattr(Rewriter, "rewritten", REWRITTEN)
    monkeypatch.setattr(Rewriter, "asked", [])
    choice = {"BACKEND": "tests.test_follow_ups.Rewriter", "OPTIONS": {}}
    settings.RAG = {**settings.RAG, "GENERATOR": choice}
    make_document("# Tokens\n\nA refresh token lives 7 days.", title="Refresh tokens")
    return Rewriter


def converse(client: APIClient, *questions: str) -> dict[str, Any]:
    """The metadata of the last answer."""
    path, body = "/api/chat/messages/", {}
    for question in questions:
        body = client.post(path, {"content": question}).json()
        path = f"/api/chat/sessions/{body['user_message']['session']}/messages/"
    return dict(body["bot_message"]["metadata"])


def test_model_makes_a_follow_up_standalone(user_api: APIClient, model: type[Rewriter]) -> None:
    metadata = converse(user_api, "What is a refresh token?", "And how long does it live?")

    assert metadata["standalone_question"] == REWRITTEN
    assert "What is a refresh token?" in model.asked[0].history[0].content
    assert "And how long does it live?" in model.asked[0].user


def test_question_that_stands_alone_is_not_sent_to_be_rewritten(
    user_api: APIClient, model: type[Rewriter]
) -> None:
    asked = "How many days does a refresh token live?"

    metadata = converse(user_api, "What is a refresh token?", asked)

    assert (metadata["standalone_question"], model.asked) == (asked, [])


@pytest.mark.parametrize(
    "rewritten", [None, "x" * 401, "I don't have specific information about this topic."]
)
def test_rule_stands_in_for_a_model_that_fails_or_talks(
    user_api: APIClient,
    model: type[Rewriter],
    monkeypatch: pytest.MonkeyPatch,
    rewritten: str | None,
) -> None:
    monkeypatch.setattr(model, "rewritten", rewritten)

    metadata = converse(user_api, "What is a refresh token?", "And how long does it live?")

    assert metadata["standalone_question"] == (
        "And how long does it live? (after: What is a refresh token?)"
    )


def test_what_rewriting_took_is_counted_with_the_answer(
    user_api: APIClient, model: type[Rewriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "usage", Usage(prompt_tokens=100, completion_tokens=7))

    alone = converse(user_api, "What is a refresh token?")
    followed = converse(user_api, "What is a refresh token?", "And how long does it live?")

    assert alone["usage"] == {"prompt_tokens": 100, "completion_tokens": 7}
    assert followed["usage"] == {"prompt_tokens": 200, "completion_tokens": 14}


def test_rewriting_that_came_to_nothing_is_counted_too(
    user_api: APIClient, model: type[Rewriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "rewritten", "x" * 401)
    monkeypatch.setattr(model, "usage", Usage(prompt_tokens=100, completion_tokens=7))

    metadata = converse(user_api, "What is a refresh token?", "And how long does it live?")

    # The rule's question found too little: the model was not asked for an answer.
    assert metadata["mode"] == "general"
    assert metadata["usage"] == {"prompt_tokens": 100, "completion_tokens": 7}


def test_setting_leaves_it_to_the_rule(
    user_api: APIClient, model: type[Rewriter], settings: Any
) -> None:
    settings.RAG = {**settings.RAG, "REWRITE_SECONDS": 0}

    converse(user_api, "What is a refresh token?", "And how long does it live?")

    assert model.asked == []
