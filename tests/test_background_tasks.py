"""The schedule, the ledger and the scheduler inside one process."""

import logging
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from smtplib import SMTPException

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.utils import timezone

from background_tasks import incidents, ledger, scheduler
from background_tasks.catch_up import announce_missed, close_missed, record_missed
from background_tasks.checks import check_schedule
from background_tasks.cron import instants, next_instant, parse_cron
from background_tasks.errors import InvalidCron, LeaseLost, RunNotRetryable
from background_tasks.ledger_retention import purge_runs
from background_tasks.models import MAX_TAKEOVERS, TaskRun, TaskState
from background_tasks.runner import Run, execute
from background_tasks.schedule import SCHEDULE, Task, get_task

ROOT = Path(__file__).resolve().parent.parent
LEASE = timedelta(seconds=30)
AT = datetime(2024, 9, 1, 2, 0, tzinfo=UTC)


def work(run):
    return {"rows": 3, "dry_run": run.dry_run}


def fail(run):
    raise ValueError("no such thing")


def refuse_second_write(run):
    run.fence()
    TaskRun.objects.filter(pk=run.claim.run_id).update(token=run.claim.token + 1)
    run.fence()


def make_task(function=work, **values) -> Task:
    values = {"cron": "0 2 * * *", "grace": timedelta(hours=12), "summary": "", **values}
    return Task("example", path=f"{__name__}.{function.__name__}", **values)


def take(task: Task, at: datetime = AT) -> ledger.Claim:
    """The run of `task` at `at`, announced and claimed."""
    ledger.announce(task.name, [at])
    held = ledger.claim(TaskRun.objects.get(task=task.name, scheduled_for=at).pk, lease=LEASE)
    assert held is not None
    return held


class TestCron:
    def test_sunday_is_cron_s_zero_and_seven(self):
        saturday = datetime(2026, 11, 21, tzinfo=UTC)

        assert next_instant("0 1 * * 0", saturday) == datetime(2026, 11, 22, 1, tzinfo=UTC)
        assert next_instant("0 1 * * 7", saturday) == datetime(2026, 11, 22, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("field", "days"),
        [("1-5", 5), ("fri-mon", 4), ("*", 7), ("*/2", 4), ("mon,3", 2), ("0-6/3", 3)],
    )
    def test_weekdays_are_read_as_cron_does(self, field, days):
        week = {"after": AT - timedelta(days=7), "until": AT}

        assert len(list(instants(f"0 1 * * {field}", **week))) == days

    def test_six_fields_begin_with_seconds(self):
        found = list(instants("*/20 * * * * *", after=AT, until=AT + timedelta(minutes=1)))

        assert [instant.second for instant in found] == [20, 40, 0]

    @pytest.mark.parametrize(
        "expression", ["", "0 2", "61 2 * * *", "0 2 * * 8", "0 2 * * mon/0", "a b c d e"]
    )
    def test_what_is_no_cron_is_refused_with_a_sentence(self, expression):
        with pytest.raises(InvalidCron):
            parse_cron(expression)

    @pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Tokyo"])
    def test_a_change_of_the_host_s_clocks_moves_nothing(self, zone):
        code = (
            "from datetime import *; from background_tasks.cron import instants;"
            "print([i.isoformat() for i in instants('30 2 * * *',"
            " after=datetime(2026,10,24,tzinfo=UTC), until=datetime(2026,11,3,tzinfo=UTC))])"
        )
        told = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

        days = [datetime(2026, 10, 24, 2, 30, tzinfo=UTC) + timedelta(days=n) for n in range(10)]
        assert told.strip() == str([day.isoformat() for day in days])


