"""The figures of a day, as rows of the report."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q

from background_tasks.models import TaskRun
from chat.models import ChatMessage, ChatSession, MessageFeedback, SenderType, Status
from common.prices import price
from users.models import User

DAY = timedelta(days=1)
CHART_DAYS = 14
MODES = ("grounded", "uncertain", "general", "extractive", "unavailable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a day's answers say about themselves; latencies in milliseconds, cost in money."""

    modes: Counter[str] = field(default_factory=Counter)
    latencies: list[int] = field(default_factory=list)
    tokens: Counter[str] = field(default_factory=Counter)
    cost: float = 0.0

    def percentile(self, share: float) -> int:
        """The latency that `share` (0 to 1) of the answers kept to; 0 without any."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of the 24 hours up to `until`, by the name that the report shows."""

    until: datetime
    values: dict[str, float]
    modes: dict[str, int]


def measure_day(until: datetime) -> Figures:
    """The figures of the 24 hours before `until`."""
    answers = measure_answers(until)
    values = {
        **_count_people(until),
        **_count_messages(until),
        "Latency, median (ms)": answers.percentile(0.5),
        "Latency, 95th percentile (ms)": answers.percentile(0.95),
        "Tokens in": answers.tokens["prompt"],
        "Tokens out": answers.tokens["completion"],
        "Cost": round(answers.cost, 4),
        **_count_failures(until),
    }
    return Figures(until=until, values=values, modes={mode: answers.modes[mode] for mode in MODES})


def measure_answers(until: datetime) -> Answers:
    """Modes, latencies, tokens and cost of a day's finished answers."""
    modes: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    latencies: list[int] = []
    cost = 0.0
    rows = _within(ChatMessage.objects, "timestamp", until).filter(
        sender_type=SenderType.BOT, status__in=(Status.COMPLETE, Status.STOPPED, Status.FAILED)
    )
    for metadata in rows.values_list("metadata", flat=True).iterator(500):
        modes[metadata.get("mode") or "unavailable"] += 1
        if total := (metadata.get("timings_ms") or {}).get("total"):
            latencies.append(int(total))
        usage = metadata.get("usage") or {}
        prompt, completion = (usage.get(f"{kind}_tokens") or 0 for kind in ("prompt", "completion"))
        tokens.update(prompt=prompt, completion=completion)
        cost += price(metadata.get("model") or "", prompt, completion)
    return Answers(modes=modes, latencies=latencies, tokens=tokens, cost=cost)


def messages_by_day(until: datetime) -> list[int]:
    """Questions of each of the last CHART_DAYS days, the oldest first, in one query."""
    counts = {
        f"day{number}": Count(
            "pk",
            filter=Q(timestamp__gte=until - (number + 1) * DAY, timestamp__lt=until - number * DAY),
        )
        for number in range(CHART_DAYS)
    }
    questions = ChatMessage.objects.filter(
        sender_type=SenderType.USER, timestamp__gte=until - CHART_DAYS * DAY
    )
    found = questions.aggregate(**counts)
    return [found[f"day{number}"] for number in reversed(range(CHART_DAYS))]


def failed_tasks(until: datetime) -> list[TaskRun]:
    """The day's runs that failed or were missed."""
    runs = TaskRun.objects.between(until - DAY, until).filter(state__in=TaskRun.RETRYABLE)
    return list(runs.order_by("ended_at")[:20])


def last_backup(until: datetime) -> TaskRun | None:
    """The newest backup that was written and restored as a rehearsal."""
    runs = TaskRun.objects.filter(task="backup", state=TaskRun.State.SUCCEEDED, dry_run=False)
    return runs.filter(ended_at__lte=until).order_by("-ended_at").first()


def _count_people(until: datetime) -> dict[str, float]:
    started = _within(ChatSession.objects, "created_at", until)
    asked = _within(ChatMessage.objects, "timestamp", until).filter(sender_type=SenderType.USER)
    return {
        "Users": User.objects.filter(date_joined__lt=until).count(),
        "New users": _within(User.objects, "date_joined", until).count(),
        "Active users": asked.values("session__user").distinct().count(),
        "New sessions": started.count(),
    }


def _count_messages(until: datetime) -> dict[str, float]:
    messages = _within(ChatMessage.objects, "timestamp", until)
    feedback = _within(MessageFeedback.objects, "updated_at", until)
    return {
        "Questions": messages.filter(sender_type=SenderType.USER).count(),
        "Answers": messages.filter(sender_type=SenderType.BOT, status=Status.COMPLETE).count(),
        "Helpful": feedback.filter(rating=1).count(),
        "Not helpful": feedback.filter(rating=-1).count(),
    }


def _count_failures(until: datetime) -> dict[str, float]:
    messages = _within(ChatMessage.objects, "timestamp", until)
    runs = TaskRun.objects.between(until - DAY, until)
    return {
        "Failed answers": messages.filter(status=Status.FAILED).count(),
        "Failed tasks": runs.filter(state__in=TaskRun.RETRYABLE).count(),
    }


def _within(manager: Any, field_name: str, until: datetime) -> Any:
    return manager.filter(**{f"{field_name}__gte": until - DAY, f"{field_name}__lt": until})
