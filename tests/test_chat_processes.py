"""What chat promises, held against real server processes that are stopped, killed and doubled."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from typing import Any

import pytest
import redis

from tests.server_process import (
    REDIS,
    SERVERS,
    Client,
    Server,
    environment,
    manage,
    postgresql_database,
    wait_for,
)
from tests.sse import ServerSentEvent, check_whole, text_of
from tests.stand_ins.mistral import MistralStandIn
from tests.stand_ins.server import free_port, serving

WORDS = tuple(f" word{number}" for number in range(40))
TEXT = "".join(WORDS)
CHAT = "POST /v1/chat/completions"

Start = Callable[..., Server]
_names = count(1)


@pytest.fixture(autouse=True)
def fresh_redis() -> None:
    """Nothing here runs in this process: the suite's own Redis is left alone."""


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)]
)
def database_url(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with every table and nothing in it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'db.sqlite3'}"
        manage(environment(DATABASE_URL=url), "migrate", "-v0")
        yield url
        return
    with postgresql_database(f"chat_processes_{os.getpid()}") as url:
        manage(environment(DATABASE_URL=url), "migrate", "-v0")
        yield url


@pytest.fixture
def provider() -> Iterator[MistralStandIn]:
    """Mistral, saying forty words to every question."""
    stand_in = MistralStandIn()
    stand_in.replies = [TEXT] * 1_000
    with serving(stand_in) as stand_in.address:
        yield stand_in


@pytest.fixture
def start(database_url: str, provider: Any) -> Iterator[Start]:
    """Starts servers that share a database (and Redis, where it is PostgreSQL)."""
    servers: list[Server] = []
    shared = database_url.startswith("postgres")
    common = environment(
        DATABASE_URL=database_url,
        REDIS_URL=REDIS if shared else "",
        USE_FAKE_REDIS=str(not shared),
        REDIS_PREFIX=f"docent-processes-{os.getpid()}:",
        MISTRAL_API_KEY="key",
        MISTRAL_SERVER_URL=provider.address,
    )

    def start_one(kind: str = "uvicorn", **values: str) -> Server:
        server = Server(kind, {**common, **values})
        servers.append(server)
        wait_for(server.is_up)
        return server

    start_one.environment = common  # type: ignore[attr-defined]
    yield start_one
    for server in servers:
        server.kill()


def person(server: Server) -> Client:
    """Somebody who has just registered there."""
    client = Client(server)
    client.register(f"person{os.getpid()}x{next(_names)}")
    return client


def take(events: Iterator[ServerSentEvent], words: int) -> list[ServerSentEvent]:
    """Events up to that many words of text, or a few more: those of one read are one event."""
    taken: list[ServerSentEvent] = []
    while len(text_of(taken).split()) < words:
        taken.append(next(events))
    return taken


def id_of(events: list[ServerSentEvent]) -> str:
    """The answer's id, from its first event."""
    return str(events[0].data["bot_message_id"])


class TestKilled:
    """SIGKILL in the middle of a stream."""

    def test_its_text_is_kept_and_it_is_failed_by_the_sweep(
        self, start: Start, provider: MistralStandIn
    ) -> None:
        provider.faults.add("stall", path="chat", after=5)
        first = start()
        client = person(first)
        with client.ask() as events:
            taken = take(events, 5)
            answer = id_of(taken)
            wait_for(lambda: client.message(answer)["content"] == "".join(WORDS[:5]))
            found = taken[1].data["sources"], client.message(answer)["metadata"]["request_id"]
            first.kill()

        again = client.at(start())
        assert again.message(answer)["status"] == "streaming"
        manage(
            {**start.environment, "CHAT_STUCK_SECONDS": "0"},  # type: ignore[attr-defined]
            "run_task",
            "stuck_answers",
        )

        failed = again.message(answer)
        assert (failed["status"], failed["content"]) == ("failed", "".join(WORDS[:5]))
        assert failed["metadata"]["error"] == {"code": "worker_lost", "retryable": True}
        assert (failed["metadata"]["sources"], failed["metadata"]["request_id"]) == found
        repeated = again.post(f"/chat/messages/{answer}/regenerate/")["bot_message"]
        assert (repeated["status"], repeated["content"]) == ("complete", TEXT)

    def test_a_server_that_is_started_again_fails_it_by_itself(
        self, start: Start, provider: MistralStandIn
    ) -> None:
        provider.faults.add("stall", path="chat", after=5)
        first = start()
        client = person(first)
        with client.ask() as events:
            answer = id_of(take(events, 5))
            first.kill()

        second = start(
            BACKGROUND_TASKS_AUTOSTART="true",
            TASK_STUCK_ANSWERS="* * * * * *",
            CHAT_STUCK_SECONDS="3",
        )

        with client.at(second).follow(answer) as rest:
            last = list(rest)[-1]
        assert (last.name, last.data["code"]) == ("message.failed", "worker_lost")

    def test_question_that_was_never_answered_is_there(
        self, start: Start, provider: MistralStandIn
    ) -> None:
        provider.faults.add("stall", path="chat")
        first = start()
        client = person(first)
        with client.ask("Is it kept?") as events:
            session = next(events).data["user_message"]["session"]
            first.kill()

        rows = client.at(start()).get(f"/chat/sessions/{session}/messages/")["results"]

        assert [row["content"] for row in rows] == ["Is it kept?", ""]


