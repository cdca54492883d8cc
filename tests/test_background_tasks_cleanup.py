"""The chat cleanup: what goes, what stays, and what it never touches."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from background_tasks import ledger
from background_tasks.errors import LeaseLost
from background_tasks.runner import Run
from background_tasks.tasks import chat_cleanup
from chat.models import ChatMessage, ChatSession, MessageFeedback
from chat.services import retention
from chat.services.retention import purge_messages
from tests.factories import make_user

AT = datetime(2024, 9, 1, 2, 0, tzinfo=UTC)
LIMIT = AT - timedelta(days=30)
TICK = timedelta(microseconds=1)
OLD = LIMIT - timedelta(days=1)

_positions = count()


def make_session(updated_at=OLD, **values) -> ChatSession:
    return ChatSession.objects.create(
        user=make_user(), updated_at=updated_at, **{"next_position": 2, **values}
    )


def make_message(session, at, **values) -> ChatMessage:
    values = {"sender_type": "user", "content": "text", **values}
    return ChatMessage.objects.create(
        session=session, timestamp=at, position=next(_positions), **values
    )


@pytest.mark.django_db
class TestWhatGoes:
    def test_exactly_thirty_days_is_not_older_than_thirty_days(self):
        session = make_session()
        stays = make_message(session, LIMIT)
        make_message(session, LIMIT - TICK)

        purged = purge_messages(before=LIMIT)

        assert list(ChatMessage.objects.all()) == [stays]
        assert purged.messages == 1

    def test_the_limit_counts_from_the_scheduled_instant_however_late_it_runs(self, settings):
        settings.CHAT_RETENTION_DAYS = 30
        session = make_session()
        make_message(session, LIMIT - TICK)
        make_message(session, LIMIT)
        ledger.announce("chat_cleanup", [AT])
        run = ledger.TaskRun.objects.get()

        figures = chat_cleanup(Run(claim=ledger.claim(run.pk, lease=timedelta(minutes=1))))

        assert figures == {"messages": 1, "sessions": 0, "left": 0}

    def test_a_session_left_empty_goes_with_its_messages(self):
        emptied, other = make_session(), make_session()
        make_message(emptied, OLD)
        make_message(other, OLD)
        make_message(other, LIMIT)

        purged = purge_messages(before=LIMIT)

        assert list(ChatSession.objects.all()) == [other]
        assert (purged.messages, purged.sessions) == (2, 1)

    def test_a_session_that_was_touched_stays_without_its_messages(self):
        make_message(make_session(updated_at=LIMIT), OLD)

        purge_messages(before=LIMIT)

        assert ChatSession.objects.count() == 1
        assert not ChatMessage.objects.exists()

    def test_a_session_that_never_had_a_message_stays(self):
        make_session(next_position=0)

        purge_messages(before=LIMIT)

        assert ChatSession.objects.count() == 1

    def test_what_a_broken_off_cleanup_left_empty_goes(self):
        make_session()

        assert purge_messages(before=LIMIT).sessions == 1

    def test_a_younger_answer_outlives_its_question(self):
        session = make_session()
        question = make_message(session, LIMIT - TICK)
        make_message(session, LIMIT, sender_type="bot", reply_to=question)

        purge_messages(before=LIMIT)

        assert ChatMessage.objects.get().reply_to is None

    def test_feedback_goes_with_its_message(self):
        message = make_message(make_session(), OLD, sender_type="bot")
        MessageFeedback.objects.create(message=message, rating=1)

        purge_messages(before=LIMIT)

        assert not MessageFeedback.objects.exists()

    def test_batches_end_where_all_times_are_equal(self, monkeypatch):
        monkeypatch.setattr(retention, "BATCH_ROWS", 3)
        session = make_session()
        for _ in range(10):
            make_message(session, OLD)

        assert purge_messages(before=LIMIT).messages == 10

    def test_a_dry_run_says_what_a_run_then_does(self):
        for _ in range(3):
            make_message(make_session(), OLD)
        make_session()
        busy = make_session()
        make_message(busy, OLD)
        make_message(busy, LIMIT)

        said = purge_messages(before=LIMIT, dry_run=True)

        assert ChatMessage.objects.count() == 5
        assert purge_messages(before=LIMIT) == said

    def test_a_lost_lease_stops_it_between_batches(self, monkeypatch):
        monkeypatch.setattr(retention, "BATCH_ROWS", 2)
        for _ in range(6):
            make_message(make_session(), OLD)
        left = iter([None, None])

        def fence():
            try:
                next(left)
            except StopIteration:
                raise LeaseLost from None

        with pytest.raises(LeaseLost):
            purge_messages(before=LIMIT, fence=fence)
        assert ChatMessage.objects.count() == 2

    @pytest.mark.django_db(transaction=True)
    def test_a_session_in_use_is_passed_over(self):
        if connection.vendor != "postgresql":
            pytest.skip("SQLite has one writer at a time: nothing can be in use meanwhile")
        session = make_session()
        make_message(session, OLD)
        make_message(make_session(), OLD)
        other = connection.copy()
        other.set_autocommit(False)
        other.cursor().execute(
            "SELECT 1 FROM chat_chatsession WHERE id = %s FOR UPDATE", [session.pk]
        )
        try:
            purged = purge_messages(before=LIMIT)
        finally:
            other.close()

        assert (purged.messages, purged.left) == (1, 1)
        assert ChatMessage.objects.get().session == session


@pytest.mark.django_db
class TestTheOtherTasks:
    @pytest.mark.parametrize(
        "name",
        ["chat_cleanup", "token_cleanup", "idempotency", "mail", "outbox", "ingestion",
         "activity_report", "stuck_answers"],
    )  # fmt: skip
    @pytest.mark.parametrize("arguments", [[], ["--dry-run"]], ids=["run", "dry-run"])
    def test_it_runs_and_can_be_rehearsed(self, name, arguments):
        call_command("run_task", name, *arguments)

        assert ledger.TaskRun.objects.get().state == "succeeded"

    def test_a_dry_run_of_the_tokens_deletes_none(self):
        from users.models import HeldName

        HeldName.objects.create(username_key="x", created_at=timezone.now() - timedelta(days=999))

        call_command("run_task", "token_cleanup", "--dry-run")
        assert HeldName.objects.exists()
        call_command("run_task", "token_cleanup")
        assert not HeldName.objects.exists()
