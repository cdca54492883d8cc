"""The schedule and the ledger over HTTP, in the admin, in the metrics and in readiness."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from background_tasks import incidents, ledger
from background_tasks.models import TaskRun, TaskState
from background_tasks.probes import probe_backup, probe_tasks
from background_tasks.schedule import SCHEDULE, get_task
from background_tasks.selectors import measure_tasks
from common.health import Degraded
from tests.factories import make_user

LEASE = timedelta(minutes=1)


def make_run(task="chat_cleanup", state="succeeded", **values) -> TaskRun:
    now = timezone.now()
    values = {
        "scheduled_for": now, "not_before": now, "started_at": now - timedelta(seconds=3),
        "ended_at": now, **values,
    }  # fmt: skip
    return TaskRun.objects.create(task=task, state=state, **values)


@pytest.mark.django_db
class TestAPI:
    def test_the_schedule_is_listed_with_its_last_runs(self, staff_api):
        run = make_run(figures={"messages": 3})

        answer = staff_api.get("/api/tasks/").json()

        assert answer["count"] == len(SCHEDULE)
        rows = {row["name"]: row for row in answer["results"]}
        assert rows["chat_cleanup"]["last_run"]["id"] == str(run.pk)
        assert rows["chat_cleanup"]["last_run"]["figures"] == {"messages": 3}
        assert rows["backup"]["cron"] == "0 1 * * 0"
        assert rows["backup"]["next_run_at"].endswith("T01:00:00.000000Z")

    def test_a_run_is_queued_and_can_be_followed(self, staff_api, staff):
        answer = staff_api.post("/api/tasks/chat_cleanup/run/", {"dry_run": True})

        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["dry_run"]) == ("queued", True)
        assert staff_api.get(answer["Location"]).json() == answer.json()
        assert TaskRun.objects.get().requested_by == staff

    def test_a_queued_run_is_the_next_process_s(self, staff_api):
        staff_api.post("/api/tasks/chat_cleanup/run/")

        assert ledger.claim(TaskRun.objects.get().pk, lease=LEASE) is not None

    def test_the_ledger_of_a_task_is_paged(self, staff_api):
        for _ in range(3):
            make_run()

        page = staff_api.get("/api/tasks/chat_cleanup/runs/?page_size=2").json()

        assert (page["count"], len(page["results"])) == (3, 2)

    @pytest.mark.parametrize("path", ["/api/tasks/nothing/run/", "/api/tasks/nothing/runs/"])
    def test_an_unknown_task_is_not_found(self, staff_api, path):
        answer = staff_api.post(path) if path.endswith("run/") else staff_api.get(path)

        assert answer.status_code == 404
        assert answer.json()["code"] == "task_not_found"

    def test_another_task_s_run_is_not_found(self, staff_api):
        run = make_run("backup")

        assert staff_api.get(f"/api/tasks/chat_cleanup/runs/{run.pk}/").status_code == 404

    def test_a_dry_run_that_is_no_boolean_is_refused(self, staff_api):
        answer = staff_api.post("/api/tasks/chat_cleanup/run/", {"dry_run": "perhaps"})

        assert answer.status_code == 400
        assert not TaskRun.objects.exists()

    @pytest.mark.parametrize("path", ["/api/tasks/", "/api/tasks/backup/runs/"])
    def test_it_is_for_staff_alone(self, api, user_api, path):
        assert api.get(path).status_code == 401
        assert user_api.get(path).status_code == 403

    def test_nobody_else_runs_a_task(self, api, user_api):
        assert api.post("/api/tasks/backup/run/").status_code == 401
        assert user_api.post("/api/tasks/backup/run/").status_code == 403
        assert not TaskRun.objects.exists()

    def test_what_an_error_said_is_not_told(self, staff_api):
        make_run(state="failed", error="ValueError", error_detail="/srv/secret")

        assert "/srv/secret" not in staff_api.get("/api/tasks/chat_cleanup/runs/").content.decode()


@pytest.mark.django_db
class TestAdmin:
    @pytest.fixture
    def admin(self) -> Client:
        client = Client()
        client.force_login(make_user(is_staff=True, is_superuser=True))
        return client

    def address(self, name, *arguments):
        return reverse(f"admin:background_tasks_{name}", args=arguments)

    def test_it_shows_the_schedule_and_the_ledger(self, admin):
        make_run()

        page = admin.get(self.address("taskrun_changelist")).content.decode()

        assert "Run now" in page
        assert "0 2 * * *" in page

    def test_it_filters_by_task_and_by_outcome(self, admin):
        make_run("backup", "failed", error="DiskFull")
        make_run("chat_cleanup", error="NotShown")

        page = admin.get(self.address("taskrun_changelist") + "?task=backup&state=failed")

        assert [run.task for run in page.context["cl"].result_list] == ["backup"]

    @pytest.mark.parametrize(("data", "dry_run"), [({}, False), ({"dry_run": "1"}, True)])
    def test_a_button_queues_a_run_or_a_rehearsal(self, admin, data, dry_run):
        admin.post(self.address("taskrun_run", "backup"), data)

        run = TaskRun.objects.get()
        assert (run.task, run.dry_run, run.state) == ("backup", dry_run, "queued")

    def test_a_link_queues_nothing(self, admin):
        assert admin.get(self.address("taskrun_run", "backup")).status_code == 405
        assert not TaskRun.objects.exists()

    def test_an_unknown_task_is_said_to_be_unknown(self, admin):
        page = admin.post(self.address("taskrun_run", "nothing"), follow=True)

        assert "no such task" in page.content.decode()

    def test_failed_runs_are_queued_again_and_others_left_alone(self, admin):
        failed, done = make_run(state="failed"), make_run()

        admin.post(
            self.address("taskrun_changelist"),
            {"action": "retry", "_selected_action": [failed.pk, done.pk]},
        )

        assert TaskRun.objects.get(pk=failed.pk).state == "queued"
        assert TaskRun.objects.get(pk=done.pk).state == "succeeded"

    def test_staff_without_the_permission_run_nothing(self):
        from django.contrib.auth.models import Permission

        user = make_user(is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_taskrun"))
        client = Client()
        client.force_login(user)

        client.post(self.address("taskrun_run", "backup"))

        assert not TaskRun.objects.exists()

    def test_runs_and_incidents_can_be_looked_at_and_not_changed(self, admin):
        run = make_run()
        incidents.remember(get_task("backup"))

        assert admin.get(self.address("taskrun_change", run.pk)).status_code == 200
        assert admin.get(self.address("taskrun_add")).status_code == 403
        assert admin.post(self.address("taskrun_delete", run.pk)).status_code == 403
        assert admin.get(self.address("taskstate_changelist")).status_code == 200
        assert admin.get(self.address("taskstate_add")).status_code == 403


@pytest.mark.django_db
class TestMetricsAndReadiness:
    def fail(self, name="chat_cleanup"):
        incidents.report_failure(get_task(name), make_run(name, "failed"))

    def measures(self) -> dict[tuple[str, str], float]:
        return {(item.name, item.labels.get("task", "")): item.value for item in measure_tasks()}

    def test_a_failing_task_is_counted(self):
        self.fail()

        measures = self.measures()

        assert measures["docent_task_failing", "chat_cleanup"] == 1
        assert measures["docent_task_failing", "backup"] == 0
        assert measures["docent_task_seconds", "chat_cleanup"] == pytest.approx(3)

    def test_the_age_of_the_newest_whole_backup_is_measured(self):
        assert ("docent_backup_age_seconds", "") not in self.measures()
        make_run("backup", ended_at=timezone.now() - timedelta(hours=1), figures={"bytes": 7})
        make_run("backup", "failed")
        make_run("backup", dry_run=True)

        measures = self.measures()

        assert measures["docent_backup_age_seconds", ""] == pytest.approx(3600, abs=60)
        assert measures["docent_backup_bytes", ""] == 7

    def test_readiness_names_the_failing_tasks(self):
        assert "No task" in probe_tasks()
        self.fail()

        with pytest.raises(Degraded, match="chat_cleanup"):
            probe_tasks()

    def test_readiness_tells_of_the_rehearsed_backup(self):
        make_run("backup", figures={"verified_rows": 12})

        assert "12 rows" in probe_backup()

    def test_a_new_installation_has_a_week(self):
        incidents.remember(get_task("backup"))

        assert probe_backup() == "None yet."

    def test_no_backup_for_more_than_eight_days_is_degraded(self):
        incidents.remember(get_task("backup"))
        TaskState.objects.update(since=timezone.now() - timedelta(days=9))
        make_run("backup", ended_at=timezone.now() - timedelta(days=9))

        with pytest.raises(Degraded):
            probe_backup()

    def test_a_task_that_is_off_is_not_missed(self, settings):
        settings.BACKGROUND_TASKS_TIMES = {"backup": "off"}

        assert probe_backup() == "None yet."