@pytest.mark.parametrize("kind", ["uvicorn", "serve", "gunicorn"])
class TestTerminated:
    """SIGTERM in the middle of a stream."""

    def test_stream_ends_with_an_event_and_its_text_is_kept(
        self, start: Start, provider: MistralStandIn, kind: str
    ) -> None:
        provider.faults.add("stall", path="chat", after=5)
        server = start(kind, CHAT_SHUTDOWN_SECONDS="0.2")
        client = person(server)
        with client.ask() as events:
            taken = take(events, 5)
            server.terminate()
            taken += events

        check_whole(taken)
        assert (taken[-1].name, taken[-1].data["code"]) == ("message.failed", "interrupted")
        server.process.wait()
        stored = client.at(start()).message(id_of(taken))
        assert (stored["status"], stored["content"]) == ("failed", "".join(WORDS[:5]))

    def test_answer_that_can_end_in_time_is_finished(
        self, start: Start, provider: MistralStandIn, kind: str
    ) -> None:
        provider.tokens_per_second = 40
        server = start(kind, CHAT_SHUTDOWN_SECONDS="30", SHUTDOWN_GRACE_SECONDS="40")
        client = person(server)
        with client.ask() as events:
            taken = take(events, 2)
            server.terminate()
            taken += events

        assert (taken[-1].name, text_of(taken)) == ("message.completed", TEXT)

    def test_answer_that_nobody_follows_is_finished_too(
        self, start: Start, provider: MistralStandIn, kind: str
    ) -> None:
        provider.tokens_per_second = 40
        server = start(kind, CHAT_SHUTDOWN_SECONDS="30", SHUTDOWN_GRACE_SECONDS="40")
        client = person(server)
        with client.ask() as events:
            answer = id_of(take(events, 2))
        server.terminate()
        server.process.wait()

        assert client.at(start()).message(answer)["content"] == TEXT


@pytest.mark.parametrize("kind", SERVERS)
class TestServers:
    """The same over ASGI and WSGI."""

    def test_events_come_while_the_answer_is_written(
        self, start: Start, provider: MistralStandIn, kind: str
    ) -> None:
        provider.faults.add("stall", path="chat", after=3)
        client = person(start(kind))

        with client.ask() as events:
            # The provider says nothing more: what is buffered anywhere would never come.
            taken = take(events, 3)
            stopped = client.post(f"/chat/messages/{id_of(taken)}/stop/")
            taken += events

        check_whole(taken)
        assert (stopped["status"], text_of(taken)) == ("stopped", "".join(WORDS[:3]))

    def test_answer_goes_on_without_its_client_and_can_be_followed_again(
        self, start: Start, provider: MistralStandIn, kind: str
    ) -> None:
        provider.tokens_per_second = 40
        client = person(start(kind))
        with client.ask() as events:
            taken = take(events, 2)

        with client.follow(id_of(taken), after=taken[-1].id) as rest:
            taken += rest

        check_whole(taken)
        assert (text_of(taken), provider.disconnects) == (TEXT, 0)
        assert client.message(id_of(taken))["content"] == TEXT


@pytest.fixture
def pair(request: Any, start: Start) -> tuple[Server, Server]:
    """Two processes on one PostgreSQL and one Redis."""
    if not (start.environment["DATABASE_URL"].startswith("postgres") and REDIS):  # type: ignore[attr-defined]
        pytest.skip("REDIS_URL and DATABASE_URL name no services")
    return start(), start()


