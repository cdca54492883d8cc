"""What Prometheus is told of answers."""

from chat.models import ChatMessage
from chat.services.sweeps import count_stuck_answers
from common import metrics
from common.metrics import Measure


def count_answer(answer: ChatMessage, seconds: float) -> None:
    """Count an answer that has ended, by the rung that wrote it ("none" before any did)."""
    mode = str(answer.metadata.get("mode", "none"))
    metrics.answers_total.labels(mode, answer.status).inc()
    metrics.answer_seconds.labels(mode).observe(seconds)
    first = answer.metadata.get("timings_ms", {}).get("first_token")
    if first is not None:
        metrics.first_token_seconds.labels(mode).observe(first / 1_000)


def measure_answers() -> list[Measure]:
    """Answers that nobody writes any more and that have no end yet; one query."""
    return [
        Measure(
            name="docent_answers_stuck",
            help="Answers whose process has been silent for too long.",
            value=count_stuck_answers(),
        )
    ]
