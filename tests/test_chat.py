"""Chat over HTTP: sessions, messages, and whose they are."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from chat.models import ChatMessage, ChatSession
from chat.streams.mirror import stream_key
from common.redis import get_redis
from tests.factories import PASSWORD, bearer, make_user
from tests.fakes import ScriptedGenerator
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _scripted(scripted: type[ScriptedGenerator]) -> None:
    """Every answer here is "Hello there."."""


def ask(client: APIClient, content: str = "How long does a token live?", **fields: Any) -> Any:
    """The exchange that a question leads to."""
    session = fields.pop("session", None)
    path = f"/api/chat/sessions/{session}/messages/" if session else "/api/chat/messages/"
    response = client.post(path, {"content": content, **fields})
    assert response.status_code == 201, response.content
    return response.json()


def open_session(client: APIClient, title: str = "") -> str:
    """The id of a new session."""
    return str(client.post("/api/chat/sessions/", {"title": title}).json()["id"])


class TestSessions:
    def test_new_session_has_the_shape_of_the_contract(self, user_api: APIClient) -> None:
        response = user_api.post("/api/chat/sessions/", {"title": "Tokens"})

        assert response.status_code == 201
        body = response.json()
        assert set(body) == {
            "id",
            "title",
            "created_at",
            "updated_at",
            "message_count",
            "archived",
        }
        assert (body["title"], body["message_count"], body["archived"]) == ("Tokens", 0, False)
        assert body["created_at"].endswith("Z")

    def test_first_question_names_the_session(self, user_api: APIClient) -> None:
        session = open_session(user_api)

        ask(
            user_api,
            "What is the lifetime of an access token, and who decides it?" * 2,
            session=session,
        )

        title = user_api.get(f"/api/chat/sessions/{session}/").json()["title"]
        assert title == "What is the lifetime of an access token, and who decides…"

    def test_given_title_stays(self, user_api: APIClient) -> None:
        session = open_session(user_api, "Mine")

        ask(user_api, session=session)

        assert user_api.get(f"/api/chat/sessions/{session}/").json()["title"] == "Mine"

    def test_list_counts_messages_without_a_query_each(
        self, user_api: APIClient, django_assert_num_queries: Any
    ) -> None:
        for _ in range(3):
            ask(user_api)

        with django_assert_num_queries(3):  # who calls, how many, the page
            body = user_api.get("/api/chat/sessions/").json()

        assert [row["message_count"] for row in body["results"]] == [2, 2, 2]

    def test_list_is_filtered_and_ordered(self, user_api: APIClient) -> None:
        first, second = open_session(user_api, "Alpha"), open_session(user_api, "Beta")
        user_api.patch(f"/api/chat/sessions/{first}/", {"archived": True})

        def listed(query: str) -> list[str]:
            results = user_api.get(f"/api/chat/sessions/?{query}").json()["results"]
            return [row["id"] for row in results]

        assert listed("archived=true") == [first]
        assert listed("archived=false") == [second]
        assert listed("search=bet") == [second]
        assert listed("ordering=title") == [first, second]
        assert listed("ordering=-title") == [second, first]

    @pytest.mark.parametrize(
        "query", ["ordering=user", "archived=maybe", "page=0", "page=x", "page_size=101"]
    )
    def test_bad_query_is_a_400(self, user_api: APIClient, query: str) -> None:
        assert user_api.get(f"/api/chat/sessions/?{query}").status_code == 400

    def test_question_brings_an_archived_session_back(self, user_api: APIClient) -> None:
        session = open_session(user_api)
        user_api.patch(f"/api/chat/sessions/{session}/", {"archived": True})

        ask(user_api, session=session)

        assert user_api.get(f"/api/chat/sessions/{session}/").json()["archived"] is False

    def test_delete_takes_the_messages_along_and_needs_no_slash(self, user_api: APIClient) -> None:
        session = ask(user_api)["user_message"]["session"]

        assert user_api.delete(f"/api/chat/sessions/{session}").status_code == 204

        assert user_api.get(f"/api/chat/sessions/{session}/").status_code == 404
        assert not ChatMessage.objects.exists()

    def test_limit_of_sessions_is_a_409(self, user_api: APIClient, settings: Any) -> None:
        settings.CHAT_MAX_SESSIONS = 1
        open_session(user_api)

        for response in (
            user_api.post("/api/chat/sessions/", {}),
            user_api.post("/api/chat/messages/", {"content": "Hi"}),
        ):
            assert (response.status_code, response.json()["code"]) == (409, "too_many_sessions")


class TestMessages:
    def test_both_paths_answer_the_same_shape(self, user_api: APIClient) -> None:
        first = ask(user_api)
        second = ask(user_api, session=first["user_message"]["session"])

        assert set(first) == set(second) == {"user_message", "bot_message"}
        assert first["user_message"]["status"] == "complete"
        assert first["bot_message"]["content"] == "Hello there."
        assert first["bot_message"]["metadata"]["usage"] == {
            "prompt_tokens": 7,
            "completion_tokens": 2,
        }
        assert second["user_message"]["session"] == first["user_message"]["session"]

    def test_history_keeps_the_order_of_questions(self, user_api: APIClient) -> None:
        session = open_session(user_api)
        for number in range(3):
            ask(user_api, f"Question {number}", session=session)

        body = user_api.get(f"/api/chat/sessions/{session}/messages/?page_size=4").json()

        assert body["count"] == 6
        assert [row["content"] for row in body["results"]] == [
            "Question 0",
            "Hello there.",
            "Question 1",
            "Hello there.",
        ]
        assert body["next"]
        assert "page=2" in body["next"]

    def test_model_sees_the_turns_before(
        self, user_api: APIClient, scripted: type[ScriptedGenerator]
    ) -> None:
        session = open_session(user_api)
        ask(user_api, "What is a token?", session=session)

        ask(user_api, "And how long is it?", session=session)

        history = scripted.prompts[-1].history
        assert [turn.role for turn in history] == ["user", "assistant"]
        assert "What is a token?" in history[0].content
        assert "Hello there." in history[1].content

    def test_markup_and_emoji_are_kept_as_text(self, user_api: APIClient) -> None:
        content = "<script>alert(1)</script> {{ 7*7 }} \U0001f600 %s"

        assert ask(user_api, content)["user_message"]["content"] == content

    def test_control_characters_are_left_out(self, user_api: APIClient) -> None:
        assert ask(user_api, "a\u0007b\nc")["user_message"]["content"] == "ab\nc"

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"content": ""},
            {"content": "   \n"},
            {"content": None},
            {"content": 5},
            {"content": ["a"]},
            {"content": {"a": 1}},
            {"content": "x" * 8_001},
            {"content": "a", "top_k": 0},
            {"content": "a", "top_k": 11},
            {"content": "a", "top_k": "many"},
            {"content": "a", "stream": "yes"},
            {"content": "a", "session_id": "1"},
            {"content": "a", "category": 5},
        ],
    )
    def test_bad_question_is_a_400_and_stores_nothing(
        self, user_api: APIClient, body: dict[str, Any]
    ) -> None:
        response = user_api.post("/api/chat/messages/", body)

        assert response.status_code == 400
        assert response["Content-Type"] == "application/problem+json"
        assert not ChatSession.objects.exists()

    def test_longest_question_is_taken(self, user_api: APIClient) -> None:
        assert len(ask(user_api, "x" * 8_000)["user_message"]["content"]) == 8_000

    def test_full_session_is_a_409(self, user_api: APIClient, settings: Any) -> None:
        settings.CHAT_MAX_SESSION_MESSAGES = 2
        session = ask(user_api)["user_message"]["session"]

        response = user_api.post(f"/api/chat/sessions/{session}/messages/", {"content": "More"})

        assert (response.status_code, response.json()["code"]) == (409, "session_full")

    def test_answer_that_was_replaced_counts_no_more(
        self, user_api: APIClient, settings: Any
    ) -> None:
        settings.CHAT_MAX_SESSION_MESSAGES = 4
        first = ask(user_api)
        user_api.post(f"/api/chat/messages/{first['bot_message']['id']}/regenerate/")
        session = first["user_message"]["session"]

        response = user_api.post(f"/api/chat/sessions/{session}/messages/", {"content": "More"})

        assert (response.status_code, ChatMessage.objects.count()) == (201, 5)

    def test_busy_server_is_a_503_that_stores_nothing(
        self, user_api: APIClient, settings: Any
    ) -> None:
        ask(user_api)
        settings.CHAT_MAX_RUNNING = 0

        response = user_api.post("/api/chat/messages/", {"content": "More"})

        assert (response.status_code, response.json()["code"]) == (503, "too_busy")
        assert response["Retry-After"]
        assert ChatMessage.objects.count() == 2


class TestOwnership:
    """Someone else's row does not exist: the same 404 as for an id that was never used."""

    @pytest.fixture
    def other_api(self) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {bearer(make_user())}")
        return client

    def test_other_users_things_are_not_there(
        self, user_api: APIClient, other_api: APIClient
    ) -> None:
        exchange = ask(user_api)
        session, answer = exchange["user_message"]["session"], exchange["bot_message"]["id"]

        def calls(session: Any, message: Any) -> list[tuple[str, str, Any]]:
            return [
                ("get", f"/api/chat/sessions/{session}/", None),
                ("patch", f"/api/chat/sessions/{session}/", {"title": "Mine"}),
                ("delete", f"/api/chat/sessions/{session}/", None),
                ("get", f"/api/chat/sessions/{session}/messages/", None),
                ("post", f"/api/chat/sessions/{session}/messages/", {"content": "Hi"}),
                ("get", f"/api/chat/sessions/{session}/export/", None),
                ("post", "/api/chat/messages/", {"content": "Hi", "session_id": str(session)}),
                ("get", f"/api/chat/messages/{message}/", None),
                ("get", f"/api/chat/messages/{message}/events/", None),
                ("post", f"/api/chat/messages/{message}/stop/", {}),
                ("post", f"/api/chat/messages/{message}/regenerate/", {}),
                ("put", f"/api/chat/messages/{message}/feedback/", {"rating": 1}),
                ("delete", f"/api/chat/messages/{message}/feedback/", None),
            ]

        for real, unused in zip(calls(session, answer), calls(uuid4(), uuid4()), strict=True):
            responses = [
                getattr(other_api, method)(path, body) for method, path, body in (real, unused)
            ]
            assert [response.status_code for response in responses] == [404, 404], real
            assert responses[0].content == responses[1].content, real
        assert ChatMessage.objects.count() == 2

    def test_lists_and_search_hold_ones_own_alone(
        self, user_api: APIClient, other_api: APIClient
    ) -> None:
        ask(user_api, "A secret token")

        assert other_api.get("/api/chat/sessions/").json()["count"] == 0
        assert other_api.get("/api/chat/search/?q=secret").json()["count"] == 0
        history = other_api.get("/api/chat/history/").json()
        assert (history["total_sessions"], history["total_messages"]) == (0, 0)

    def test_nobody_is_let_in_without_a_token(self, api: APIClient) -> None:
        for method, path in [
            ("get", "/api/chat/sessions/"),
            ("post", "/api/chat/messages/"),
            ("get", "/api/chat/history/"),
            ("get", f"/api/chat/messages/{uuid4()}/events/"),
        ]:
            response = getattr(api, method)(path)
            assert (response.status_code, response.json()["status"]) == (401, 401)


