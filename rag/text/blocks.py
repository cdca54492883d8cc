"""The blocks of a Markdown or plain text: headings, paragraphs, list items, tables, code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

HEADING, PARAGRAPH, LIST_ITEM, TABLE, CODE = "heading", "paragraph", "list_item", "table", "code"

MAX_SETEXT_CHARS = 120

_HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+\S")
_HEADING_MARKS = re.compile(r"^#{1,6}[ \t]+|[ \t]+#+$")
_UNDERLINE = re.compile(r"[ ]{0,3}(=+|-{2,})[ \t]*$")
_RULE = re.compile(r"[ ]{0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_LIST = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+\S")
_TABLE = re.compile(r"[ \t]*\|.*\S")
LINE_LOOK_CHARS = 1000


@dataclass(frozen=True, slots=True)
class Block:
    """`text[start:end]` is one block. `level` is 1 to 6 for a heading, else 0."""

    kind: str
    start: int
    end: int
    level: int = 0


@dataclass(slots=True)
class _Open:
    """The block that the lines are being added to."""

    kind: str = ""
    start: int = 0
    end: int = 0
    fence: str = ""
    lines: int = 0


def parse_blocks(text: str) -> Iterator[Block]:
    """Blocks in order; everything outside them is blank lines and horizontal rules."""
    current = _Open()
    for start, end in _line_spans(text):
        line = text[start : min(end, start + LINE_LOOK_CHARS)]
        if current.fence:
            yield from _inside_code(current, line, start, end)
        else:
            yield from _outside_code(current, line, start, end)
    yield from _close(current)


def heading_title(text: str, block: Block) -> str:
    """A heading's words without its marks and with single blanks."""
    first_line = text[block.start : block.end].strip().split("\n")[0]
    return " ".join(_HEADING_MARKS.sub("", first_line).split())


def _line_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every line, the newline left out."""
    start = 0
    while start < len(text):
        newline = text.find("\n", start)
        end = len(text) if newline < 0 else newline
        yield start, end
        start = end + 1


def _inside_code(current: _Open, line: str, start: int, end: int) -> Iterator[Block]:
    current.end = end
    closes = line.strip()
    if closes.startswith(current.fence) and not closes.strip(current.fence[0]):
        yield from _close(current)


def _outside_code(current: _Open, line: str, start: int, end: int) -> Iterator[Block]:
    fence = _FENCE.match(line)
    if fence:
        yield from _close(current)
        _open(current, CODE, start, end)
        current.fence = fence[1]
    elif heading := _HEADING.match(line):
        yield from _close(current)
        yield Block(HEADING, start, end, len(heading[1]))
    elif _is_setext(current, line):
        level = 1 if "=" in line else 2
        yield Block(HEADING, current.start, end, level)
        current.kind = ""
    elif (not line.strip() and end - start <= LINE_LOOK_CHARS) or _RULE.match(line):
        yield from _close(current)
    else:
        yield from _add_line(current, line, start, end)


def _is_setext(current: _Open, line: str) -> bool:
    """A line of === or --- below a paragraph of one short line makes that a heading."""
    if current.kind != PARAGRAPH or current.lines != 1:
        return False
    return current.end - current.start <= MAX_SETEXT_CHARS and bool(_UNDERLINE.match(line))


def _add_line(current: _Open, line: str, start: int, end: int) -> Iterator[Block]:
    """Go on with the open block, or close it and open one; each list item is its own."""
    if _TABLE.match(line):
        kind, goes_on = TABLE, current.kind == TABLE
    elif _LIST.match(line):
        kind, goes_on = LIST_ITEM, False
    else:
        kind, goes_on = PARAGRAPH, current.kind in (PARAGRAPH, LIST_ITEM)
    if goes_on:
        current.end = end
        current.lines += 1
        return
    yield from _close(current)
    _open(current, kind, start, end)


def _open(current: _Open, kind: str, start: int, end: int) -> None:
    current.kind, current.start, current.end = kind, start, end
    current.fence, current.lines = "", 1


def _close(current: _Open) -> Iterator[Block]:
    if current.kind:
        yield Block(current.kind, current.start, current.end)
    current.kind = current.fence = ""
