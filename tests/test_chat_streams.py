"""Answers as streams of events: followed, taken up again, stopped, failed."""

import asyncio
import sqlite3
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from rest_framework.test import APIClient

from chat.models import ChatMessage, ChatSession, SenderType, Status
from chat.services.messages import begin_answer, new_answer
from chat.services.sweeps import fail_stuck_answers
from chat.streams.follow import follow_sync
from chat.streams.mirror import delete_streams, stream_key
from chat.streams.registry import get_registry, reset_registry
from common.loop import get_loop, run
from common.redis import get_redis
from rag.errors import ProviderRejected, ProviderTimeout
from tests.factories import bearer, make_user
from tests.fakes import ScriptedGenerator
from tests.sse import check_whole, parse, text_of
from tests.waiting import eventually
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)

PIECES = ("An access", " token", " lives", " 15 minutes.")


@pytest.fixture(autouse=True)
def script(scripted: type[ScriptedGenerator]) -> type[ScriptedGenerator]:
    """The generator, saying four pieces."""
    scripted.pieces = PIECES
    return scripted


def stream(client: APIClient, content: str = "How long?", **headers: Any) -> bytes:
    """The whole stream of a new question's answer."""
    response = client.post("/api/chat/messages/", {"content": content, "stream": True}, **headers)
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content)


def resume(client: APIClient, message_id: str, after: int) -> bytes:
    """The rest of an answer's stream."""
    response = client.get(
        f"/api/chat/messages/{message_id}/events/", headers={"last-event-id": str(after)}
    )
    return b"".join(response.streaming_content)


def hold_before(script: type[ScriptedGenerator], piece: int) -> Callable[[], None]:
    """Let answers wait before `piece`; the function returned lets them go on."""
    gate = asyncio.Event()
    script.hold, script.hold_before = gate, piece
    return lambda: get_loop().call_soon_threadsafe(gate.set)  # type: ignore[return-value]


def nothing_is_held() -> bool:
    """Whether no connection of the pool is taken (PostgreSQL), no transaction open (SQLite)."""
    connection.close()
    if connection.vendor == "postgresql":
        stats = connection.pool.get_stats()
        return bool(stats["pool_available"] == stats["pool_size"])
    with sqlite3.connect(connection.settings_dict["NAME"], timeout=0.1) as other:
        other.execute("BEGIN EXCLUSIVE")
    return True


def running_answer(client: APIClient) -> str:
    """The id of an answer that has begun, by a client that has gone away."""
    before = set(ChatMessage.objects.values_list("pk", flat=True))
    response = client.post("/api/chat/messages/", {"content": "How long?", "stream": True})
    next(iter(response.streaming_content))
    response.close()
    answer = ChatMessage.objects.exclude(pk__in=before).get(sender_type="bot")
    return str(answer.pk)


