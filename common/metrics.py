"""What the product counts about itself, for Prometheus; right under several workers.

Names begin with `docent_`; times are in seconds; labels have few values (a route, never a path;
a mode, never a user). With several processes PROMETHEUS_MULTIPROC_DIR names a folder in which
each keeps its counts, and a scrape of any one adds them up.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db import DatabaseError
from django.utils.module_loading import import_string
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

logger = logging.getLogger(__name__)

# Each metric opens its file in this folder when it is declared, just below.
if _folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    os.makedirs(_folder, exist_ok=True)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30)
ANSWER_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 40, 80)
SEARCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)

requests_total = Counter(
    "docent_requests", "HTTP requests answered.", ["method", "route", "status"]
)
request_seconds = Histogram(
    "docent_request_seconds",
    "From the request's arrival to the response's first byte.",
    ["method", "route"],
    buckets=REQUEST_SECONDS,
)
throttled_total = Counter("docent_throttled", "Requests refused by a limit.", ["scope"])
answers_total = Counter(
    "docent_answers", "Answers that ended, by rung and by how they ended.", ["mode", "status"]
)
answer_seconds = Histogram(
    "docent_answer_seconds",
    "From the question to the answer's last word.",
    ["mode"],
    buckets=ANSWER_SECONDS,
)
first_token_seconds = Histogram(
    "docent_first_token_seconds",
    "From the question to the answer's first word.",
    ["mode"],
    buckets=ANSWER_SECONDS,
)
streams_open = Gauge("docent_streams_open", "Event streams open now.", multiprocess_mode="livesum")
retrieval_seconds = Histogram(
    "docent_retrieval_seconds", "One retrieval, all legs.", buckets=SEARCH_SECONDS
)
provider_calls_total = Counter(
    "docent_provider_calls", "Calls to a provider, by outcome.", ["provider", "outcome"]
)
provider_seconds = Histogram(
    "docent_provider_seconds", "One call to a provider.", ["provider"], buckets=ANSWER_SECONDS
)
tokens_total = Counter("docent_tokens", "Tokens that providers counted.", ["model", "kind"])
cost_total = Counter("docent_cost", "What those tokens cost, by TOKEN_PRICES.", ["model"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number that is read from the database when Prometheus asks for it."""

    name: str
    help: str
    value: float
    labels: dict[str, str] = field(default_factory=dict)


class SourcesCollector(Collector):
    """The measures of `METRICS_SOURCES`: functions, by dotted path, each yielding Measures."""

    def collect(self) -> Iterable[Metric]:
        """One gauge family a name."""
        families: dict[str, GaugeMetricFamily] = {}
        for measure in _measures():
            family = families.setdefault(
                measure.name,
                GaugeMetricFamily(measure.name, measure.help, labels=list(measure.labels)),
            )
            family.add_metric(list(measure.labels.values()), measure.value)
        return families.values()


def _measures() -> Iterator[Measure]:
    for path in settings.METRICS_SOURCES:
        try:
            yield from list(import_string(path)())
        except DatabaseError:
            # What the processes counted is wanted most when the database is down.
            logger.warning("No measures from %s: the database does not answer", path)


def render() -> bytes:
    """All metrics of all processes, in Prometheus' text format."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(REGISTRY) + generate_latest(_sources())
    registry = _sources()
    forget_dead_processes()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _sources() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(SourcesCollector())
    return registry


def forget_dead_processes() -> None:
    """Take the live gauges of processes that have ended out of the sum."""
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
    for name in os.listdir(folder):
        if name.startswith("gauge_live"):
            process = int(name.rsplit("_", 1)[1].removesuffix(".db"))
            if not _lives(process):
                multiprocess.mark_process_dead(process)  # type: ignore[no-untyped-call]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
