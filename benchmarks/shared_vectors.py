"""What vectors cost a host: each process holding its own, and all of them mapping one file.

    python -m benchmarks.shared_vectors --chunks 100000 --processes 4

Fills a database of its own with random unit vectors. Memory is the proportional set size: a page
that four processes map counts a quarter in each.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.servers import ROOT, Product, scratch

SEARCHES = 50
PER_DOCUMENT = 10

FILL = """
import sys, django
django.setup()
import numpy as np
from rag.backends import get_embedder
from rag.models import Chunk, ChunkVector, Document, DocumentVersion
chunks, each = int(sys.argv[1]), int(sys.argv[2])
embedder, random = get_embedder(), np.random.default_rng(7)
fields = dict(heading_path="", text_hash="", start=0, end=1, text="x", live=True)
for first in range(0, chunks, 5_000):
    documents = Document.objects.bulk_create(
        Document(title="x", category="guide") for _ in range(5_000 // each)
    )
    versions = DocumentVersion.objects.bulk_create(
        DocumentVersion(document=document, number=1, title="x", content="x")
        for document in documents
    )
    rows = Chunk.objects.bulk_create(
        Chunk(document=version.document, version=version, ordinal=ordinal, **fields)
        for version in versions
        for ordinal in range(each)
    )
    vectors = random.standard_normal((len(rows), embedder.dimension), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ChunkVector.objects.bulk_create(
        ChunkVector(chunk=row, fingerprint=embedder.fingerprint, vector=vector.tobytes())
        for row, vector in zip(rows, vectors)
    )
"""

SEARCH = """
import json, sys, time, django
django.setup()
import numpy as np
from rag.backends import get_embedder
from rag.types import Filters, Viewer
from rag.vector_stores.local import LocalVectorStore
embedder, random = get_embedder(), np.random.default_rng(1)
store = LocalVectorStore(
    dimension=embedder.dimension, fingerprint=embedder.fingerprint, folder=sys.argv[1] or None
)
def search():
    began = time.perf_counter()
    vector = random.standard_normal(embedder.dimension, dtype=np.float32)
    assert len(store.search_now(vector, Filters(viewer=Viewer()), 50)) == 50
    return (time.perf_counter() - began) * 1_000
first = search()
print(json.dumps([first, sorted(search() for _ in range(int(sys.argv[2])))[int(sys.argv[2]) // 2]]))
sys.stdout.flush()
sys.stdin.read()
"""


def main() -> None:
    """Fill, then measure both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=4)
    options = parser.parse_args()
    with scratch() as folder:
        product = Product(folder)
        product.run("manage.py", "migrate", "--verbosity", "0")
        product.run("-c", FILL, str(options.chunks), str(PER_DOCUMENT))
        none = measure(product, "", 1)
        print(f"{options.chunks} chunks, {options.processes} processes started one after another")
        for name, place in (("each its own", ""), ("one file", str(folder / "vectors"))):
            found = measure(product, place, options.processes)
            print(
                f"{name:12}  memory {sum(found['mb']):5.0f} MB in all"
                f" ({found['mb'][-1]:.0f} in the last)   first search"
                f" {found['first'][0]:.0f} ms, then {median(found['first'][1:]):.0f} ms"
                f" in the next processes   search p50 {median(found['search']):.1f} ms"
            )
        print(f"a process alone, its own vectors: {none['mb'][0]:.0f} MB")


def measure(product: Product, folder: str, processes: int) -> dict[str, list[float]]:
    """MB of each process once all have searched; milliseconds of first and later searches."""
    started: list[subprocess.Popen[str]] = []
    found: dict[str, list[float]] = {"mb": [], "first": [], "search": []}
    try:
        for _ in range(processes):
            started.append(
                subprocess.Popen(
                    [sys.executable, "-c", SEARCH, folder, str(SEARCHES)],
                    env=product.environment,
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            assert started[-1].stdout is not None
            first, search = json.loads(started[-1].stdout.readline())
            found["first"].append(first)
            found["search"].append(search)
        found["mb"] = [proportional_mb(process.pid) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    return found


def proportional_mb(pid: int) -> float:
    """The process's proportional set size."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1_000
    raise SystemExit(f"No account of memory for process {pid} on {os.uname().sysname}.")


if __name__ == "__main__":
    main()
