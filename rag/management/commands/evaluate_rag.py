"""manage.py evaluate_rag DATASET: how good retrieval is, as numbers."""

import json
import random
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common import loop
from rag.errors import NotConfigured
from rag.evaluation.against import WORDS, embedder_named, rank_against
from rag.evaluation.corpus import fill
from rag.evaluation.dataset import Dataset, Query, read_dataset
from rag.evaluation.report import write_report
from rag.evaluation.run import Outcome, Runner
from rag.evaluation.scratch import scratch_database
from rag.evaluation.summary import baselines, regressions, samples, summarise
from rag.fusion import calibrate
from rag.generations import ensure_active
from rag.services.generations import save_calibration

MARGIN = 0.01
SEED = 7
CITED_QUERIES = 300
ABSENT_QUERIES = 600


class Command(BaseCommand):
    """Indexes a corpus into a database of its own and asks its questions."""

    help = "Measure retrieval on a folder with corpus.jsonl, queries.jsonl and qrels.tsv."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The dataset, what to print and what to compare with."""
        parser.add_argument("dataset", type=Path)
        parser.add_argument("--json", action="store_true", help="one object on the last line")
        parser.add_argument("--limit", type=int, help="ask only so many questions, drawn evenly")
        parser.add_argument("--report", type=Path, help="write a Markdown report with plots here")
        parser.add_argument("--save", type=Path, help="keep the figures as JSON here")
        parser.add_argument("--compare", type=Path, help="figures kept by --save; worse ones fail")
        parser.add_argument(
            "--calibrate", action="store_true", help="fit the answering generation's confidence"
        )
        parser.add_argument(
            "--against", type=_names, default=[], help="rankings alone: bm25,wordllama,minilm"
        )
        parser.add_argument("--margin", type=float, default=MARGIN, help="how much worse is worse")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure and print. Raises CommandError for a broken dataset or a regression."""
        try:
            dataset = read_dataset(options["dataset"])
            before = json.loads(options["compare"].read_text()) if options["compare"] else None
        except (OSError, ValueError, KeyError) as error:
            raise CommandError(f"Not a dataset: {error}") from error
        _check_names(options["against"])
        with scratch_database():
            ids = fill(dataset)
            queries = _draw(dataset, options["limit"])
            outcomes, cited = loop.run(_ask(Runner(dataset, ids), queries))
            against = rank_against(options["against"], outcomes, ids)
        figures = summarise(outcomes, cited)
        rows = {**baselines(outcomes), **against}
        self._show(figures, rows, len(outcomes), options)
        if options["save"]:
            options["save"].write_text(json.dumps(figures) + "\n")
        if options["report"]:
            write_report(options["report"], dataset.name, figures, outcomes, rows)
        if options["calibrate"]:
            self._calibrate(outcomes)
        if options["json"]:
            self.stdout.write(json.dumps({**figures, **_labelled(against)}))
        worse = regressions(figures, before, options["margin"]) if before else []
        if worse:
            raise CommandError("Worse than before: " + "; ".join(worse))

    def _calibrate(self, outcomes: Sequence[Outcome]) -> None:
        """Keep the fit with the generation that answers: it is of the same embedder."""
        try:
            calibration = calibrate(samples(outcomes))
        except ValueError as error:
            raise CommandError(f"Cannot calibrate: {error}.") from error
        generation = ensure_active()
        save_calibration(generation, calibration)
        self.stdout.write(
            f"{generation.fingerprint}: declines below {calibration.decline_below:.3f}, is "
            f"uncertain below {calibration.uncertain_below:.3f}."
        )

    def _show(self, figures: Any, rows: Any, count: int, options: dict[str, Any]) -> None:
        if options["json"] and options["verbosity"] < 1:
            return
        self.stdout.write(f"{count} questions")
        for key, value in figures.items():
            self.stdout.write(f"{key:<20} {'-' if value is None else value}")
        for label, row in rows.items():
            cells = "  ".join(f"{key} {value:.4f}" for key, value in row.items())
            self.stdout.write(f"{label:<14} {cells}")


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _check_names(names: Sequence[str]) -> None:
    """Fail for an embedder that cannot be built before the corpus is indexed, not after."""
    try:
        for name in names:
            if name != WORDS:
                embedder_named(name)
    except NotConfigured as error:
        raise CommandError(f"Cannot compare with {name}: {error}") from error


def _labelled(against: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The rows of --against flat, so that they stand beside the figures: `minilm hit@3`."""
    return {
        f"{name} {key}": round(value, 4)
        for name, row in against.items()
        for key, value in row.items()
    }


def _draw(dataset: Dataset, limit: int | None) -> list[Query]:
    queries = list(dataset.queries)
    if limit is None or limit >= len(queries):
        return queries
    return random.Random(SEED).sample(queries, limit)  # noqa: S311 (a sample, not a secret)


async def _ask(runner: Runner, queries: Sequence[Query]) -> tuple[list[Outcome], list[bool]]:
    await runner.prepare()
    step = max(1, len(queries) // ABSENT_QUERIES)
    outcomes = [
        await runner.ask(query, with_absent=number % step == 0)
        for number, query in enumerate(queries)
    ]
    judged = [query for query in queries if query.gains and query.answerable]
    cited: list[bool] = []
    for query in judged[:: max(1, len(judged) // CITED_QUERIES)]:
        cited += await runner.cite(query)
    return outcomes, cited