class TestSearch:
    def test_found_words_are_marked_and_the_rest_is_escaped(self, user_api: APIClient) -> None:
        ask(user_api, "Is <b>rotation</b> of refresh tokens on?")

        results = user_api.get("/api/chat/search/?q=rotation+token").json()["results"]

        assert results[0]["highlight"] == (
            "Is &lt;b&gt;<mark>rotation</mark>&lt;/b&gt; of refresh <mark>tokens</mark> on?"
        )

    def test_all_words_must_occur(self, user_api: APIClient) -> None:
        ask(user_api, "Is rotation on?")

        assert user_api.get("/api/chat/search/?q=rotation+backup").json()["count"] == 0

    @pytest.mark.parametrize(
        "query", ['"', "*", "a AND", "NEAR(", "token OR", "-", "content:x", "'"]
    )
    def test_operators_are_words(self, user_api: APIClient, query: str) -> None:
        ask(user_api)

        assert user_api.get("/api/chat/search/", {"q": query}).status_code == 200

    @pytest.mark.parametrize("query", ["", "x" * 401])
    def test_empty_and_long_queries_are_a_400(self, user_api: APIClient, query: str) -> None:
        assert user_api.get("/api/chat/search/", {"q": query}).status_code == 400

    def test_deleted_messages_are_not_found(self, user_api: APIClient) -> None:
        session = ask(user_api, "Is rotation on?")["user_message"]["session"]
        user_api.delete(f"/api/chat/sessions/{session}/")

        assert user_api.get("/api/chat/search/?q=rotation").json()["count"] == 0


