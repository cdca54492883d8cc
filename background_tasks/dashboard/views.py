"""The admin's dashboard: use, answers, feedback, latency and cost over the last two weeks."""

import threading
from datetime import datetime, timedelta

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from background_tasks.dashboard.charts import Chart, draw
from background_tasks.report.figures import MODES, Figures, measure_day

DAYS = 14
# A day that is over hardly changes: counted once a process. Two weeks and some to spare.
KEPT_DAYS = 40
P95 = "Latency, 95th percentile (ms)"

_kept: dict[datetime, Figures] = {}
_lock = threading.Lock()


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """The charts, for those who may see the ledger of the tasks."""
    if not request.user.has_perm("background_tasks.view_taskrun"):
        raise PermissionDenied
    figures = measure_days(timezone.now())
    context = {
        **admin.site.each_context(request),
        "title": "Dashboard",
        "charts": make_charts(figures),
        "today": figures[-1].values,
    }
    return TemplateResponse(request, "admin/dashboard.html", context)


def measure_days(now: datetime) -> list[Figures]:
    """The figures of the last DAYS days in UTC, the oldest first; today's as far as it goes."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = [midnight - timedelta(days=number) for number in reversed(range(DAYS - 1))]
    return [*(_measure(end) for end in ends), measure_day(midnight + timedelta(days=1))]


def _measure(end: datetime) -> Figures:
    with _lock:
        found = _kept.get(end)
    if found is None:
        found = measure_day(end)
        with _lock:
            if len(_kept) >= KEPT_DAYS:
                _kept.clear()
            _kept[end] = found
    return found


def forget_days() -> None:
    """Count every day anew (tests, a restored database)."""
    with _lock:
        _kept.clear()


def make_charts(figures: list[Figures]) -> list[Chart]:
    """The charts of these days."""
    days = [f"{figure.until - timedelta(days=1):%d %b}" for figure in figures]

    def each(name: str) -> list[float]:
        return [figure.values[name] for figure in figures]

    modes = {mode: [float(figure.modes[mode]) for figure in figures] for mode in MODES}
    median = each("Latency, median (ms)")
    slowest = [high - low for high, low in zip(each(P95), median, strict=True)]
    return [
        draw("Questions", days, {"questions": each("Questions")}),
        draw("Active users", days, {"users": each("Active users")}),
        draw("Answers by mode", days, modes),
        draw("Feedback", days, {name: each(name) for name in ("Helpful", "Not helpful")}),
        draw("Latency", days, {"median": median, "on top: to the 95th": slowest}, unit="ms"),
        draw("Tokens", days, {"in": each("Tokens in"), "out": each("Tokens out")}),
        draw("Cost", days, {"cost": each("Cost")}),
        draw("Failed answers", days, {"failed": each("Failed answers")}),
    ]
