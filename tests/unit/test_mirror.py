"""What is copied to Redis for other workers goes when it should."""

import asyncio
import uuid

import fakeredis
import pytest

from chat.streams.mirror import Mirror, stream_key


@pytest.fixture
def mirror(settings, monkeypatch):
    settings.USE_FAKE_REDIS = False
    client = fakeredis.FakeAsyncRedis()
    monkeypatch.setattr("chat.streams.mirror.open_async_redis", lambda: client)
    return Mirror(stop=lambda _: None, subscribed=lambda: None)


def test_events_copied_after_their_deletion_go_too(mirror: Mirror) -> None:
    # The conversation was deleted, in Redis too; then the copy that was under way arrived.
    answer, other = uuid.uuid4(), uuid.uuid4()

    async def forget() -> list[int]:
        redis = mirror._redis()
        for message_id in (answer, other):
            await redis.xadd(stream_key(message_id), {"frame": "text"})
        mirror.forget([answer])
        await asyncio.wait_for(mirror._writer, 10)
        return [await redis.exists(stream_key(message_id)) for message_id in (answer, other)]

    assert asyncio.run(forget()) == [0, 1]


def test_answers_forgotten_while_others_are_deleted_are_deleted_next(mirror: Mirror) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()

    async def forget() -> int:
        redis = mirror._redis()
        await redis.xadd(stream_key(second), {"frame": "text"})
        delete = redis.delete

        async def delete_slowly(*names: str) -> None:
            await delete(*names)
            mirror.forget([second])
            redis.delete = delete

        redis.delete = delete_slowly
        mirror.forget([first])
        await asyncio.wait_for(mirror._writer, 10)
        return await redis.exists(stream_key(second))

    assert asyncio.run(forget()) == 0