class TestFeedback:
    def test_verdict_is_stored_replaced_and_taken_back(self, user_api: APIClient) -> None:
        answer = ask(user_api)["bot_message"]["id"]
        path = f"/api/chat/messages/{answer}/feedback/"

        user_api.put(path, {"rating": 1})
        changed = user_api.put(path, {"rating": -1, "reasons": ["outdated"], "comment": "Old."})

        assert changed.status_code == 200
        stored = user_api.get(f"/api/chat/messages/{answer}/").json()["feedback"]
        assert (stored["rating"], stored["reasons"], stored["comment"]) == (
            -1,
            ["outdated"],
            "Old.",
        )
        assert user_api.delete(path).status_code == 204
        assert user_api.get(f"/api/chat/messages/{answer}/").json()["feedback"] is None

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"rating": 0},
            {"rating": 1, "reasons": ["boring"]},
            {"rating": 1, "comment": "x" * 2_001},
        ],
    )
    def test_bad_verdict_is_a_400(self, user_api: APIClient, body: dict[str, Any]) -> None:
        answer = ask(user_api)["bot_message"]["id"]

        assert user_api.put(f"/api/chat/messages/{answer}/feedback/", body).status_code == 400

    def test_question_takes_no_verdict(self, user_api: APIClient) -> None:
        question = ask(user_api)["user_message"]["id"]

        response = user_api.put(f"/api/chat/messages/{question}/feedback/", {"rating": 1})

        assert (response.status_code, response.json()["code"]) == (409, "not_an_answer")


