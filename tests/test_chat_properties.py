"""Random interleavings of all that can happen to conversations, held against a model of them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chat.models import ChatMessage, ChatSession
from chat.services.sweeps import fail_stuck_answers
from chat.streams.registry import get_registry, reset_registry
from common.loop import get_loop, run
from rag.errors import ProviderUnavailable
from tests.factories import as_user, make_user
from tests.fakes import SteppedGenerator
from tests.sse import ServerSentEvent, check_whole, parse, text_of
from users.models import User

PATIENCE_SECONDS = 20.0
TERMINAL = {
    "complete": "message.completed",
    "stopped": "message.stopped",
    "failed": "message.failed",
}

pytestmark = pytest.mark.django_db(transaction=True)


def eventually(condition: Callable[[], Any]) -> Any:
    """What `condition` gives once it is true."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        if value := condition():
            return value
        time.sleep(0.002)
    raise AssertionError("it never came true")


@dataclass
class Answer:
    """What must be true of an answer."""

    id: str
    pieces: list[str] = field(default_factory=list)
    status: str = "running"
    #: How much of the text was certainly in the database when the worker was killed.
    flushed: int = 0
    #: Its events, once it has ended; None when the worker that had them is gone.
    events: list[ServerSentEvent] | None = None
    killed: bool = False

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass
class Question:
    """A question and the answers that it got, the current one last."""

    content: str
    answers: list[Answer]

    @property
    def current(self) -> Answer:
        return self.answers[-1]


