"""`manage.py doctor`: ask every service that is configured, really, and say what to do."""

import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from common.health import Degraded, ProbeFailed


class Command(BaseCommand):
    """One line a service: state, name, milliseconds, what it said, and what to do about it."""

    help = "Check every configured service with a small real call; fails when one is down."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which services; all of them when none is named."""
        parser.add_argument("names", nargs="*", metavar="name", help="only these services")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the lines. Exits with an error when a service is down."""
        checks = settings.DOCTOR_CHECKS
        if unknown := set(options["names"]) - set(checks):
            raise CommandError(f"Unknown: {', '.join(unknown)}. There are: {', '.join(checks)}.")
        names = options["names"] or list(checks)
        down = [name for name in names if not self._examine(name, checks[name])]
        if down:
            raise CommandError(f"Down: {', '.join(down)}.")

    def _examine(self, name: str, check: Mapping[str, str]) -> bool:
        """Ask one service and print its line; whether it can be worked with."""
        started = time.perf_counter()
        state, said = self._probe(check["PROBE"])
        milliseconds = round((time.perf_counter() - started) * 1_000)
        advice = "" if state == "ok" else f" → {check['ADVICE']}"
        style = {"ok": self.style.SUCCESS, "degraded": self.style.WARNING}
        mark = style.get(state, self.style.ERROR)(f"{state:<8}")
        self.stdout.write(f"{mark} {name:<12} {milliseconds:>6} ms  {said}{advice}")
        return state != "down"

    def _probe(self, path: str) -> tuple[str, str]:
        try:
            return "ok", import_string(path)()
        except Degraded as error:
            return "degraded", str(error)
        except ProbeFailed as error:
            return "down", str(error)