class TestExport:
    def test_markdown_numbers_its_sources(self, user_api: APIClient) -> None:
        exchange = ask(user_api)
        ChatMessage.objects.filter(pk=exchange["bot_message"]["id"]).update(
            metadata={
                "sources": [{"ref": 1, "title": "Tokens", "version": 2, "cited": True}],
                "citations": [{"ref": 1, "quote": "A token\nlives 15 minutes."}],
            }
        )

        response = user_api.get(f"/api/chat/sessions/{exchange['user_message']['session']}/export/")

        assert response["Content-Type"].startswith("text/markdown")
        assert "attachment" in response["Content-Disposition"]
        assert (
            "[1] Tokens (version 2)\n    > A token lives 15 minutes." in response.content.decode()
        )

    def test_json_holds_the_whole_conversation(self, user_api: APIClient) -> None:
        exchange = ask(user_api)
        session = exchange["user_message"]["session"]

        body = user_api.get(f"/api/chat/sessions/{session}/export/?export_format=json").json()

        assert body["session"]["message_count"] == 2
        assert body["messages"] == [exchange["user_message"], exchange["bot_message"]]

    def test_unknown_format_is_a_400(self, user_api: APIClient) -> None:
        session = open_session(user_api)

        response = user_api.get(f"/api/chat/sessions/{session}/export/?export_format=pdf")

        assert response.status_code == 400


class TestAccounts:
    def test_export_holds_every_message_and_verdict(self, user_api: APIClient) -> None:
        exchange = ask(user_api)
        answer = exchange["bot_message"]["id"]
        user_api.put(f"/api/chat/messages/{answer}/feedback/", {"rating": 1})

        chats = user_api.get("/api/auth/me/export/").json()["chats"]

        assert [message["id"] for message in chats[0]["messages"]] == [
            exchange["user_message"]["id"],
            answer,
        ]
        assert chats[0]["messages"][1]["feedback"]["rating"] == 1

    def test_events_go_with_the_session_and_with_the_account(
        self, user: Any, user_api: APIClient
    ) -> None:
        exchanges = [ask(user_api), ask(user_api)]
        names = [stream_key(exchange["bot_message"]["id"]) for exchange in exchanges]
        for name in names:
            get_redis().xadd(name, {"frame": "text"})

        user_api.delete(f"/api/chat/sessions/{exchanges[0]['user_message']['session']}/")
        eventually(lambda: [get_redis().exists(name) for name in names] == [0, 1])
        user_api.delete("/api/auth/me/", {"password": PASSWORD})

        eventually(lambda: [get_redis().exists(name) for name in names] == [0, 0])
        assert not ChatMessage.objects.exists()
