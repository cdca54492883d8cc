"""Cron expressions in UTC: which instants they name."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from apscheduler.triggers.cron import CronTrigger

from background_tasks.errors import InvalidCron

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
OFF = "off"


@lru_cache(maxsize=256)
def parse_cron(expression: str) -> CronTrigger:
    """A trigger for "minute hour day month weekday", or six fields with seconds first; in UTC.

    Weekdays are cron's (0 and 7 are Sunday) or names. Raises InvalidCron.
    """
    fields = expression.split()
    if len(fields) == 5:
        fields.insert(0, "0")
    if len(fields) != 6:
        raise InvalidCron(f"{expression!r}: five fields are needed, or six with seconds first.")
    second, minute, hour, day, month, weekday = fields
    try:
        return CronTrigger(
            second=second,
            minute=minute,
            hour=hour,
            day=day,
            month=month,
            day_of_week=_name_weekdays(weekday),
            timezone=UTC,
        )
    except ValueError as error:
        raise InvalidCron(f"{expression!r}: {error}") from error


def instants(expression: str, *, after: datetime, until: datetime) -> Iterator[datetime]:
    """The instants of the expression in `(after, until]`, oldest first."""
    trigger = parse_cron(expression)
    start = after.astimezone(UTC) + timedelta(microseconds=1)
    instant = trigger.get_next_fire_time(None, start)
    while instant is not None and instant <= until:
        yield instant
        instant = trigger.get_next_fire_time(None, instant + timedelta(microseconds=1))


def next_instant(expression: str, after: datetime) -> datetime | None:
    """The first instant of the expression after `after`; None when there is none any more."""
    start = after.astimezone(UTC) + timedelta(microseconds=1)
    found: datetime | None = parse_cron(expression).get_next_fire_time(None, start)
    return found


def _name_weekdays(field: str) -> str:
    # APScheduler counts from Monday, cron from Sunday: names mean the same to both.
    return ",".join(name for part in field.lower().split(",") for name in _expand(part))


def _expand(part: str) -> list[str]:
    span, _, step = part.partition("/")
    if span == "*" and not step:
        return ["*"]
    first, _, last = ("0-6" if span == "*" else span).partition("-")
    start, end = _weekday(first), _weekday(last or first)
    if step and not (step.isdigit() and int(step)):
        raise InvalidCron(f"{part!r} is not a step of weekdays.")
    days = range(start, (end if end >= start else end + 7) + 1, int(step or 1))
    return [WEEKDAYS[day % 7] for day in days]


def _weekday(text: str) -> int:
    if re.fullmatch(r"[0-7]", text):
        return int(text)
    if text in WEEKDAYS:
        return WEEKDAYS.index(text)
    raise InvalidCron(f"{text!r} is not a weekday.")