class TestStream:
    def test_events_come_in_order_and_fit_their_schemas(self, user_api: APIClient) -> None:
        events = parse(stream(user_api))

        check_whole(events)
        assert [event.name for event in events] == [
            "message.created",
            "retrieval.completed",
            *["answer.delta"] * 4,
            "usage",
            "message.completed",
        ]
        assert text_of(events) == "".join(PIECES)
        assert events[-1].data["bot_message"]["content"] == "".join(PIECES)

    def test_accept_header_asks_for_a_stream_too(self, user_api: APIClient) -> None:
        response = user_api.post(
            "/api/chat/messages/", {"content": "How long?"}, headers={"accept": "text/event-stream"}
        )

        assert response["Content-Type"] == "text/event-stream"
        assert response["Cache-Control"] == "no-cache, no-transform"
        assert response["X-Accel-Buffering"] == "no"
        check_whole(parse(b"".join(response.streaming_content)))

    def test_bad_question_is_a_problem_even_when_events_were_asked_for(
        self, user_api: APIClient
    ) -> None:
        response = user_api.post(
            "/api/chat/messages/", {"content": ""}, headers={"accept": "text/event-stream"}
        )

        assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
        assert response.json()["code"] == "invalid"

    def test_cut_at_every_event_it_joins_up_to_the_same_text(self, user_api: APIClient) -> None:
        whole = parse(stream(user_api))
        message_id = whole[0].data["bot_message_id"]

        for cut in range(len(whole)):
            rest = parse(resume(user_api, message_id, after=cut))
            assert whole[:cut] + rest == whole

    def test_client_with_all_events_gets_the_terminal_one_again(self, user_api: APIClient) -> None:
        whole = parse(stream(user_api))

        again = parse(resume(user_api, whole[0].data["bot_message_id"], after=len(whole)))

        assert again == whole[-1:]

    @pytest.mark.parametrize("value", ["x", "-1", "1.5", "99999999999", "１"])
    def test_foreign_event_id_is_a_400(self, user_api: APIClient, value: str) -> None:
        message_id = parse(stream(user_api))[0].data["bot_message_id"]

        response = user_api.get(
            f"/api/chat/messages/{message_id}/events/", headers={"last-event-id": value}
        )

        assert response.status_code == 400

    def test_event_id_from_the_future_waits_for_the_end(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        go_on = hold_before(script, 2)
        message_id = running_answer(user_api)
        response = user_api.get(
            f"/api/chat/messages/{message_id}/events/", headers={"last-event-id": "5000"}
        )

        go_on()

        events = parse(b"".join(response.streaming_content))
        assert [event.name for event in events] == ["message.completed"]

    def test_question_has_no_events(self, user_api: APIClient) -> None:
        question = parse(stream(user_api))[0].data["user_message"]["id"]

        assert user_api.get(f"/api/chat/messages/{question}/events/").status_code == 409

    def test_forgotten_events_are_told_from_what_is_stored(self, user_api: APIClient) -> None:
        whole = parse(stream(user_api))
        message_id = whole[0].data["bot_message_id"]
        # What is still on its way to Redis would be there again after it was deleted.
        eventually(
            lambda: (
                settings.USE_FAKE_REDIS
                or get_redis().xlen(stream_key(_uuid(message_id))) == len(whole)
            )
        )
        reset_registry()
        delete_streams([_uuid(message_id)])

        again = parse(resume(user_api, message_id, after=0))
        rest = parse(resume(user_api, message_id, after=3))

        check_whole(again)
        assert text_of(again) == "".join(PIECES)
        assert [event.name for event in rest] == ["message.completed"]

    def test_answer_goes_on_when_the_client_leaves(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        go_on = hold_before(script, 2)
        message_id = running_answer(user_api)

        go_on()

        message = eventually(
            lambda: ChatMessage.objects.filter(pk=message_id, status="complete").first()
        )
        assert message.content == "".join(PIECES)
        assert script.cancelled == 0

    def test_silent_stream_sends_heartbeats(
        self, user_api: APIClient, script: type[ScriptedGenerator], settings: Any
    ) -> None:
        settings.CHAT_STREAM_HEARTBEAT_SECONDS = 0.05
        go_on = hold_before(script, 0)
        response = user_api.post("/api/chat/messages/", {"content": "How long?", "stream": True})
        chunks = iter(response.streaming_content)

        while next(chunks) != b": keep-alive\n\n":
            pass
        go_on()

        assert parse(b"".join(chunks))[-1].name == "message.completed"

    def test_partial_text_is_stored_while_it_streams(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        go_on = hold_before(script, 2)
        message_id = running_answer(user_api)

        message = eventually(
            lambda: ChatMessage.objects.filter(pk=message_id, status="streaming").first()
        )

        assert message.content == "An access token"
        go_on()

    def test_no_database_connection_is_held_while_a_stream_is_open(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        go_on = hold_before(script, 2)
        response = user_api.post("/api/chat/messages/", {"content": "How long?", "stream": True})
        chunks = iter(response.streaming_content)
        next(chunks)

        eventually(nothing_is_held)
        go_on()
        b"".join(chunks)


class TestStop:
    @pytest.mark.parametrize(("piece", "kept"), [(0, ""), (2, "An access token")])
    def test_stop_keeps_what_came_and_reaches_the_provider(
        self, user_api: APIClient, script: type[ScriptedGenerator], piece: int, kept: str
    ) -> None:
        hold_before(script, piece)
        message_id = running_answer(user_api)
        eventually(lambda: len(script.prompts) == 1)
        eventually(
            lambda: get_registry().log_of(_uuid(message_id)).names.count("answer.delta") == piece
        )

        response = user_api.post(f"/api/chat/messages/{message_id}/stop/")

        assert response.status_code == 200
        assert (response.json()["status"], response.json()["content"]) == ("stopped", kept)
        assert script.cancelled == 1
        events = parse(resume(user_api, message_id, after=0))
        check_whole(events)
        assert events[-1].name == "message.stopped"

    def test_answer_that_is_stopped_before_its_first_step_ends_too(
        self, user: Any, script: type[ScriptedGenerator]
    ) -> None:
        question = ChatMessage(
            session=ChatSession.objects.create(user=user), sender_type="user", position=0
        )
        answer = new_answer(question)
        ChatMessage.objects.bulk_create([question, answer])

        async def begin_and_stop() -> None:
            begin_answer(user_id=user.pk, question=question, answer=answer)
            get_loop().call_soon(get_registry().stop, answer.pk)

        run(begin_and_stop())

        body = b"".join(follow_sync(answer.pk))
        assert [event.name for event in parse(body)] == ["message.created", "message.stopped"]
        assert script.prompts == []

    def test_stop_by_the_row_alone_works_when_no_message_reaches_the_writer(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        hold_before(script, 2)
        message_id = running_answer(user_api)

        ChatMessage.objects.filter(pk=message_id).update(stop_requested=True)

        eventually(lambda: ChatMessage.objects.filter(pk=message_id, status="stopped").exists())

    def test_stop_of_an_ended_answer_changes_nothing(self, user_api: APIClient) -> None:
        message_id = parse(stream(user_api))[0].data["bot_message_id"]

        response = user_api.post(f"/api/chat/messages/{message_id}/stop/")

        assert (response.status_code, response.json()["status"]) == (200, "complete")

    def test_deleted_session_ends_its_running_answer(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        hold_before(script, 1)
        message_id = running_answer(user_api)
        session = ChatMessage.objects.get(pk=message_id).session_id
        eventually(lambda: script.prompts)

        assert user_api.delete(f"/api/chat/sessions/{session}/").status_code == 204

        eventually(lambda: script.cancelled == 1)
        assert not ChatMessage.objects.exists()


class TestFailure:
    def test_failed_provider_keeps_the_question(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        script.error = ProviderTimeout()

        response = user_api.post("/api/chat/messages/", {"content": "How long?"})

        body = response.json()
        assert response.status_code == 201
        assert body["user_message"]["content"] == "How long?"
        assert (body["bot_message"]["status"], body["bot_message"]["metadata"]["mode"]) == (
            "failed",
            "unavailable",
        )
        assert body["bot_message"]["metadata"]["error"] == {
            "code": "provider_timeout",
            "retryable": True,
        }

    def test_failure_in_the_middle_keeps_the_text_that_came(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        script.error, script.error_after = ProviderRejected(), 2

        events = parse(stream(user_api))

        check_whole(events)
        assert (events[-1].name, events[-1].data["code"]) == ("message.failed", "provider_rejected")
        assert events[-1].data["retryable"] is False
        assert events[-1].data["bot_message"]["content"] == "An access token"

    def test_text_that_cannot_be_stored_is_no_reason_to_fail(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        # NUL, and half a pair of surrogates.
        script.pieces = ("a\0b", "c\ud800")

        events = parse(stream(user_api))

        check_whole(events)
        stored = ChatMessage.objects.get(pk=events[0].data["bot_message_id"])
        assert (events[-1].name, stored.content) == ("message.completed", "a\ufffdbc\ufffd")

    def test_bug_ends_in_a_failed_answer_without_its_text(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        script.error = RuntimeError("secret detail")  # type: ignore[assignment]

        body = stream(user_api)

        assert parse(body)[-1].data["code"] == "server_error"
        assert b"secret detail" not in body

    def test_answer_without_end_is_ended_by_its_deadline(
        self, user_api: APIClient, script: type[ScriptedGenerator], settings: Any
    ) -> None:
        settings.CHAT_ANSWER_SECONDS = 0.1
        hold_before(script, 1)

        events = parse(stream(user_api))

        assert (events[-1].name, events[-1].data["code"]) == ("message.failed", "provider_timeout")

    def test_sweep_fails_an_answer_whose_worker_is_gone(
        self, user: User, user_api: APIClient
    ) -> None:
        # Rows that no worker here has written: upkeep of its own might still be under way.
        session = ChatSession.objects.create(user=user, next_position=2)
        question = ChatMessage.objects.create(
            session=session, sender_type=SenderType.USER, content="How long?", position=0
        )
        message_id = ChatMessage.objects.create(
            session=session,
            sender_type=SenderType.BOT,
            status=Status.STREAMING,
            content="An access ",
            position=1,
            reply_to=question,
            heartbeat_at="2026-01-01T00:00:00Z",
        ).pk

        assert fail_stuck_answers() == 1
        assert fail_stuck_answers() == 0

        message = user_api.get(f"/api/chat/messages/{message_id}/").json()
        assert (message["status"], message["content"]) == ("failed", "An access ")
        assert message["metadata"]["error"]["code"] == "worker_lost"
        again = user_api.post(f"/api/chat/messages/{message_id}/regenerate/", {})
        assert again.json()["bot_message"]["status"] == "complete"


class TestRegenerate:
    def test_new_answer_takes_the_place_and_the_old_one_is_kept(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        first = user_api.post("/api/chat/messages/", {"content": "How long?"}).json()
        script.pieces = ("Fifteen minutes.",)

        response = user_api.post(f"/api/chat/messages/{first['bot_message']['id']}/regenerate/", {})

        second = response.json()
        assert response.status_code == 201
        assert second["user_message"]["id"] == first["user_message"]["id"]
        assert (second["bot_message"]["content"], second["bot_message"]["variant"]) == (
            "Fifteen minutes.",
            2,
        )
        path = f"/api/chat/sessions/{first['user_message']['session']}/messages/"
        current = user_api.get(path).json()["results"]
        every = user_api.get(f"{path}?variants=all").json()["results"]
        assert [row["content"] for row in current] == ["How long?", "Fifteen minutes."]
        assert [row["content"] for row in every] == [
            "How long?",
            "".join(PIECES),
            "Fifteen minutes.",
        ]

    def test_it_streams_too(self, user_api: APIClient) -> None:
        message_id = parse(stream(user_api))[0].data["bot_message_id"]

        response = user_api.post(f"/api/chat/messages/{message_id}/regenerate/", {"stream": True})

        check_whole(parse(b"".join(response.streaming_content)))

    def test_while_an_answer_runs_it_is_a_409(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        go_on = hold_before(script, 1)
        message_id = running_answer(user_api)

        response = user_api.post(f"/api/chat/messages/{message_id}/regenerate/", {})

        assert (response.status_code, response.json()["code"]) == (409, "answer_running")
        go_on()


class TestConcurrency:
    def test_two_sends_at_once_are_both_answered_in_an_order_that_stays(
        self, user: Any, script: type[ScriptedGenerator]
    ) -> None:
        clients = [_client(user) for _ in range(6)]
        session = clients[0].post("/api/chat/sessions/", {}).json()["id"]

        answers = _at_once(
            [
                lambda c=c, n=n: c.post(
                    f"/api/chat/sessions/{session}/messages/", {"content": f"Q{n}"}
                )
                for n, c in enumerate(clients)
            ]
        )

        assert [answer.status_code for answer in answers] == [201] * 6
        rows = clients[0].get(f"/api/chat/sessions/{session}/messages/").json()["results"]
        assert [row["sender_type"] for row in rows] == ["user", "bot"] * 6
        for question, answer in zip(rows[::2], rows[1::2], strict=True):
            assert answer["reply_to"] == question["id"]

    def test_fifty_retries_make_one_question_and_one_call(
        self, user: Any, script: type[ScriptedGenerator], settings: Any
    ) -> None:
        settings.THROTTLES = {**settings.THROTTLES, "chat": {"user": "100/m", "staff": "100/m"}}
        clients = [_client(user) for _ in range(50)]
        headers = {"idempotency-key": "a-key"}

        answers = _at_once(
            [
                lambda c=c: c.post("/api/chat/messages/", {"content": "Once"}, headers=headers)
                for c in clients
            ]
        )

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert sum("Idempotency-Replayed" not in answer for answer in answers) == 1
        assert ChatMessage.objects.count() == 2
        assert len(script.prompts) == 1


class TestIdempotency:
    def test_retry_gets_the_first_answer_again(
        self, user_api: APIClient, script: type[ScriptedGenerator]
    ) -> None:
        first, again = (
            user_api.post(
                "/api/chat/messages/", {"content": "Once"}, headers={"idempotency-key": "k"}
            )
            for _ in range(2)
        )

        assert again.json() == first.json()
        assert again["Idempotency-Replayed"] == "true"
        assert len(script.prompts) == 1

    def test_retry_as_a_stream_follows_the_first_answer(self, user_api: APIClient) -> None:
        headers = {"idempotency-key": "k"}
        first = user_api.post("/api/chat/messages/", {"content": "Once"}, headers=headers).json()

        response = user_api.post(
            "/api/chat/messages/", {"content": "Once", "stream": True}, headers=headers
        )

        events = parse(b"".join(response.streaming_content))
        assert events[-1].data["bot_message"] == first["bot_message"]

    def test_other_body_is_a_422(self, user_api: APIClient) -> None:
        headers = {"idempotency-key": "k"}
        user_api.post("/api/chat/messages/", {"content": "Once"}, headers=headers)

        response = user_api.post("/api/chat/messages/", {"content": "Twice"}, headers=headers)

        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")

    def test_key_is_bound_to_the_user(self, user_api: APIClient) -> None:
        headers = {"idempotency-key": "k"}
        user_api.post("/api/chat/messages/", {"content": "Once"}, headers=headers)

        response = _client(make_user()).post(
            "/api/chat/messages/", {"content": "Mine"}, headers=headers
        )

        assert (response.status_code, ChatMessage.objects.count()) == (201, 4)

    @pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb", "é"])
    def test_bad_key_is_a_400(self, user_api: APIClient, key: str) -> None:
        response = user_api.post(
            "/api/chat/messages/", {"content": "Once"}, headers={"idempotency-key": key}
        )

        assert response.status_code == 400

    def test_old_key_is_free_again(self, user_api: APIClient, settings: Any) -> None:
        headers = {"idempotency-key": "k"}
        user_api.post("/api/chat/messages/", {"content": "Once"}, headers=headers)
        settings.IDEMPOTENCY_HOURS = 0

        response = user_api.post("/api/chat/messages/", {"content": "Twice"}, headers=headers)

        assert response.status_code == 201


def _client(user: Any) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {bearer(user)}")
    return client


def _uuid(text: str) -> Any:
    from uuid import UUID

    return UUID(text)


def _at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """What the calls return, all begun at the same moment in threads of their own."""
    barrier, results = Barrier(len(calls)), [None] * len(calls)

    def call(number: int) -> None:
        try:
            barrier.wait()
            results[number] = calls[number]()
        finally:
            connections.close_all()

    threads = [Thread(target=call, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
