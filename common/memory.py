"""What a serving process does once so that it stays small, and the collector out of the way."""

import ctypes
import gc
import sys

from django.urls import get_resolver

# glibc's own numbers (malloc.h). Left alone it keeps an arena for each thread, and what one of
# them frees serves no other.
M_ARENA_MAX = -8
ARENAS = 2
# Nearly everything a request makes is gone with its last reference; a look for cycles after
# every 700 objects finds nothing.
OBJECTS_BEFORE_COLLECTION = 20_000


async def settle_memory() -> None:
    """Call it when the server starts: before its threads begin, after everything is imported."""
    limit_arenas()
    _ = get_resolver().url_patterns  # the views' modules: else the first request imports them
    gc.collect()
    # What is here now stays to the end: the collector need not look at it again.
    gc.freeze()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION, 10, 20)
    give_back()


def limit_arenas() -> None:
    """Let all threads share two arenas, where the C library is glibc."""
    if (library := _glibc()) is not None:
        library.mallopt(M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Hand free memory back to the system, where the C library is glibc."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None
