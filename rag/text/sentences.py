"""Where sentences begin and end, in prose and in Markdown.

Headings, list items, table rows and lines of code are units of their own; paragraphs are split
at sentence ends. Every pass is a single scan, so one line of 100 MB costs linear time.
"""

import re
from collections.abc import Iterator

from rag.text.blocks import CODE, HEADING, LIST_ITEM, TABLE, Block, parse_blocks

Span = tuple[int, int]

MAX_THAI_PHRASE_CHARS = 60

_ABBREVIATIONS = (
    "mr mrs ms dr prof sr jr st mt vs etc e.g i.e eg ie cf al approx ca inc ltd co corp dept est "
    "fig figs no nos vol pp p eq sec ch ed eds jan feb mar apr jun jul aug sep sept oct nov dec "
    "gen col lt sgt capt rev hon gov sen rep u.s u.k u.n e.u a.m p.m ph.d b.sc m.sc d.c "
    "z.b bzw usw nr bspw ggf"
)
ABBREVIATIONS = frozenset(_ABBREVIATIONS.split())
# These may end a sentence too: then the next word begins with a capital.
_MAY_END = "etc inc ltd co corp jr sr u.s u.k u.n e.u a.m p.m ph.d d.c usw"
MAY_END = frozenset(_MAY_END.split())

# Runs are possessive, and nothing has to follow them here: no backtracking on "........".
_END = re.compile(
    r"""(?P<latin>[.!?…‽؟۔]++)(?P<close>["'”’»)\]*_`]*+)(?P<space>\s*+)"""
    r"""|[。！？｡．।॥።။།]++[」』”’）〉》】"')]*+"""
)
_WORD_BEFORE = re.compile(r"[^\s(\[\"'“‘*_]*$")
_CODE_SPAN = re.compile(r"`[^`\n]+`")
_LIST_MARKER = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
_HEADING_MARKS = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+")
_QUOTE_MARKS = re.compile(r"(?:[ \t]*>)+[ \t]?")
_BLANKS = re.compile(r"\s++")
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_STARTS_LIKE_A_NAME = re.compile(r"[\w-]*[._/:]\w|[`/\"'“(\[*]")


def split_sentences(text: str) -> list[Span]:
    """Spans of the sentences of `text`, in order, not overlapping, without outer white space.

    Marks that only lay out (`##`, `- `, `1. `, `> `, fences, rules) are outside every span.
    """
    return [span for span, _ in sentences_with_kinds(text)]


def sentences_with_kinds(text: str) -> Iterator[tuple[Span, str]]:
    """Each sentence's span and the kind of block that it stands in (see `rag.text.blocks`)."""
    for block in parse_blocks(text):
        for span in _units(text, block):
            yield span, block.kind


def _units(text: str, block: Block) -> Iterator[Span]:
    if block.kind in (CODE, TABLE):
        return _lines(text, block)
    start = _after_marks(text, block)
    if block.kind == HEADING:
        return _trimmed(text, start, block.end)
    return _prose(text, start, block.end)


def _after_marks(text: str, block: Block) -> int:
    """Where the block's words begin: behind `##`, `- `, `1. ` or `>`."""
    start = block.start
    for marks in (_QUOTE_MARKS, {HEADING: _HEADING_MARKS, LIST_ITEM: _LIST_MARKER}.get(block.kind)):
        if marks and (match := marks.match(text, start, block.end)):
            start = match.end()
    return start


def _lines(text: str, block: Block) -> Iterator[Span]:
    """Each line with a letter or a digit; fences and the rule below a table's head have none."""
    start = block.start
    while start < block.end:
        newline = text.find("\n", start, block.end)
        end = block.end if newline < 0 else newline
        line = text[start:end]
        if not line.lstrip().startswith(("```", "~~~")) and any(map(str.isalnum, line)):
            yield from _trimmed(text, start, end)
        start = end + 1


def _prose(text: str, start: int, end: int) -> Iterator[Span]:
    code = _CodeSpans(text, start, end)
    last = start
    for match in _END.finditer(text, start, end):
        if match.start() < last or code.contains(match.start()):
            continue
        if match["latin"] and not _ends_sentence(text, match, last, end):
            continue
        stop = match.end("close") if match["latin"] else match.end()
        yield from _phrases(text, last, stop)
        last = stop
    yield from _phrases(text, last, end)


class _CodeSpans:
    """Is this position inside `inline code`? Asked with growing positions only."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._spans = _CODE_SPAN.finditer(text, start, end)
        self._current = next(self._spans, None)

    def contains(self, position: int) -> bool:
        while self._current and self._current.end() <= position:
            self._current = next(self._spans, None)
        return self._current is not None and self._current.start() < position


def _ends_sentence(text: str, match: re.Match[str], last: int, end: int) -> bool:
    """Is this run of . ! ? the end of a sentence?"""
    if match.end() >= end:
        return True
    if not match["space"]:
        return False  # 3.14, example.com, /api/docs/, manage.py
    following = text[match.end() : match.end() + 40]
    is_lower = following[0].islower() and not _STARTS_LIKE_A_NAME.match(following)
    if match["latin"] != ".":
        return not is_lower
    before = text[max(last, match.start() - 24) : match.start()]
    word = _WORD_BEFORE.search(before)[0].lower()  # type: ignore[index]
    if word in ABBREVIATIONS:
        return word in MAY_END and following[0].isupper()
    if len(word) == 1 and word.isalpha() and before[-1:].isupper() and word != "i":
        return False  # J. Smith
    return not is_lower


def _phrases(text: str, start: int, end: int) -> Iterator[Span]:
    """A sentence whole; Thai, Lao, Burmese and Khmer cut at blanks, where they end sentences."""
    if end - start <= MAX_THAI_PHRASE_CHARS or not _SPACELESS.search(text, start, start + 200):
        yield from _trimmed(text, start, end)
        return
    last = start
    for blank in _BLANKS.finditer(text, start, end):
        if blank.start() - last >= MAX_THAI_PHRASE_CHARS:
            yield from _trimmed(text, last, blank.start())
            last = blank.end()
    yield from _trimmed(text, last, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end
