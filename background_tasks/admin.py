"""The ledger in the admin: look, filter, try again, run now, rehearse."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from background_tasks import ledger
from background_tasks.errors import RunNotRetryable, TaskNotFound
from background_tasks.models import TaskRun, TaskState
from background_tasks.schedule import get_schedule, get_task
from background_tasks.scheduler import wake
from background_tasks.selectors import list_tasks

# What a run came from is shown; only the queue's own columns are left out.
SHOWN = (
    "id", "task", "scheduled_for", "trigger", "dry_run", "state", "token", "failures",
    "not_before", "lease_until", "owner", "started_at", "ended_at", "duration", "figures",
    "error", "error_detail", "requested_by",
)  # fmt: skip


class TaskFilter(admin.SimpleListFilter):
    """By task, those of the schedule."""

    title = "task"
    parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The names."""
        return [(task.name, task.name) for task in get_schedule()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> QuerySet[TaskRun]:
        """The runs of that task."""
        return queryset.filter(task=self.value()) if self.value() else queryset


@admin.register(TaskRun)
class TaskRunAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The ledger."""

    list_display = (
        "task", "scheduled_for", "state", "trigger", "dry_run", "token", "duration", "host",
        "error",
    )  # fmt: skip
    list_filter = (TaskFilter, "state", "trigger", "dry_run", "scheduled_for")
    search_fields = ("task", "error", "error_detail", "owner")
    list_select_related = ("requested_by",)
    show_full_result_count = False
    actions = ("retry",)
    fields = readonly_fields = SHOWN
    change_list_template = "background_tasks/ledger.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Runs are asked for with a button, not written by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The ledger is shortened by its own task alone."""
        return False

    @admin.action(description="Try again", permissions=["change"])
    def retry(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> None:
        """Queue failed and missed runs once more."""
        again = 0
        for run in queryset:
            try:
                ledger.retry(run)
                again += 1
            except RunNotRetryable as error:
                self.message_user(request, f"{run}: {error}", messages.WARNING)
        wake()
        self.message_user(request, f"{again} runs are queued again.")

    def get_urls(self) -> list[URLPattern]:
        """The button's address besides the usual ones."""
        run = self.admin_site.admin_view(self.run_now)
        own = path("run/<slug:name>/", run, name="background_tasks_taskrun_run")
        return [own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The ledger under the schedule with its buttons."""
        context = {
            "schedule": list_tasks(),
            "may_run": self.has_change_permission(request),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    @method_decorator(require_POST)
    def run_now(self, request: HttpRequest, name: str) -> HttpResponse:
        """Queue a run, or a rehearsal, of the task."""
        back = HttpResponseRedirect(reverse("admin:background_tasks_taskrun_changelist"))
        if not self.has_change_permission(request):
            self.message_user(request, "You may not run tasks.", messages.ERROR)
            return back
        try:
            task = get_task(name)
        except TaskNotFound as error:
            self.message_user(request, str(error), messages.ERROR)
            return back
        rehearsal = "dry_run" in request.POST
        ledger.request_run(task.name, dry_run=rehearsal, requested_by=request.user)
        wake()
        what = "A rehearsal" if rehearsal else "A run"
        self.message_user(request, f"{what} of {task.name} is queued.")
        return back


@admin.register(TaskState)
class TaskStateAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Incidents: which tasks are failing, and since when."""

    list_display = ("task", "cron", "since", "incident_since", "failures_in_a_row", "notified_at")
    fields = readonly_fields = (*list_display, "incident_run")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False
