"""`python -m rag.loaders.worker MEDIA_TYPE MEMORY CPU`: a file on stdin, JSON on stdout.

Nothing of Django is loaded here. Exits with 71 (EX_OSERR) when the limits were hit.
"""

import dataclasses
import json
import os
import resource
import sys
from collections.abc import Callable

from rag.loaders.base import Loaded, LoadError

MAX_CHARS = 4_000_000


def main(media_type: str, memory_bytes: int, cpu_seconds: int) -> int:
    """Read, load, write; the number to exit with."""
    _limit(memory_bytes, cpu_seconds)
    try:
        answer = _load(sys.stdin.buffer.read(), media_type)
    except (MemoryError, RecursionError):
        return os.EX_OSERR
    sys.stdout.write(json.dumps(answer))
    return 0


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    # It writes to a pipe alone, starts nothing and dumps nothing.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _load(data: bytes, media_type: str) -> dict[str, object]:
    try:
        loaded = _loader(media_type)(data)
        if len(loaded.content) > MAX_CHARS:
            raise LoadError("too_many_characters", "The file holds too much text.")
    except LoadError as error:
        return {"error": {"code": error.code, "message": str(error)}}
    return {"loaded": dataclasses.asdict(loaded)}


def _loader(media_type: str) -> Callable[[bytes], Loaded]:
    """The function for this type; its library is imported only now."""
    if media_type == "application/pdf":
        from rag.loaders.pdf import load_pdf as load
    elif media_type == "text/html":
        from rag.loaders.html import load_html as load
    else:
        from rag.loaders.docx import load_docx as load
    return load


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
