"""Errors of Django's own, for the API and for people, and what pages may load."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from common.csp import STRICT, policy_for

HTML = {"HTTP_ACCEPT": "text/html,application/xhtml+xml"}


def broken(request: HttpRequest) -> HttpResponse:
    """A view with a bug."""
    raise ZeroDivisionError("a secret detail")


urlpatterns = [
    path("api/broken/", broken),
    path("broken/", broken),
    path("", include("config.urls")),
]
handler500 = "common.problems.server_error"


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("path", ["/api/nowhere", "/api/nowhere/", "/nowhere"])
def test_unknown_address_is_a_problem(client: Client, path: str, debug: bool) -> None:
    with override_settings(DEBUG=debug):
        response = client.get(path)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize("debug", [True, False])
def test_unknown_address_is_a_page_for_a_browser(client: Client, debug: bool) -> None:
    with override_settings(DEBUG=debug):
        response = client.get("/nowhere", **HTML)
    assert response.status_code == 404
    assert "<h1>Not found</h1>" in response.content.decode()


def test_api_gives_a_browser_a_problem_all_the_same(client: Client) -> None:
    assert client.get("/api/nowhere/", **HTML).json()["status"] == 404


@pytest.mark.parametrize("debug", [True, False])
@override_settings(ROOT_URLCONF="tests.test_pages")
def test_bug_in_the_api_is_a_problem_without_its_detail(debug: bool, caplog) -> None:
    with override_settings(DEBUG=debug):
        response = Client(raise_request_exception=False).get("/api/broken/")
    assert (response.status_code, response.json()["code"]) == (500, "server_error")
    assert "secret" not in response.content.decode()
    assert "ZeroDivisionError" in caplog.text


@override_settings(ROOT_URLCONF="tests.test_pages", DEBUG=False)
def test_bug_in_a_page_is_a_page_without_its_detail() -> None:
    response = Client(raise_request_exception=False).get("/broken/", **HTML)
    assert response.status_code == 500
    assert "The server made a mistake" in response.content.decode()
    assert "secret" not in response.content.decode()


def test_method_that_a_page_does_not_take_is_answered_in_words(client: Client) -> None:
    response = client.delete("/health/", **HTML)
    assert response.status_code == 405
    assert "DELETE is not possible here." in response.content.decode()


@pytest.mark.parametrize("path", ["/api/", "/api", "/docs/", "/docs"])
def test_address_that_one_would_guess_leads_to_the_documentation(client: Client, path: str) -> None:
    assert client.get(path, **HTML).headers["Location"] == "/api/docs/"
    response = client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert "/api/docs/" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/health/live/", "/api/nowhere/", "/nowhere"])
def test_responses_carry_a_policy_that_allows_no_script(client: Client, path: str) -> None:
    assert client.get(path).headers["Content-Security-Policy"] == STRICT
    assert "script" not in STRICT


@pytest.mark.parametrize("path", ["/", "/health/", "/admin/", "/api/docs/", "/api/redoc/"])
def test_no_page_may_load_from_elsewhere_or_run_inline_script(path: str) -> None:
    directives = dict(part.strip().split(" ", 1) for part in policy_for(path).split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives.get("script-src", "'self'") == "'self'"
    assert "http" not in policy_for(path)
