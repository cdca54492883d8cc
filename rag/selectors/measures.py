"""What Prometheus is told of the knowledge base."""

from django.db.models import Count
from django.utils import timezone

from common.metrics import Measure
from rag.models import Document, IndexChange, IndexCounter


def measure_documents() -> list[Measure]:
    """Documents by status, and how far an external vector store is behind them; three queries."""
    counted = dict(Document.objects.order_by().values_list("status").annotate(Count("pk")))
    counter = IndexCounter.objects.filter(pk=IndexCounter.ONLY).first()
    depth = counter.number - counter.projected if counter else 0
    documents = [
        Measure(
            name="docent_documents",
            help="Documents by the state of their processing.",
            value=counted.get(status, 0),
            labels={"status": status},
        )
        for status, _ in Document.STATUSES
    ]
    return [
        *documents,
        Measure(
            name="docent_outbox_depth",
            help="Changes that the vector store has not been brought yet.",
            value=depth,
        ),
        Measure(
            name="docent_index_lag_seconds",
            help="Since the oldest change that the vector store has not been brought yet.",
            value=_oldest_age(counter) if counter and depth else 0,
        ),
    ]


def _oldest_age(counter: IndexCounter) -> float:
    waiting = IndexChange.objects.filter(number__gt=counter.projected).order_by("number")
    oldest = waiting.values_list("created_at", flat=True).first()
    return (timezone.now() - oldest).total_seconds() if oldest else 0.0
