"""How a search grows with the number of chunks: time with permissions on, memory a chunk.

    python benchmarks/vector_search.py 1000 10000 100000 1000000

For each size in a process of its own: random unit vectors in documents of ten chunks, a tenth of
them private to one of a hundred owners, in three categories. Times are of one thread.
"""

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
# As the settings have it; here numpy is loaded before them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

DIMENSION = 256
SEARCHES = 200
BATCH = 1_000


def resident_bytes() -> int:
    """The process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(count: int) -> dict[str, float]:
    """Fill an index with `count` chunks and search it."""
    from uuid import UUID

    import numpy as np

    from rag.types import VectorRecord
    from rag.vector_stores.blocks import import_faiss
    from rag.vector_stores.flat import FlatIndex

    random = np.random.default_rng(7)
    owners = [UUID(int=number + 1) for number in range(100)]
    index = FlatIndex(DIMENSION)
    random.standard_normal((BATCH, DIMENSION), dtype=np.float32)
    import_faiss()  # the library is paid once, not by the chunk
    before = resident_bytes()
    started = time.perf_counter()
    index.reserve(count, exact=True)
    for first in range(0, count, BATCH):
        size = min(BATCH, count - first)
        vectors = random.standard_normal((size, DIMENSION), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        index.put_new(
            [
                VectorRecord(
                    key=first + row + 1,
                    vector=vectors[row],
                    document_id=UUID(int=1_000 + (first + row) // 10),
                    owner_id=owners[(first + row) // 10 % 100]
                    if (first + row) // 10 % 10 == 0
                    else None,
                    public=(first + row) // 10 % 10 != 0,
                    category=("faq", "guide", "policy")[(first + row) // 10 % 3],
                )
                for row in range(size)
            ]
        )
    filled = time.perf_counter() - started
    gc.collect()
    memory = resident_bytes() - before
    times, cpu_times = [], []
    for number in range(SEARCHES):
        query = random.standard_normal(DIMENSION).astype(np.float32)
        query /= np.linalg.norm(query)
        started, cpu_started = time.perf_counter(), time.thread_time()
        index.search(query, index.mask(owners[number % 5], None), 50)
        times.append((time.perf_counter() - started) * 1000)
        cpu_times.append((time.thread_time() - cpu_started) * 1000)
    started = time.perf_counter()
    index.remove_documents([UUID(int=1_000)])
    index.mask(owners[0], None)
    changed = (time.perf_counter() - started) * 1000
    times.sort()
    cpu_times.sort()
    return {
        "chunks": count,
        "p50_ms": round(times[len(times) // 2], 2),
        "p50_cpu_ms": round(cpu_times[len(cpu_times) // 2], 2),
        "p95_ms": round(times[int(len(times) * 0.95)], 2),
        "bytes_a_chunk": round(memory / count),
        "fill_s": round(filled, 2),
        "change_ms": round(changed, 2),
    }


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        for argument in sys.argv[1:]:
            subprocess.run([sys.executable, __file__, "--one", argument], check=True)