@pytest.mark.services
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestTwoProcesses:
    """Any worker can do for an answer what its writer can."""

    def test_answer_is_followed_from_the_other_worker_from_every_event(
        self, pair: tuple[Server, Server], provider: MistralStandIn
    ) -> None:
        provider.tokens_per_second = 20
        client = person(pair[0])
        other = client.at(pair[1])
        with client.ask() as events, ThreadPoolExecutor(60) as pool:
            taken = take(events, 1)
            answer = id_of(taken)
            running = [pool.submit(rest_of, other, answer, after) for after in range(44)]
            taken += events

        check_whole(taken)
        assert text_of(taken) == TEXT
        for after, followed in enumerate(running):
            assert taken[:after] + followed.result() == taken, after
        for after in range(len(taken)):
            assert taken[:after] + rest_of(other, answer, after) == taken, after
        assert rest_of(other, answer, len(taken)) == taken[-1:]

    @pytest.mark.parametrize("deltas", [0, 3])
    def test_stop_from_the_other_worker_reaches_the_provider_within_a_token(
        self, pair: tuple[Server, Server], provider: MistralStandIn, deltas: int
    ) -> None:
        provider.first_token_seconds = 0.0 if deltas else 30.0
        provider.tokens_per_second = 3
        client = person(pair[0])
        with client.ask() as events:
            taken = take(events, deltas) if deltas else [next(events)]
            wait_for(lambda: provider.open_streams == 1)
            stopped = client.at(pair[1]).post(f"/chat/messages/{id_of(taken)}/stop/")
            taken += events

        check_whole(taken)
        assert (stopped["status"], taken[-1].name) == ("stopped", "message.stopped")
        assert sum(event.name == "answer.delta" for event in taken) <= deltas + 1
        wait_for(lambda: provider.disconnects == 1)

    def test_fifty_retries_over_both_make_one_question_one_call_and_one_answer(
        self, pair: tuple[Server, Server], provider: MistralStandIn
    ) -> None:
        provider.tokens_per_second = 100
        client = person(pair[0])
        clients = [client.at(pair[number % 2]) for number in range(50)]
        barrier = Barrier(50)

        def retry(one: Client) -> Any:
            barrier.wait()
            body, headers = {"content": "Once?"}, {"idempotency-key": "a-key"}
            return one.http.post("/chat/messages/", json=body, headers=headers)

        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(retry, clients))

        assert {answer.status_code for answer in answers} == {201}
        assert all(answer.json() == answers[0].json() for answer in answers)
        assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
        assert provider.requests[CHAT] == 1
        assert client.get("/chat/history/")["total_messages"] == 2

    def test_two_regenerations_at_once_make_one(
        self, pair: tuple[Server, Server], provider: MistralStandIn
    ) -> None:
        client = person(pair[0])
        answer = client.post("/chat/messages/", {"content": "Once?"})["bot_message"]["id"]
        provider.tokens_per_second = 40
        barrier = Barrier(8)

        def regenerate(one: Client) -> Any:
            barrier.wait()
            return one.http.post(f"/chat/messages/{answer}/regenerate/", json={})

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(regenerate, [client.at(pair[n % 2]) for n in range(8)]))

        assert sorted(found.status_code for found in answers) == [201] + [409] * 7
        assert provider.requests[CHAT] == 2

    def test_killed_writer_ends_the_stream_at_the_other_worker(
        self, start: Start, pair: tuple[Server, Server], provider: MistralStandIn
    ) -> None:
        provider.faults.add("stall", path="chat", after=5)
        client = person(pair[0])
        with client.ask() as events:
            taken = take(events, 5)
            with client.at(pair[1]).follow(id_of(taken)) as followed:
                assert take(followed, 5) == taken
                pair[0].kill()
                manage(
                    {**start.environment, "CHAT_STUCK_SECONDS": "0"},  # type: ignore[attr-defined]
                    "run_task",
                    "stuck_answers",
                )
                rest = list(followed)

        check_whole(taken + rest)
        assert rest[-1].data["code"] == "worker_lost"

    def test_session_deleted_at_one_worker_ends_its_answer_at_the_other(
        self, pair: tuple[Server, Server], provider: MistralStandIn
    ) -> None:
        provider.faults.add("stall", path="chat", after=2)
        client = person(pair[0])
        with client.ask() as events:
            taken = take(events, 2)
            session = taken[0].data["user_message"]["session"]
            assert client.at(pair[1]).http.delete(f"/chat/sessions/{session}/").is_success
            taken += events

        check_whole(taken)
        assert (taken[-1].name, taken[-1].data["code"]) == ("message.failed", "deleted")
        wait_for(lambda: provider.disconnects == 1)


class OwnRedis:
    """A Redis server that a test may kill."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
        )

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return bool(redis.Redis(port=self.port).ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        """End it at once."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.mark.services
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_answer_is_finished_and_told_everywhere_when_redis_dies(
    start: Start, provider: MistralStandIn
) -> None:
    own = OwnRedis()
    try:
        wait_for(own.is_up)
        provider.tokens_per_second = 10
        first, second = start(REDIS_URL=own.url), start(REDIS_URL=own.url)
        client = person(first)
        with client.ask() as events:
            taken = take(events, 3)
            with client.at(second).follow(id_of(taken)) as followed:
                seen = take(followed, 3)
                own.kill()
                taken += events
                seen += followed
    finally:
        own.kill()

    check_whole(taken)
    assert text_of(taken) == TEXT
    # What Redis no longer brought is in the last event.
    check_whole(seen)
    assert seen[-1].data["bot_message"]["content"] == TEXT
    assert client.at(second).message(id_of(taken))["content"] == TEXT
    assert client.at(second).post("/chat/messages/", {"content": "Without it?"})


def rest_of(client: Client, answer: str, after: int) -> list[ServerSentEvent]:
    """The events after `after`, to the end."""
    with client.follow(answer, after) as events:
        return list(events)
