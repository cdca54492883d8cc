"""An evaluation as a Markdown page with plots drawn as SVG beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rag.evaluation.metrics import bootstrap_interval, hit_at
from rag.evaluation.run import Outcome
from rag.evaluation.summary import KEYS, decline_scores

BINS = 20
WIDTH, HEIGHT, EDGE = 640, 240, 30
COLOURS = ("#2a7", "#c44")


def write_report(
    path: Path,
    name: str,
    figures: Mapping[str, float | None],
    outcomes: Sequence[Outcome],
    rows: Mapping[str, Mapping[str, float]],
) -> None:
    """Write `path` (Markdown) and the plots that it shows, beside it.

    `rows` are the measures of other rankings by their names, for comparison.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    plot = path.with_name(f"{path.stem}-confidence.svg")
    plot.write_text(draw_histogram(*decline_scores(outcomes)), encoding="utf-8")
    lines = _lines(name, figures, outcomes)
    lines += ["## Each leg alone", "", *_table(rows), ""]
    lines += ["## Confidence", "", f"![Confidence of questions]({plot.name})", ""]
    lines += ["Green: the documents are there. Red: they are not.", ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def _lines(
    name: str, figures: Mapping[str, float | None], outcomes: Sequence[Outcome]
) -> list[str]:
    hits = [
        hit_at(outcome.ranked, outcome.query.gains, 3)
        for outcome in outcomes
        if outcome.query.gains and outcome.query.answerable
    ]
    low, high = bootstrap_interval(hits)
    lines = [f"# Retrieval on {name}", "", f"{len(outcomes)} questions.", ""]
    lines += ["| measure | value |", "| --- | --- |"]
    lines += [f"| {key} | {figures[key]} |" for key in KEYS]
    lines += ["", f"hit@3: 95 % bootstrap interval {low:.3f} to {high:.3f}.", ""]
    return lines


def _table(rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    lines = ["| ranking | hit@1 | hit@3 | hit@10 | ndcg@10 |", "| --- | --- | --- | --- | --- |"]
    for label, row in rows.items():
        cells = " | ".join(f"{row[key]:.4f}" for key in ("hit@1", "hit@3", "hit@10", "ndcg@10"))
        lines.append(f"| {label} | {cells} |")
    return lines


def draw_histogram(positives: Sequence[float], negatives: Sequence[float]) -> str:
    """Shares of both kinds of questions by confidence, as an SVG."""
    step = (WIDTH - 2 * EDGE) / BINS
    bars = []
    for series, values in enumerate((positives, negatives)):
        for place, share in enumerate(_shares(values)):
            height = share * (HEIGHT - 2 * EDGE)
            x = EDGE + place * step + series * step / 2
            bars.append(
                f'<rect x="{x:.1f}" y="{HEIGHT - EDGE - height:.1f}" width="{step / 2:.1f}" '
                f'height="{height:.1f}" fill="{COLOURS[series]}"/>'
            )
    axis = f'<path d="M{EDGE} {HEIGHT - EDGE}H{WIDTH - EDGE}" stroke="#888"/>'
    labels = "".join(
        f'<text x="{EDGE + place * (WIDTH - 2 * EDGE):.0f}" y="{HEIGHT - 10}">{place:g}</text>'
        for place in (0, 0.25, 0.5, 0.75, 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12">{axis}{"".join(bars)}{labels}</svg>\n'
    )


def _shares(values: Sequence[float]) -> list[float]:
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int(value * BINS))] += 1
    return [count / len(values) if values else 0.0 for count in counts]
