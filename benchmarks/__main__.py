"""The short benchmark: `make bench`, or `python -m benchmarks --rounds 5` for calmer figures.

Everything runs on this machine in one go, rounds of the product and of its floors taking turns,
so that ratios hold on a busy machine where the figures themselves do not.
"""

import argparse
import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks import floors, phases, report
from benchmarks.servers import Product, scratch

RESULTS = Path(__file__).parent / "results"
POSTGRESQL = "postgres://postgres@127.0.0.1:5432/postgres"


def main() -> None:
    """Measure, and write results/report.md with its pictures and results/figures.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--postgresql", default=POSTGRESQL)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    began = time.perf_counter()
    with scratch() as folder:
        figures = asyncio.run(measure_all(folder, options))
    figures["seconds"] = time.perf_counter() - began
    options.output.mkdir(exist_ok=True, parents=True)
    (options.output / "figures.json").write_text(json.dumps(figures, indent=1))
    text = report.write(figures, options.output)
    print(text)


async def measure_all(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every figure, by name."""
    load = os.getloadavg()[0]
    product = Product(folder)
    _say("setting up a database with the shipped documents")
    token = product.set_up()
    figures: dict[str, Any] = {"rounds": options.rounds, "cores": os.cpu_count()}
    figures["load"] = [round(load, 1)]
    _say("inserts, and what is seen from inside")
    figures["insert"] = {
        "sqlite": floors.sqlite_insert(folder),
        "postgresql": floors.postgresql_insert(options.postgresql),
    }
    figures["queries"] = product.measure("queries")
    figures["ingestion"] = phases.measure_ingestion()
    _say("from start to first answer")
    figures["start"] = await phases.measure_starts(product, token, options.rounds)
    _say("messages")
    figures["messages"] = await phases.measure_messages(folder, token, product, options.rounds)
    _say(f"{options.streams} streams at once")
    figures["streams"] = await phases.measure_streams(product, token, options.streams)
    _say("search by size")
    figures["search"] = [phases.measure_search(size) for size in options.sizes]
    figures["load"].append(round(os.getloadavg()[0], 1))
    return figures


def _say(what: str) -> None:
    print(f"… {what}", flush=True)


if __name__ == "__main__":
    main()
