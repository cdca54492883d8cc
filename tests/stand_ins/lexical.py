"""Vectors and answers that follow from the text alone, so that tests can work them out."""

import math
import re
from functools import lru_cache
from zlib import crc32

WORD = re.compile(r"\w+")
# "[1] Title" and, on the next line, the passage; or a fenced source: its headings, then the text.
NUMBERED = re.compile(r"\[(\d+)\][^\n]*\n+(.+)")
FENCED = re.compile(r"source (\d+)>>>\n[^\n]*\n\n(?:#[^\n]*\n+)*(.+)")


@lru_cache(maxsize=4_096)
def embed(text: str, dimension: int) -> list[float]:
    """A unit vector of hashed words: texts with words in common are near each other."""
    vector = [0.0] * dimension
    for word in WORD.findall(text.lower()):
        number = crc32(word.encode())
        vector[number % dimension] += 1.0 if number & 0x10000 else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [round(value / length, 6) for value in vector]


def count_tokens(text: str) -> int:
    """Roughly what a tokenizer would count."""
    return len(text) // 4 + 1


def reply_to(messages: list[dict[str, object]]) -> str:
    """An answer that quotes the first numbered passage of the last message, and cites it."""
    prompt = str(messages[-1].get("content", ""))
    found = FENCED.search(prompt) or NUMBERED.search(prompt)
    if found is None:
        return "I answer without any passage."
    sentence = re.split(r"(?<=[.!?])\s", found[2].strip())[0]
    return f"{sentence} [{found[1]}]"