class TestSchedule:
    def test_no_two_rows_have_one_name(self):
        assert len({task.name for task in SCHEDULE}) == len(SCHEDULE)

    def test_the_four_tasks_run_when_the_readme_says(self):
        times = {task.name: task.cron for task in SCHEDULE}

        assert times["chat_cleanup"] == "0 2 * * *"
        assert times["token_cleanup"] == "0 3 * * *"
        assert times["activity_report"] == "0 8 * * *"
        assert next_instant(times["backup"], AT).strftime("%A %H:%M") == "Sunday 01:00"

    def test_every_row_names_a_function_that_exists(self):
        from django.utils.module_loading import import_string

        assert all(callable(import_string(task.function)) for task in SCHEDULE)

    def test_the_environment_gives_other_times_and_off(self, settings):
        settings.BACKGROUND_TASKS_TIMES = {"backup": "0 5 * * *", "mail": "off"}

        assert get_task("backup").cron == "0 5 * * *"
        assert not get_task("mail").enabled

    def test_the_environment_is_read_by_name(self, monkeypatch):
        from config.settings.tasks import read_task_times

        monkeypatch.setenv("TASK_CHAT_CLEANUP", "30 4 * * *")
        monkeypatch.setenv("TASK_BACKUP", "OFF")

        assert read_task_times() == {"chat_cleanup": "30 4 * * *", "backup": "off"}

    def test_a_wrong_name_and_a_wrong_time_are_told_at_start(self, settings):
        settings.BACKGROUND_TASKS_TIMES = {"back_up": "off", "backup": "99 1 * * *"}

        problems = {problem.id for problem in check_schedule()}

        assert problems == {"background_tasks.E001", "background_tasks.E002"}

    def test_the_shipped_times_are_right(self):
        assert check_schedule() == []


@pytest.mark.django_db
class TestLedger:
    def test_an_instant_is_announced_once(self):
        ledger.announce("example", [AT])
        ledger.announce("example", [AT, AT + timedelta(days=1)])

        assert TaskRun.objects.count() == 2

    def test_a_held_run_cannot_be_claimed(self):
        held = take(make_task())

        assert ledger.claim(held.run_id, lease=LEASE) is None

    def test_a_run_that_is_not_ripe_cannot_be_claimed(self):
        ledger.announce("example", [timezone.now() + timedelta(hours=1)])

        assert ledger.claim(TaskRun.objects.get().pk, lease=LEASE) is None

    def test_a_run_that_is_gone_cannot_be_claimed(self):
        held = take(make_task())
        TaskRun.objects.all().delete()

        assert ledger.claim(held.run_id, lease=LEASE) is None

    def test_a_lease_that_ran_out_is_taken_over_with_a_higher_token(self):
        stale = take(make_task())
        TaskRun.objects.update(lease_until=Now() - timedelta(seconds=1))

        fresh = ledger.claim(stale.run_id, lease=LEASE)

        assert fresh is not None
        assert fresh.token > stale.token

    @pytest.mark.parametrize(
        "write",
        [
            lambda stale: ledger.succeed(stale, {}),
            lambda stale: ledger.fail(stale, make_task(), ValueError()),
            lambda stale: ledger.release(stale),
            lambda stale: ledger.check(stale),
        ],
        ids=["succeed", "fail", "release", "check"],
    )
    def test_the_stale_holder_can_write_nothing(self, write):
        stale = take(make_task())
        TaskRun.objects.update(lease_until=Now() - timedelta(seconds=1))
        ledger.claim(stale.run_id, lease=LEASE)

        with pytest.raises(LeaseLost):
            write(stale)
        assert not ledger.renew(stale, lease=LEASE)

    def test_a_run_that_keeps_killing_its_process_is_given_up(self):
        take(make_task())
        TaskRun.objects.update(lease_until=Now() - timedelta(seconds=1), token=MAX_TAKEOVERS)

        assert not TaskRun.objects.due(["example"]).exists()
        assert len(ledger.abandon(["example"])) == 1
        assert TaskRun.objects.get().state == TaskRun.State.FAILED

    def test_a_released_run_is_due_at_once(self):
        ledger.release(take(make_task()))

        assert TaskRun.objects.due(["example"]).exists()

    def test_only_what_is_over_can_be_retried(self):
        held = take(make_task(attempts=1))
        run = TaskRun.objects.get()
        with pytest.raises(RunNotRetryable):
            ledger.retry(run)

        ledger.fail(held, make_task(attempts=1), ValueError())
        ledger.retry(run)

        assert TaskRun.objects.due(["example"]).exists()

    def test_old_runs_go_and_sweeps_sooner(self):
        now = timezone.now()
        for number, (name, age) in enumerate(
            [("backup", 91), ("backup", 89), ("mail", 2), ("mail", 0)]
        ):
            TaskRun.objects.create(
                task=name,
                scheduled_for=now - timedelta(days=age, seconds=number),
                not_before=now,
                ended_at=now - timedelta(days=age),
                state=TaskRun.State.SUCCEEDED,
            )
        limits = {"before": now - timedelta(days=90), "sweeps_before": now - timedelta(days=1)}

        assert purge_runs(**limits, dry_run=True) == {"runs": 2}
        assert purge_runs(**limits) == {"runs": 2}
        assert TaskRun.objects.count() == 2


