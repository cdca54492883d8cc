"""The daily report: its figures, its two bodies, its charts."""

import struct
import zlib
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.core import mail
from django.core.management import call_command

from background_tasks.models import TaskRun
from background_tasks.report.charts import HEIGHT, SCALE, WIDTH, draw_bars
from background_tasks.report.figures import measure_day, messages_by_day
from background_tasks.report.mail import Row, send_report
from chat.models import ChatMessage, ChatSession, MessageFeedback
from common.prices import price
from tests.factories import make_user

UNTIL = datetime(2024, 9, 1, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

_positions = count()


@pytest.fixture(autouse=True)
def _admins(settings):
    settings.ADMINS = [("Ada", "ada@example.org"), ("Bob", "bob@example.org")]


@pytest.fixture
def session(db) -> ChatSession:
    return ChatSession.objects.create(
        user=make_user(date_joined=UNTIL - HOUR), created_at=UNTIL - HOUR
    )


def ask(session, at=UNTIL - HOUR) -> ChatMessage:
    return ChatMessage.objects.create(
        session=session, sender_type="user", timestamp=at, position=next(_positions)
    )


def answer(session, at=UNTIL - HOUR, status="complete", **metadata) -> ChatMessage:
    return ChatMessage.objects.create(
        session=session, sender_type="bot", timestamp=at, status=status,
        position=next(_positions), metadata=metadata,
    )  # fmt: skip


class TestFigures:
    def test_a_day_ends_before_its_last_instant(self, session):
        for at in (UNTIL, UNTIL - DAY, UNTIL - timedelta(microseconds=1), UNTIL - DAY - HOUR):
            ask(session, at)

        assert measure_day(UNTIL).values["Questions"] == 2

    def test_answers_are_counted_by_mode_with_latency_and_tokens(self, session, settings):
        settings.TOKEN_PRICES = {"small": [2, 6]}
        for total in (100, 200, 900):
            answer(
                session,
                mode="grounded",
                model="small",
                timings_ms={"total": total},
                usage={"prompt_tokens": 1_000_000, "completion_tokens": 500_000},
            )
        answer(session, mode="extractive", timings_ms={"total": 5}, usage=None)
        answer(session, status="failed")

        day = measure_day(UNTIL)

        assert day.modes["grounded"] == 3
        assert day.modes["unavailable"] == 1
        assert day.values["Latency, median (ms)"] == 200
        assert day.values["Latency, 95th percentile (ms)"] == 900
        assert day.values["Tokens in"] == 3_000_000
        assert day.values["Cost"] == 15
        assert day.values["Failed answers"] == 1

    def test_people_sessions_and_feedback_are_counted(self, session):
        make_user(date_joined=UNTIL - 3 * DAY)
        ask(session)
        for rating in (1, 1, -1):
            MessageFeedback.objects.create(message=answer(session), rating=rating)
        MessageFeedback.objects.update(updated_at=UNTIL - HOUR)

        values = measure_day(UNTIL).values

        assert (values["Users"], values["New users"], values["Active users"]) == (2, 1, 1)
        assert (values["New sessions"], values["Helpful"], values["Not helpful"]) == (1, 2, 1)

    def test_a_model_without_a_price_costs_nothing(self):
        assert price("local", 10, 10) == 0

    def test_a_fortnight_is_counted_in_one_query(self, session, django_assert_num_queries):
        ask(session)
        ask(session, UNTIL - 13 * DAY - HOUR)
        ask(session, UNTIL - 14 * DAY - HOUR)

        with django_assert_num_queries(1):
            assert messages_by_day(UNTIL) == [1, *[0] * 12, 1]

    @pytest.mark.parametrize(
        ("now", "before", "change"), [(5, 5, "="), (5, 0, "new"), (3, 2, "+50 %"), (0, 4, "-100 %")]
    )
    def test_a_change_is_told_against_the_day_before(self, now, before, change):
        assert Row(name="x", now=now, day_before=before, week_before=0).change == change


class TestMail:
    def test_it_goes_to_the_admins_as_text_and_html_with_two_pictures(self, session):
        ask(session)
        answer(session, mode="grounded")

        send_report(until=UNTIL)

        [report] = mail.outbox
        parts = [part.get_content_type() for part in report.message().walk()]
        assert report.to == ["ada@example.org", "bob@example.org"]
        assert parts == [
            "multipart/related", "multipart/alternative", "text/plain", "text/html",
            "image/png", "image/png",
        ]  # fmt: skip

    def test_every_picture_that_the_html_shows_is_in_the_mail(self, session):
        send_report(until=UNTIL)

        message = mail.outbox[0].message()
        html = mail.outbox[0].alternatives[0].content
        names = [part["Content-ID"].strip("<>") for part in message.walk() if part["Content-ID"]]
        assert names == ["questions", "modes"]
        assert all(f'src="cid:{name}"' in html for name in names)

    def test_failed_tasks_and_the_rehearsed_backup_are_in_both_bodies(self, session):
        values = {"scheduled_for": UNTIL - HOUR, "not_before": UNTIL, "ended_at": UNTIL - HOUR}
        TaskRun.objects.create(task="chat_cleanup", state="failed", error="DiskFull", **values)
        TaskRun.objects.create(
            task="backup", state="succeeded", **values,
            figures={"file": "docent-backup-x.tar.gz", "verified_rows": 1234},
        )  # fmt: skip

        send_report(until=UNTIL)

        for body in (mail.outbox[0].body, mail.outbox[0].alternatives[0].content):
            assert "chat_cleanup: DiskFull" in body
            assert "docent-backup-x.tar.gz" in body
            assert "1234 rows" in body

    def test_without_a_backup_the_report_says_so(self, session):
        send_report(until=UNTIL)

        assert "There is no backup" in mail.outbox[0].body

    def test_what_people_wrote_is_not_in_it(self, session):
        ChatSession.objects.update(title="secret title")
        ask(session)
        ChatMessage.objects.update(content="secret question")

        send_report(until=UNTIL)

        assert "secret" not in mail.outbox[0].message().as_string()

    def test_nobody_to_mail_is_no_failure(self, session, settings):
        settings.ADMINS = []

        assert send_report(until=UNTIL)["recipients"] == 0
        assert mail.outbox == []

    def test_the_task_mails_it_and_a_rehearsal_does_not(self, db):
        call_command("run_task", "activity_report", "--dry-run")
        assert mail.outbox == []

        call_command("run_task", "activity_report")
        assert len(mail.outbox) == 1


class TestCharts:
    def pixels(self, png: bytes) -> tuple[int, int, bytes]:
        width, height = struct.unpack(">II", png[16:24])
        start = png.index(b"IDAT")
        size = struct.unpack(">I", png[start - 4 : start])[0]
        return width, height, zlib.decompress(png[start + 4 : start + 4 + size])

    def test_a_chart_is_a_png_of_the_size_that_the_html_gives_it(self):
        width, height, lines = self.pixels(draw_bars([1, 2, 3]))

        assert (width, height) == (WIDTH * SCALE, HEIGHT * SCALE)
        assert len(lines) == height * (1 + width * 3)

    def test_a_bar_is_as_high_as_its_value(self):
        width, height, lines = self.pixels(draw_bars([1, 2]))
        column = [
            lines[row * (1 + width * 3) + 1 + (width // 4) * 3 :][:3] for row in range(height)
        ]

        blue = sum(pixel == bytes((37, 99, 235)) for pixel in column)
        assert abs(blue - (height - 4) / 2) <= 1

    @pytest.mark.parametrize("values", [[], [0, 0], [7]])
    def test_nothing_to_show_is_still_a_chart(self, values):
        assert draw_bars(values).startswith(b"\x89PNG")
