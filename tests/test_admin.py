"""The admin as a place to work: chats on the record, and the dashboard, looked at."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from background_tasks.dashboard.charts import HEIGHT, draw
from background_tasks.dashboard.views import DAYS, forget_days, measure_days
from chat.models import ChatMessage
from tests.browser import Visit, chromium  # noqa: F401 (a fixture)
from tests.factories import as_user, make_user
from users.models import AuditEvent, User

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "What is the colour of the secret door?"


@pytest.fixture(autouse=True)
def _count_days_anew() -> None:
    forget_days()


@pytest.fixture
def asked() -> ChatMessage:
    """A question that somebody asked."""
    as_user(make_user(username="asker")).post("/api/chat/messages/", {"content": SECRET})
    return ChatMessage.objects.get(sender_type="user")


def staff_with(*permissions: str) -> tuple[User, Client]:
    """A member of staff with these permissions, logged in."""
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return user, client


def test_reading_a_message_is_on_record(asked: ChatMessage) -> None:
    user, client = staff_with("view_chatmessage")
    page = client.get(f"/admin/chat/chatmessage/{asked.pk}/change/")
    assert SECRET in page.content.decode()
    event = AuditEvent.objects.get(event="chat_read")
    assert (event.actor_id, event.user_id) == (user.pk, asked.session.user_id)
    assert SECRET not in str(event.detail)


def test_words_are_not_in_the_lists(asked: ChatMessage) -> None:
    _, client = staff_with("view_chatmessage", "view_chatsession")
    for name in ("chatmessage", "chatsession"):
        assert SECRET not in client.get(f"/admin/chat/{name}/").content.decode()
    assert not AuditEvent.objects.filter(event="chat_read").exists()


def test_staff_without_the_permission_read_nothing(asked: ChatMessage) -> None:
    _, client = staff_with("view_chatsession")
    assert client.get(f"/admin/chat/chatmessage/{asked.pk}/change/").status_code == 403
    page = client.get(f"/admin/chat/chatsession/{asked.session_id}/change/")
    assert page.status_code == 200
    assert SECRET not in page.content.decode()
    assert not AuditEvent.objects.filter(event="chat_read").exists()


@pytest.mark.parametrize("action", ["change", "delete"])
def test_superuser_changes_no_message(asked: ChatMessage, action: str) -> None:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    client.post(f"/admin/chat/chatmessage/{asked.pk}/{action}/", {"content": "x", "post": "yes"})
    assert ChatMessage.objects.get(pk=asked.pk).content == SECRET


def test_dashboard_is_for_those_who_may_see_the_ledger() -> None:
    assert Client().get("/admin/dashboard/").status_code == 302
    assert staff_with()[1].get("/admin/dashboard/").status_code == 403
    assert staff_with("view_taskrun")[1].get("/admin/dashboard/").status_code == 200


def test_dashboard_counts_questions_on_their_day(asked: ChatMessage) -> None:
    ChatMessage.objects.filter(pk=asked.pk).update(timestamp=timezone.now() - timedelta(days=3))
    questions = [figures.values["Questions"] for figures in measure_days(timezone.now())]
    assert len(questions) == DAYS
    assert questions[-4] == 1
    assert sum(questions) == 1


def test_bars_of_a_day_stand_on_each_other() -> None:
    chart = draw("Answers", ["1 Nov", "2 Nov"], {"good": [1, 3], "bad": [1, 0]})
    first_good, first_bad, second_good, _ = chart.bars
    assert chart.top == "3"
    assert second_good.height == HEIGHT
    assert first_bad.y + first_bad.height == pytest.approx(first_good.y, abs=0.2)


def test_chart_without_values_is_empty_and_no_error() -> None:
    assert {bar.height for bar in draw("Nothing", ["1 Nov"], {"none": [0]}).bars} == {0}


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_dashboard_fits_its_window_under_the_policy(live_server, chromium, asked, width) -> None:  # noqa: F811
    user = make_user(username="boss", is_staff=True, is_superuser=True, password="boss-pass-1234")

    def look(visit: Visit) -> None:
        visit.page.locator("#id_username").fill(user.username)
        visit.page.locator("#id_password").fill("boss-pass-1234")
        visit.page.locator("input[type=submit]").click()
        visit.page.get_by_role("link", name="Dashboard").click()
        visit.page.locator(".charts figure").first.wait_for()
        assert visit.page.locator(".charts rect").count() >= 1
        assert not visit.overflows()
        assert (visit.failed, visit.errors) == ([], [])

    window = {"width": width, "height": 900}
    chromium.visit(f"{live_server.url}/admin/", look, viewport=window)