@pytest.mark.django_db
class TestRunning:
    def test_a_run_is_recorded_with_its_figures_and_host(self):
        execute(make_task(), Run(claim=take(make_task())))

        run = TaskRun.objects.get()
        assert run.state == TaskRun.State.SUCCEEDED
        assert run.figures["rows"] == 3
        assert run.host == os.uname().nodename
        assert run.duration is not None

    def test_a_failure_is_tried_again_later_and_at_last_failed(self):
        task = make_task(fail, attempts=2)

        execute(task, Run(claim=take(task)))
        first = TaskRun.objects.get()
        assert (first.state, first.error) == (TaskRun.State.QUEUED, "ValueError")
        assert first.not_before > timezone.now()

        TaskRun.objects.update(not_before=Now())
        held = ledger.claim(first.pk, lease=LEASE)
        assert held is not None
        execute(task, Run(claim=held))
        assert TaskRun.objects.get().state == TaskRun.State.FAILED

    def test_what_was_asked_for_by_hand_fails_at_once(self):
        task = make_task(fail)
        run = ledger.request_run(task.name)

        execute(task, Run(claim=ledger.claim(run.pk, lease=LEASE)))

        assert TaskRun.objects.get().state == TaskRun.State.FAILED

    def test_a_task_is_stopped_at_its_fence_when_it_was_taken_over(self, caplog):
        task = make_task(refuse_second_write)

        with caplog.at_level(logging.WARNING):
            execute(task, Run(claim=take(task)))

        assert "was taken over" in caplog.text
        assert TaskRun.objects.get().state == TaskRun.State.RUNNING

    def test_a_shutdown_gives_the_run_back(self):
        task = make_task(refuse_second_write)
        run = Run(claim=take(task))
        run.stopping.set()

        execute(task, run)

        assert TaskRun.objects.due([task.name]).exists()


@pytest.mark.django_db
class TestIncidents:
    @pytest.fixture(autouse=True)
    def _admins(self, settings):
        settings.ADMINS = [("Ada", "ada@example.org")]

    def fail_once(self, at=AT, **values):
        task = make_task(fail, attempts=1, **values)
        execute(task, Run(claim=take(task, at)))

    def test_one_mail_an_incident_however_often_it_fails(self):
        for day in range(3):
            self.fail_once(AT + timedelta(days=day))

        assert len(mail.outbox) == 1
        assert "ValueError: no such thing" in mail.outbox[0].body
        assert TaskState.objects.get().failures_in_a_row == 3

    def test_a_success_ends_the_incident_and_the_next_failure_is_another(self):
        self.fail_once()
        execute(make_task(), Run(claim=take(make_task(), AT + timedelta(days=1))))
        self.fail_once(AT + timedelta(days=2))

        assert len(mail.outbox) == 2

    def test_a_rehearsal_that_fails_is_no_incident(self):
        task = make_task(fail)
        run = ledger.request_run(task.name, dry_run=True)
        execute(task, Run(claim=ledger.claim(run.pk, lease=LEASE)))

        assert mail.outbox == []

    def test_a_mail_that_could_not_be_sent_is_sent_with_the_next_failure(self, monkeypatch):
        def refuse(self, messages):
            raise SMTPException

        with monkeypatch.context() as broken:
            broken.setattr(EmailBackend, "send_messages", refuse)
            self.fail_once()
        self.fail_once(AT + timedelta(days=1))

        assert len(mail.outbox) == 1


