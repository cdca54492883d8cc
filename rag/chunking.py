"""A document cut into chunks that retrieval can weigh and a citation can point into.

Chunks follow headings, then blocks (paragraphs, list items, tables, code), merged up to
`max_chars` under one heading. A block that is longer is cut by rows, lines or sentences.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.text.blocks import CODE, HEADING, TABLE, Block, heading_title, parse_blocks

MAX_CHARS = 1200
WINDOW_CHARS = 1000
OVERLAP_CHARS = 200

_SENTENCE_END = re.compile(r"[.!?…]++[\"'”’»)\]]*+(?=\s)|[。！？｡।]++[」』”’）]*+")
_BLANK = re.compile(r"\s")
_WORDS = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """`content[start:end]` is the chunk; `heading_path` leads from the title down to it."""

    start: int
    end: int
    heading_path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Limits:
    max_chars: int
    window: int
    overlap: int


def split_document(
    content: str,
    *,
    max_chars: int = MAX_CHARS,
    window: int = WINDOW_CHARS,
    overlap: int = OVERLAP_CHARS,
) -> list[ChunkSpan]:
    """Chunks of `content` in order: none empty, every non-blank character in at least one.

    Only the pieces of one long paragraph overlap, by up to `overlap` characters. A heading is
    in its section's first chunk, that of an empty section in the next one's.
    """
    if not 0 <= overlap < window <= max_chars:
        raise ValueError("0 <= overlap < window <= max_chars must hold")
    limits = _Limits(max_chars, window, overlap)
    chunks: list[ChunkSpan] = []
    for path, start, blocks in _sections(content):
        pieces = (_trim(content, *piece) for piece in _pack(content, start, blocks, limits))
        chunks += [ChunkSpan(first, last, path) for first, last in pieces if first < last]
    return _with_tail(content, chunks, limits)


def _sections(content: str) -> Iterator[tuple[tuple[str, ...], int, list[Block]]]:
    """Heading path, start (at its first heading) and blocks of every section that has any."""
    path: list[tuple[int, str]] = []
    start, blocks = -1, list[Block]()
    for block in parse_blocks(content):
        if block.kind != HEADING:
            start = block.start if start < 0 else start
            blocks.append(block)
            continue
        if blocks:
            yield _titles(path), start, blocks
            start, blocks = -1, []
        start = block.start if start < 0 else start
        path = [entry for entry in path if entry[0] < block.level]
        path.append((block.level, heading_title(content, block)))
    if blocks:
        yield _titles(path), start, blocks


def _titles(path: list[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(title for _, title in path)


def _pack(
    content: str, start: int, blocks: list[Block], limits: _Limits
) -> Iterator[tuple[int, int]]:
    """Spans of the section's chunks: whole blocks together while they fit."""
    end = start
    for block in blocks:
        if block.end - start <= limits.max_chars:
            end = block.end
            continue
        if end > start:
            yield start, end
            start = block.start
        if block.end - start > limits.max_chars:
            *full, (start, end) = _cut(content, start, block, limits)
            yield from full
        else:
            end = block.end
    yield start, end


def _cut(content: str, start: int, block: Block, limits: _Limits) -> Iterator[tuple[int, int]]:
    """Pieces of one block too long for a chunk; the first may begin with the headings above."""
    if block.kind in (TABLE, CODE):
        yield from _cut_lines(content, start, block.end, limits)
    else:
        yield from _cut_prose(content, start, block.end, limits)


def _cut_lines(content: str, start: int, end: int, limits: _Limits) -> Iterator[tuple[int, int]]:
    """Whole rows or lines up to `max_chars`; a line that is longer is cut like prose."""
    while end - start > limits.max_chars:
        newline = content.rfind("\n", start + 1, start + limits.max_chars)
        if newline < 0:
            newline = content.find("\n", start + limits.max_chars, end)
            newline = end if newline < 0 else newline
            yield from _cut_prose(content, start, newline, limits)
        else:
            yield start, newline
        start = newline + 1
    if start < end:
        yield start, end


def _cut_prose(content: str, start: int, end: int, limits: _Limits) -> Iterator[tuple[int, int]]:
    """Windows that end with a sentence, else a word, and begin `overlap` characters back."""
    while end - start > limits.window:
        stop = _last_good_end(content, start + limits.window // 2, start + limits.window)
        yield start, stop
        start = max(start + 1, _overlap_start(content, stop, limits.overlap))
    yield start, end


def _last_good_end(content: str, earliest: int, latest: int) -> int:
    """The last sentence end, else the last blank, between the two positions, else the latter."""
    stop = -1
    for match in _SENTENCE_END.finditer(content, earliest, latest + 1):
        stop = match.end()
    if 0 < stop <= latest:
        return stop
    for match in _BLANK.finditer(content, earliest, latest):
        stop = match.start()
    return stop if 0 < stop <= latest else latest


def _overlap_start(content: str, stop: int, overlap: int) -> int:
    """Where the next window begins: at a sentence within the overlap, else at a word."""
    earliest = stop - overlap
    for pattern in (_SENTENCE_END, _BLANK):
        match = pattern.search(content, earliest, stop - 1)
        word = match and _WORDS.search(content, match.end(), stop)
        if word:
            return word.start()
    return earliest


def _trim(content: str, start: int, end: int) -> tuple[int, int]:
    """The span without the white space at its ends."""
    first = _WORDS.search(content, start, end)
    if not first:
        return start, start
    while content[end - 1].isspace():
        end -= 1
    return first.start(), end


def _with_tail(content: str, chunks: list[ChunkSpan], limits: _Limits) -> list[ChunkSpan]:
    """Headings at the very end, with nothing below them, go to the last chunk."""
    tail, end = _trim(content, chunks[-1].end if chunks else 0, len(content))
    if not any(map(str.isalnum, content[tail:end])):
        return chunks
    start, path = tail, tuple[str, ...]()
    if chunks and end - chunks[-1].start <= limits.max_chars:
        last = chunks.pop()
        start, path = last.start, last.heading_path
    pieces = (_trim(content, *piece) for piece in _cut_lines(content, start, end, limits))
    return chunks + [ChunkSpan(first, last, path) for first, last in pieces if first < last]