class Conversations(RuleBasedStateMachine):
    """One person's sessions; another person looks on and must see nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, list[Question]] = {}
        self.deleted: list[str] = []
        self.count = 0
        self.api = as_user(make_user())
        self.stranger = as_user(make_user())
        self.orphans: list[asyncio.Task[None]] = []

    # --- what people do ------------------------------------------------------------------

    @rule()
    def open_session(self) -> None:
        body = self.send("/api/chat/messages/")
        self.sessions[body["session"]] = [self.asked]

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def send_into_session(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(sorted(self.sessions)))
        self.send(f"/api/chat/sessions/{session}/messages/")
        self.sessions[session].append(self.asked)

    def send(self, path: str) -> dict[str, Any]:
        self.count += 1
        content = f"Question {self.count}?"
        response = self.api.post(path, {"content": content, "stream": True})
        created = parse(next(iter(response.streaming_content)))[0].data
        response.close()  # the client leaves
        self.asked = Question(content, [Answer(created["bot_message_id"])])
        eventually(lambda: content in SteppedGenerator.steps)
        return dict(created["user_message"])

    @precondition(lambda self: self.running())
    @rule(data=st.data(), pieces=st.integers(1, 3))
    def provider_speaks(self, data: st.DataObject, pieces: int) -> None:
        question = data.draw(st.sampled_from(self.running()))
        for _ in range(pieces):
            piece = f"<{len(question.current.pieces)}>"
            self.step(question, piece)
            question.current.pieces.append(piece)
        self.wait_for_pieces(question.current)

    @precondition(lambda self: self.running())
    @rule(data=st.data(), fails=st.booleans())
    def provider_ends(self, data: st.DataObject, fails: bool) -> None:
        question = data.draw(st.sampled_from(self.running()))
        self.step(question, ProviderUnavailable() if fails else None)
        # An answer without a word is none.
        self.ended(question, "failed" if fails or not question.current.pieces else "complete")

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        question = data.draw(st.sampled_from(self.running()))
        response = self.api.post(f"/api/chat/messages/{question.current.id}/stop/")
        assert (response.status_code, response.json()["status"]) == (200, "stopped")
        self.ended(question, "stopped")
        assert question.content not in SteppedGenerator.steps

    @precondition(lambda self: self.ended_questions())
    @rule(data=st.data())
    def stop_too_late(self, data: st.DataObject) -> None:
        answer = data.draw(st.sampled_from(self.ended_questions())).current
        response = self.api.post(f"/api/chat/messages/{answer.id}/stop/")
        assert (response.status_code, response.json()["status"]) == (200, answer.status)

    @precondition(lambda self: self.questions())
    @rule(data=st.data())
    def regenerate(self, data: st.DataObject) -> None:
        question = data.draw(st.sampled_from(self.questions()))
        answer = data.draw(st.sampled_from(question.answers))
        was_running = question.current.status == "running"
        path = f"/api/chat/messages/{answer.id}/regenerate/"
        response = self.api.post(path, {"stream": True})
        if was_running:
            assert (response.status_code, response.json()["code"]) == (409, "answer_running")
            return
        created = parse(next(iter(response.streaming_content)))[0].data
        response.close()
        question.answers.append(Answer(created["bot_message_id"]))
        eventually(lambda: question.content in SteppedGenerator.steps)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def delete_session(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(sorted(self.sessions)))
        assert self.api.delete(f"/api/chat/sessions/{session}/").status_code == 204
        for question in self.sessions.pop(session):
            self.deleted += [answer.id for answer in question.answers]
            if question.current.status == "running":
                run(self.flush())  # as the upkeep does every second
                eventually(lambda q=question: q.content not in SteppedGenerator.steps)

    @precondition(lambda self: self.questions())
    @rule(data=st.data())
    def join_again(self, data: st.DataObject) -> None:
        question = data.draw(st.sampled_from(self.questions()))
        answer = data.draw(st.sampled_from(question.answers))
        if answer.status == "running":
            self.join_running(data, answer)
        elif answer.events is not None:
            cut = data.draw(st.integers(0, len(answer.events) - 1))
            assert self.follow(answer, cut) == answer.events[cut:]
        else:
            self.join_lost(data, answer)

    @rule()
    def worker_is_killed(self) -> None:
        """What it wrote stays as the database has it, until the sweep comes."""
        run(self.kill())
        SteppedGenerator.steps.clear()
        for question in self.questions():
            for answer in question.answers:
                answer.events = None
                if answer.status == "running":
                    answer.status, answer.killed = "failed", True
        fail_stuck_answers(now=timezone.now() + timedelta(hours=1))
        reset_registry()

    @precondition(lambda self: self.running())
    @rule()
    def partial_text_is_saved(self) -> None:
        run(self.flush())
        for question in self.running():
            question.current.flushed = len(question.current.text)

    # --- what must hold ------------------------------------------------------------------

    @invariant()
    def nothing_is_lost_and_everything_is_in_order(self) -> None:
        for session, questions in self.sessions.items():
            path = f"/api/chat/sessions/{session}/messages/?page_size=100"
            rows = self.api.get(f"{path}&variants=all").json()["results"]
            expected = []
            for question in questions:
                expected.append(question.content)
                expected += [answer.id for answer in question.answers]
            assert [
                r["content"] if r["sender_type"] == "user" else r["id"] for r in rows
            ] == expected
            current = [row["id"] for row in rows if row["is_current"] and row["reply_to"]]
            assert current == [question.current.id for question in questions]
            by_id = {row["id"]: row for row in rows}
            for question in questions:
                for answer in question.answers:
                    self.check(answer, by_id[answer.id])

    def check(self, answer: Answer, row: dict[str, Any]) -> None:
        if answer.status == "running":
            assert row["status"] in ("pending", "streaming")
        else:
            assert row["status"] == answer.status
        if answer.killed:
            assert answer.text.startswith(row["content"])
            assert len(row["content"]) >= answer.flushed
        elif answer.status != "running":
            assert row["content"] == answer.text

    @invariant()
    def nobody_else_sees_anything(self) -> None:
        assert self.stranger.get("/api/chat/history/").json() == {
            "sessions": [],
            "recent_messages": [],
            "total_sessions": 0,
            "total_messages": 0,
        }
        for question in self.questions()[:2]:
            path = f"/api/chat/messages/{question.current.id}/"
            for method, where in (
                ("get", path),
                ("get", f"{path}events/"),
                ("post", f"{path}stop/"),
            ):
                assert getattr(self.stranger, method)(where).status_code == 404

    @invariant()
    def what_was_deleted_is_gone(self) -> None:
        assert not ChatMessage.objects.filter(pk__in=self.deleted).exists()
        assert ChatSession.objects.count() == len(self.sessions)

    @invariant()
    def provider_works_for_running_answers_alone(self) -> None:
        expected = {question.content for question in self.running()}
        assert set(SteppedGenerator.steps) == expected

    def teardown(self) -> None:
        run(self.kill())
        for task in self.orphans:
            get_loop().call_soon_threadsafe(task.cancel)
        eventually(lambda: all(task.done() for task in self.orphans))
        reset_registry()
        SteppedGenerator.steps.clear()
        User.objects.all().delete()

    # --- how -----------------------------------------------------------------------------

    def questions(self) -> list[Question]:
        return [question for questions in self.sessions.values() for question in questions]

    def running(self) -> list[Question]:
        return [q for q in self.questions() if q.current.status == "running"]

    def ended_questions(self) -> list[Question]:
        return [q for q in self.questions() if q.current.status != "running"]

    def step(self, question: Question, step: Any) -> None:
        steps = SteppedGenerator.steps[question.content]
        get_loop().call_soon_threadsafe(steps.put_nowait, step)

    def wait_for_pieces(self, answer: Answer) -> None:
        log = get_registry().log_of(UUID(answer.id))
        assert log is not None
        eventually(lambda: log.names.count("answer.delta") == len(answer.pieces))

    def ended(self, question: Question, status: str) -> None:
        answer = question.current
        answer.events = self.follow(answer, 0)
        answer.status = status
        check_whole(answer.events)
        assert answer.events[-1].name == TERMINAL[status]
        assert text_of(answer.events) == answer.text

    def follow(self, answer: Answer, after: int) -> list[ServerSentEvent]:
        response = self.api.get(
            f"/api/chat/messages/{answer.id}/events/", headers={"last-event-id": str(after)}
        )
        return parse(b"".join(response.streaming_content))

    def join_running(self, data: st.DataObject, answer: Answer) -> None:
        known = 2 + len(answer.pieces)
        cut = data.draw(st.integers(0, known - 1))
        response = self.api.get(
            f"/api/chat/messages/{answer.id}/events/", headers={"last-event-id": str(cut)}
        )
        chunks, body = iter(response.streaming_content), b""
        while len(parse(body)) < known - cut:
            body += next(chunks)
        response.close()
        events = parse(body)
        assert [event.id for event in events] == list(range(cut + 1, known + 1))
        assert text_of(events) == "".join(answer.pieces[max(0, cut - 2) :])

    def join_lost(self, data: st.DataObject, answer: Answer) -> None:
        """Its events are gone: whole from the start, or its end alone."""
        cut = data.draw(st.integers(0, 9))
        events = self.follow(answer, cut)
        if cut:
            assert [(event.id, event.name) for event in events] == [
                (cut + 1, TERMINAL[answer.status])
            ]
            return
        check_whole(events)
        assert events[-1].name == TERMINAL[answer.status]
        assert text_of(events) == events[-1].data["bot_message"]["content"]

    async def flush(self) -> None:
        registry = get_registry()
        await registry._save(registry.running())

    async def kill(self) -> None:
        """The process is gone: nobody writes, beats or answers for its answers any more."""
        registry = get_registry()
        if registry._upkeep is not None:
            registry._upkeep.cancel()
        self.orphans += [a.task for a in registry.running() if a.task is not None]


def test_conversations_keep_their_promises_whatever_happens(settings: Any) -> None:
    # A worker is killed here by forgetting it: with a Redis between workers its listener would
    # live on. Real processes are killed, with a real Redis, in test_chat_processes.
    settings.USE_FAKE_REDIS = True
    settings.RAG = {
        **settings.RAG,
        "GENERATOR": {"BACKEND": "tests.fakes.SteppedGenerator", "OPTIONS": {}},
        "GENERAL_ANSWERS": True,
        # A model that is asked to reword a question would take the steps meant for its answer.
        "REWRITE_SECONDS": 0,
    }
    settings.THROTTLES = {**settings.THROTTLES, "chat": {"user": "100000/m", "staff": "100000/m"}}
    run_state_machine_as_test(
        Conversations,
        settings=limits(
            # Every step is a handful of commits, each of which PostgreSQL waits for.
            max_examples=15 if connection.vendor == "sqlite" else 3,
            stateful_step_count=25 if connection.vendor == "sqlite" else 12,
            deadline=None,
            # The same games in every run: what one run has shown, the next one shows too.
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
