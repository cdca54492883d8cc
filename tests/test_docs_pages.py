"""Swagger UI and ReDoc, looked at in Chromium, with nothing loaded from anywhere else."""

import pytest
from django.test import Client

from tests.browser import Visit, chromium  # noqa: F401 (a fixture)
from tests.factories import bearer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_swagger_lists_the_operations_with_nothing_from_elsewhere(live_server, chromium) -> None:  # noqa: F811
    def look(visit: Visit) -> None:
        visit.page.wait_for_selector(".opblock")
        assert visit.page.locator(".opblock").count() >= 4
        assert visit.page.get_by_role("button", name="Authorize").is_visible()
        assert (visit.failed, visit.errors) == ([], [])
        assert all(url.startswith(live_server.url) for url in visit.answered)

    chromium.visit(f"{live_server.url}/api/docs/", look)


def test_redoc_lists_the_operations_with_nothing_from_elsewhere(live_server, chromium) -> None:  # noqa: F811
    def look(visit: Visit) -> None:
        visit.page.wait_for_selector("[data-section-id]")
        assert visit.errors == []
        # Its maker's logo: the policy stops the request inside the browser.
        assert [reason for _, reason in visit.failed] in ([], ["csp"])
        assert all(url.startswith((live_server.url, "blob:")) for url in visit.answered)

    chromium.visit(f"{live_server.url}/api/redoc/", look)


@pytest.mark.parametrize("path", ["/api/docs/", "/api/redoc/"])
def test_pages_have_no_inline_script(client: Client, path: str) -> None:
    page = client.get(path).content.decode()
    assert page.count("<script") == page.count("<script src=")
    assert "<style" not in page
    assert "https://" not in page


def test_swaggers_authorize_lets_an_operation_be_tried(live_server, chromium, user) -> None:  # noqa: F811
    token = bearer(user)

    def look(visit: Visit) -> None:
        page = visit.page
        page.get_by_role("button", name="Authorize").click()
        page.locator(".auth-container input[type=text]").first.fill(token)
        page.locator(".auth-container button.authorize").first.click()
        page.locator(".close-modal").first.click()
        operation = page.locator(".opblock-get", has_text="/api/auth/me/").first
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table").first
        answer.get_by_text(user.username).first.wait_for()
        assert "200" in answer.inner_text()

    chromium.visit(f"{live_server.url}/api/docs/", look)
