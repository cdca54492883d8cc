# ruff: noqa: E402 (Django is set up before anything of it is imported)
"""A whole retrieval (both legs, reranking, permissions) over many chunks, and keeping in step.

    python benchmarks/search_at_scale.py DATASET CHUNKS

Fills a database of its own with the dataset's documents, again and again with their sentences
in another order, until there are CHUNKS; asks the dataset's questions.
"""

import os
import random
import resource
import sys
import time
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")

import django

django.setup()

from common import loop
from rag.evaluation.corpus import fill
from rag.evaluation.dataset import Dataset, Entry, read_dataset
from rag.evaluation.scratch import scratch_database
from rag.models import Chunk
from rag.retrieval import retrieve
from rag.services.documents import change_document
from rag.types import Question, Viewer

QUESTIONS = 100


def shuffled(entry: Entry, number: int) -> Entry:
    """The same sentences in another order, under another title."""
    sentences = entry.text.split(". ")
    random.Random(number).shuffle(sentences)
    return Entry(
        id=f"{entry.id}-{number}",
        title=f"{entry.title} {number}",
        text=". ".join(sentences),
        group=entry.group,
    )


def enlarge(dataset: Dataset, chunks: int) -> Dataset:
    """`dataset` with copies, about `chunks` chunks in all (two a document)."""
    entries = list(dataset.entries)
    number = 0
    while len(entries) * 1.85 < chunks:
        number += 1
        entries += [shuffled(entry, number) for entry in dataset.entries]
    wanted = int(chunks / 1.85)
    return Dataset(name=dataset.name, entries=tuple(entries[:wanted]), queries=dataset.queries)


def measure(questions: list[Question]) -> str:
    """How long retrieval takes for each of them."""
    walls, cpus = [], []
    for question in questions:
        wall, cpu = time.perf_counter(), time.process_time()
        loop.run(retrieve(question))
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    walls.sort()
    cpus.sort()
    half = len(walls) // 2
    return (
        f"retrieval p50 {walls[half]:.1f} ms, CPU p50 {cpus[half]:.1f} ms, "
        f"p95 {walls[int(len(walls) * 0.95)]:.1f} ms"
    )


def main(path: Path, chunks: int) -> None:
    """Fill, ask, change, print."""
    dataset = enlarge(read_dataset(path), chunks)
    with scratch_database():
        started = time.perf_counter()
        ids = fill(dataset)
        print(
            f"{Chunk.objects.count()} chunks of {len(ids)} documents in "
            f"{time.perf_counter() - started:.0f} s"
        )
        viewer = Viewer(user_id=uuid4())
        ask = [Question(text=query.text, viewer=viewer) for query in dataset.queries[:QUESTIONS]]
        started = time.perf_counter()
        loop.run(retrieve(ask[0]))
        print(f"first search (loads the index) {time.perf_counter() - started:.2f} s")
        print(f"questions of words not met before: {measure(ask)}")
        print(f"of words met before: {measure(ask)}")
        document = Chunk.objects.order_by("-key")[0].document
        started = time.perf_counter()
        change_document(document, user_id=uuid4(), changes={"hidden": True})
        loop.run(retrieve(ask[0]))
        print(f"change and the next search {(time.perf_counter() - started) * 1000:.0f} ms")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"peak memory {peak} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