@pytest.mark.django_db
class TestCatchUp:
    NOW = AT + timedelta(hours=8)

    def known_since(self, task, since):
        incidents.remember(task)
        TaskState.objects.update(since=since)

    def test_a_missed_instant_is_made_up_for_within_its_grace(self):
        task = make_task()
        self.known_since(task, self.NOW - timedelta(days=30))

        announce_missed([task], self.NOW)
        announce_missed([task], self.NOW)

        assert [run.scheduled_for for run in TaskRun.objects.all()] == [AT]

    def test_a_task_that_is_new_or_off_makes_up_for_nothing(self):
        task = make_task()
        self.known_since(task, self.NOW - timedelta(hours=1))
        announce_missed([task, make_task(cron="off")], self.NOW)

        assert not TaskRun.objects.exists()

    def test_another_cron_begins_anew(self):
        self.known_since(make_task(), self.NOW - timedelta(days=30))

        state = incidents.remember(make_task(cron="0 9 * * *"))

        assert state.cron == "0 9 * * *"
        assert state.since > timezone.now() - timedelta(minutes=1)

    def test_what_passed_with_its_grace_is_written_down_and_told(self, settings):
        settings.ADMINS = [("Ada", "ada@example.org")]
        task = make_task(grace=timedelta(hours=1))
        self.known_since(task, AT - timedelta(minutes=1))

        record_missed([task], self.NOW)
        close_missed({task.name: task}, self.NOW)

        assert TaskRun.objects.get().state == TaskRun.State.MISSED
        assert "was missed" in mail.outbox[0].subject

    def test_a_missed_sweep_is_not_worth_a_mail(self, settings):
        settings.ADMINS = [("Ada", "ada@example.org")]
        task = make_task(attempts=1, grace=timedelta(minutes=1))
        self.known_since(task, AT - timedelta(days=1))
        ledger.announce(task.name, [AT])

        record_missed([task], self.NOW)
        close_missed({task.name: task}, self.NOW)

        assert TaskRun.objects.get().state == TaskRun.State.MISSED
        assert mail.outbox == []


@pytest.mark.django_db
class TestCommands:
    def test_run_task_prints_what_the_task_did(self, capsys):
        call_command("run_task", "ledger_cleanup")

        assert '"runs": 0' in capsys.readouterr().out
        assert TaskRun.objects.get().state == TaskRun.State.SUCCEEDED

    def test_dry_run_is_recorded_as_one(self):
        call_command("run_task", "ledger_cleanup", "--dry-run")

        assert TaskRun.objects.get().dry_run

    def test_an_unknown_task_is_answered_with_the_names(self):
        with pytest.raises(CommandError, match="chat_cleanup"):
            call_command("run_task", "nothing")

    def test_a_failed_task_exits_with_an_error(self, monkeypatch):
        monkeypatch.setattr(
            "background_tasks.management.commands.run_task.get_task", lambda _: make_task(fail)
        )

        with pytest.raises(CommandError, match="no such thing"):
            call_command("run_task", "example")


class TestStarting:
    def test_nothing_starts_where_it_is_switched_off(self):
        assert scheduler.start_in_server() is None

    @pytest.mark.parametrize("command", ["check", "migrate"])
    def test_other_commands_start_no_thread(self, command, tmp_path):
        code = (
            "import threading; from django.core.management import call_command; import django;"
            "django.setup(); import config.wsgi, config.asgi, background_tasks.scheduler;"
            f"call_command({command!r});"
            "print('THREADS', [t.name for t in threading.enumerate() if 'task' in t.name])"
        )
        told = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout

        assert "THREADS []" in told
