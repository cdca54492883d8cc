"""Whether this process can do its work, by dependency, without flapping.

One failed probe makes a dependency `degraded`; `FAILURES_TO_DOWN` in a row make it `down`, and
from there `SUCCESSES_TO_OK` in a row make it `ok` again. A dependency that never answered since
the process started is down at its first failure: nothing is ready that never was.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.utils.module_loading import import_string

from common.metrics import Measure

logger = logging.getLogger(__name__)

Status = Literal["ok", "degraded", "down"]
FAILURES_TO_DOWN = 3
SUCCESSES_TO_OK = 2
# Probes that come faster than this get the last result: readiness is no way to load a database.
FRESH_SECONDS = 1.0


class ProbeFailed(Exception):
    """A probe's own finding, in words that may be shown; the cause is logged."""


class Degraded(ProbeFailed):
    """It works, with less than it should have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is known of one dependency. `latency_ms` is the last probe's."""

    name: str
    status: Status
    needed: bool
    detail: str
    latency_ms: float


class Dependency:
    """One dependency's recent past."""

    def __init__(self, name: str, probe: Callable[[], str], *, needed: bool) -> None:
        self.name = name
        self.probe = probe
        self.needed = needed
        self.failures = 0
        self.successes = 0
        self.status: Status = "ok"
        self.ever_answered = False

    def check(self) -> Finding:
        """Probe once and say where that leaves it."""
        started = time.perf_counter()
        try:
            detail, verdict = self.probe(), "ok"
        except Degraded as error:
            detail, verdict = str(error), "degraded"
        except ProbeFailed as error:
            logger.warning("Probe of %s failed", self.name, exc_info=error)
            detail, verdict = str(error), "down"
        self.note(verdict)
        status = "degraded" if verdict == "degraded" and self.status == "ok" else self.status
        return Finding(
            name=self.name,
            status=status,
            needed=self.needed,
            detail=detail,
            latency_ms=round((time.perf_counter() - started) * 1_000, 1),
        )

    def note(self, verdict: str) -> None:
        """Take one probe's verdict into account."""
        if verdict == "down":
            self.failures, self.successes = self.failures + 1, 0
            worst = self.failures >= FAILURES_TO_DOWN or not self.ever_answered
            self.status = "down" if worst or self.status == "down" else "degraded"
            return
        self.failures, self.successes = 0, self.successes + 1
        recovered = self.successes >= SUCCESSES_TO_OK or not self.ever_answered
        self.ever_answered = True
        if self.status != "ok":
            self.status = "ok" if recovered else "degraded"


class _State:
    """The dependencies of this process, and the last findings with their time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.dependencies: list[Dependency] | None = None
        self.findings: list[Finding] = []
        self.checked_at = float("-inf")


_state = _State()


def check_health() -> list[Finding]:
    """A finding for each of `HEALTH_CHECKS`, at most `FRESH_SECONDS` old."""
    with _state.lock:
        if _state.dependencies is None:
            _state.dependencies = [
                Dependency(name, import_string(str(check["PROBE"])), needed=check["NEEDED"])
                for name, check in settings.HEALTH_CHECKS.items()
            ]
        if time.monotonic() - _state.checked_at > FRESH_SECONDS:
            _state.findings = [dependency.check() for dependency in _state.dependencies]
            _state.checked_at = time.monotonic()
        return _state.findings


def measure_dependencies() -> list[Measure]:
    """1 for each dependency that is not down, 0 for each that is."""
    return [
        Measure(
            name="docent_dependency_up",
            help="Whether a dependency answers.",
            value=float(finding.status != "down"),
            labels={"dependency": finding.name, "needed": str(finding.needed).lower()},
        )
        for finding in check_health()
    ]


def reset_health() -> None:
    """Forget everything (tests, changed settings)."""
    global _state
    _state = _State()


def overall(findings: list[Finding]) -> Status:
    """`down` when something needed is, `degraded` when anything is not ok."""
    if any(finding.status == "down" and finding.needed for finding in findings):
        return "down"
    return "ok" if all(finding.status == "ok" for finding in findings) else "degraded"
