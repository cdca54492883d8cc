"""The report as a mail: text for every reader, HTML with two charts for most."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.mime.image import MIMEImage
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from background_tasks.report.charts import draw_bars
from background_tasks.report.figures import (
    CHART_DAYS,
    DAY,
    MODES,
    Figures,
    failed_tasks,
    last_backup,
    measure_day,
    messages_by_day,
)

WEEK = timedelta(days=7)
TEMPLATE = "background_tasks/report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure beside those of the day before and of the same day a week before."""

    name: str
    now: float
    day_before: float
    week_before: float

    @property
    def change(self) -> str:
        """Against the day before: "+12 %", "-3 %", "=" or "new"."""
        if self.now == self.day_before:
            return "="
        if not self.day_before:
            return "new"
        return f"{(self.now - self.day_before) / self.day_before:+.0%}".replace("%", " %")


class ReportMail(EmailMultiAlternatives):
    """A mail with its pictures inside: nothing is fetched, so nothing is blocked."""

    mixed_subtype = "related"


def send_report(*, until: datetime) -> dict[str, Any]:
    """Mail the report on the 24 hours before `until` to ADMINS; its figures."""
    today = measure_day(until)
    recipients = [address for _, address in settings.ADMINS]
    if recipients:
        build_report(today).send()
    return {"recipients": len(recipients), **today.values, "modes": today.modes}


def build_report(today: Figures) -> EmailMultiAlternatives:
    """The mail, ready to send."""
    context = make_context(today)
    message = ReportMail(
        subject=f"{settings.EMAIL_SUBJECT_PREFIX}Activity until {today.until:%Y-%m-%d %H:%M} UTC",
        body=render_to_string(f"{TEMPLATE}.txt", context),
        from_email=settings.SERVER_EMAIL,
        to=[address for _, address in settings.ADMINS],
    )
    message.attach_alternative(render_to_string(f"{TEMPLATE}.html", context), "text/html")
    days = [count for _, count in context["days"]]
    message.attach(_picture("questions", draw_bars(days, mark_last=True)))
    message.attach(_picture("modes", draw_bars([today.modes[mode] for mode in MODES])))
    return message


def make_context(today: Figures) -> dict[str, Any]:
    """What both bodies show."""
    day_before, week_before = measure_day(today.until - DAY), measure_day(today.until - WEEK)
    backup = last_backup(today.until)
    counts = messages_by_day(today.until)
    first = today.until - (CHART_DAYS - 1) * DAY
    return {
        "until": today.until,
        "rows": [
            Row(
                name=name,
                now=value,
                day_before=day_before.values[name],
                week_before=week_before.values[name],
            )
            for name, value in today.values.items()
        ],
        "days": [(first + number * DAY, count) for number, count in enumerate(counts)],
        "modes": [(mode, today.modes[mode]) for mode in MODES],
        "failed": failed_tasks(today.until),
        "backup": backup,
        "backup_age": today.until - backup.ended_at if backup and backup.ended_at else None,
        "url": settings.PUBLIC_URL,
    }


def _picture(name: str, png: bytes) -> MIMEImage:
    picture = MIMEImage(png, "png")
    picture.add_header("Content-ID", f"<{name}>")
    picture.add_header("Content-Disposition", "inline", filename=f"{name}.png")
    return picture
