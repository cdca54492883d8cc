"""A message over HTTP while Redis fails: no request fails that does not need it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from chat.models import ChatMessage
from common.loop import run
from common.redis import get_redis
from tests.factories import make_document
from tests.faults import REDIS, Cell, note
from tests.providers import until
from tests.redis_server import RedisServer, running_redis
from tests.test_faults import CHAT, PARKING, REFUNDS, SAID, House, ask

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def redis(tmp_path: Path, settings: Any) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        settings.REDIS_URL, settings.USE_FAKE_REDIS = server.url, False
        get_redis.cache_clear()
        yield server
        server.heal()
    get_redis.cache_clear()


@pytest.fixture
def house(settings: Any) -> Iterator[House]:
    with ExitStack() as stack:
        house = House(settings, stack)
        house.with_models(fallback=False)
        make_document(REFUNDS, title="Refunds")
        make_document(PARKING, title="Parking")
        yield house


def ask_and_break(house: House, redis: RedisServer, client: APIClient, cell: Cell) -> Any:
    """The answer to a question in whose midst, or before which, Redis fails."""
    fault, _, midway = cell.kind.partition(" ")
    if not midway:
        getattr(redis, fault)()
        return ask(client)
    house.mistral.first_token_seconds = 0.5
    house.mistral.tokens_per_second = 20
    before = house.mistral.requests[CHAT]
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(ask_and_close, client)
        run(until(lambda: house.mistral.requests[CHAT] > before))
        getattr(redis, fault)()
        return asked.result(timeout=30)


def ask_and_close(client: APIClient) -> Any:
    """`ask`, from a thread that leaves no connection behind."""
    try:
        return ask(client)
    finally:
        connection.close()


@pytest.mark.parametrize("cell", REDIS, ids=lambda cell: cell.id)
def test_message(redis: RedisServer, house: House, user_api: APIClient, cell: Cell) -> None:
    assert ask(user_api)["content"] == SAID

    started = time.perf_counter()
    broken = ask_and_break(house, redis, user_api, cell)
    note(cell, time.perf_counter() - started)
    assert (broken["status"], broken["metadata"]["mode"]) == cell.outcome
    assert broken["content"] == SAID

    redis.heal()
    healed = ask(user_api)
    assert (healed["status"], healed["metadata"]["mode"]) == ("complete", "grounded")
    assert ChatMessage.objects.filter(sender_type="bot").count() == 3
