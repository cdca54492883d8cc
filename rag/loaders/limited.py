"""Reading a file in a process of its own, which may use so much memory and time and no more."""

import json
import os
import subprocess
import sys
from pathlib import Path

from rag.loaders.base import Loaded, LoadError

WALL_SECONDS = 30
CPU_SECONDS = 20
MEMORY_BYTES = 768 * 1024 * 1024
ROOT = Path(__file__).resolve().parent.parent.parent
# What the worker exits with, and what that means; 0 is a result, good or bad.
TOO_HEAVY = LoadError("too_heavy", "The file takes more memory or time than a document may.")
BROKEN = LoadError("unreadable", "The file is damaged and cannot be read.")


def load_in_process(
    data: bytes,
    media_type: str,
    *,
    wall_seconds: float = WALL_SECONDS,
    memory_bytes: int = MEMORY_BYTES,
) -> Loaded:
    """The document in `data`. Raises LoadError, also when the process does not survive it."""
    command = [sys.executable, "-m", "rag.loaders.worker", media_type]
    command += [str(memory_bytes), str(CPU_SECONDS)]
    try:
        ended = subprocess.run(  # noqa: S603 (our own module, no shell)
            command,
            input=data,
            capture_output=True,
            cwd=ROOT,
            # No keys, no addresses: nothing that a parser's bug could give away.
            env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            timeout=wall_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _copy(TOO_HEAVY) from error
    if ended.returncode < 0 or ended.returncode == os.EX_OSERR:
        raise _copy(TOO_HEAVY)
    if ended.returncode:
        raise _copy(BROKEN)
    return _read(ended.stdout)


def _read(output: bytes) -> Loaded:
    try:
        answer = json.loads(output)
        if "error" in answer:
            raise LoadError(answer["error"]["code"], answer["error"]["message"])
        return Loaded(**answer["loaded"])
    except (ValueError, KeyError, TypeError) as error:
        raise _copy(BROKEN) from error


def _copy(error: LoadError) -> LoadError:
    return LoadError(error.code, str(error))
