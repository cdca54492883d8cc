"""The start page: what runs here, and a question answered from the public documents."""

import re

import pytest
from django.test import Client

from rag.pages.views import MAX_QUESTION_CHARS
from tests.browser import Visit, chromium  # noqa: F401 (a fixture)
from tests.factories import make_document, make_user

pytestmark = pytest.mark.django_db(transaction=True)

HERONS = "# Herons\n\nThe grey heron builds its nest of twigs in tall trees near water.\n"
QUESTION = "Where does the grey heron build its nest?"


def text_of(page: str) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_page_says_what_runs_here(client: Client) -> None:
    make_document(HERONS, title="Herons")
    words = text_of(client.get("/").content.decode())
    assert "Database SQLite" in words or "Database PostgreSQL" in words
    assert "Embedder WordLlama" in words
    assert "Public documents 1" in words


def test_command_line_names_the_address_that_was_asked(client: Client, settings) -> None:
    settings.START_PAGE_URL = ""
    page = client.get("/", HTTP_HOST="localhost:9123").content.decode()
    assert 'curl "http://localhost:9123/api/rag/search/?q=backup" -H' in page
    settings.START_PAGE_URL = "https://docent.example"
    page = client.get("/", HTTP_HOST="localhost:9123").content.decode()
    assert 'curl "https://docent.example/api/rag/search/?q=backup" -H' in page


def test_question_is_answered_with_its_numbered_source(client: Client) -> None:
    make_document(HERONS, title="Herons")
    words = text_of(client.get("/", {"q": QUESTION}).content.decode())
    assert "builds its nest of twigs in tall trees near water. [1]" in words
    assert "[1] Herons" in words


def test_private_documents_answer_nobody_here(client: Client) -> None:
    make_document(HERONS, title="Herons", owner=make_user(), visibility="private")
    words = text_of(client.get("/", {"q": QUESTION}).content.decode())
    assert "twigs" not in words
    assert "I don't have specific information" in words.replace("&#x27;", "'")


def test_question_is_text_and_never_markup(client: Client) -> None:
    page = client.get("/", {"q": '"><script>alert(1)</script>'}).content.decode()
    assert "<script" not in page


@pytest.mark.parametrize("question", ["", "   ", "\n\t"])
def test_blank_question_is_no_question(client: Client, question: str) -> None:
    assert 'class="answer"' not in client.get("/", {"q": question}).content.decode()


def test_long_question_is_cut(client: Client) -> None:
    response = client.get("/", {"q": "heron " * MAX_QUESTION_CHARS})
    assert response.status_code == 200


def test_box_can_be_switched_off(client: Client, settings) -> None:
    settings.START_PAGE_ASK = False
    make_document(HERONS, title="Herons")
    page = client.get("/", {"q": QUESTION}).content.decode()
    assert "<form" not in page
    assert "twigs" not in page


def test_too_many_questions_are_refused_on_the_page(client: Client, settings) -> None:
    settings.THROTTLES = settings.THROTTLES | {"try": {"address": "1/m"}}
    client.get("/", {"q": QUESTION})
    response = client.get("/", {"q": QUESTION})
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0
    assert "Too many requests" in response.content.decode()


def test_page_itself_is_never_throttled(client: Client, settings) -> None:
    settings.THROTTLES = settings.THROTTLES | {"try": {"address": "1/m"}}
    assert [client.get("/").status_code for _ in range(3)] == [200, 200, 200]


def test_page_takes_no_post(client: Client) -> None:
    assert client.post("/", {"q": QUESTION}).status_code == 405


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_its_window_and_loads_nothing_from_elsewhere(
    live_server,
    chromium,  # noqa: F811
    width: int,
    scheme: str,
) -> None:
    make_document(HERONS, title="Herons")

    def look(visit: Visit) -> None:
        assert not visit.overflows()
        visit.page.get_by_role("searchbox").fill(QUESTION)
        visit.page.get_by_role("button", name="Ask").click()
        visit.page.get_by_text("in tall trees near water. [1]").wait_for()
        assert not visit.overflows()
        assert (visit.failed, visit.errors) == ([], [])
        assert all(url.startswith(live_server.url) for url in visit.answered)

    window = {"width": width, "height": 800}
    chromium.visit(f"{live_server.url}/", look, viewport=window, color_scheme=scheme)
