"""HTML: headings, paragraphs, lists, tables and code as Markdown, without what is not content."""

import re
from typing import Any

from rag.loaders.base import Loaded, LoadError, decode
from rag.loaders.tables import table_lines

DROPPED = {
    "script", "style", "noscript", "template", "nav", "footer", "aside", "form", "svg", "iframe",
    "button", "select", "object", "head",
}  # fmt: skip
BLOCKS = {
    "p", "div", "section", "article", "main", "ul", "ol", "dl", "dt", "dd", "blockquote", "figure",
    "figcaption", "header", "address", "body", "tr", "hr", "details", "summary",
}  # fmt: skip
MAX_ELEMENTS = 500_000
_BLANKS = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n\s*\n\s*")


def load_html(data: bytes) -> Loaded:
    """The page's text. Raises LoadError when it is not text or has too many elements."""
    import lxml.html
    from lxml import etree

    text = decode(data)
    # An encoding that the page declares is not the one that the text has been read in.
    text = re.sub(r"\A\s*<\?xml[^>]*\?>", "", text)
    try:
        tree = lxml.html.document_fromstring(text)
    except (etree.ParserError, ValueError) as error:
        raise LoadError("unreadable", "The page holds nothing that can be read.") from error
    title = " ".join((tree.findtext(".//title") or "").split())
    return Loaded(content=_Writer().write(tree), title=title[:200])


class _Writer:
    """Walks the tree without recursion: pages may be nested as deep as they like."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, tree: Any) -> str:
        from lxml import etree

        skipped: Any = None
        events = ("start", "end", "comment", "pi")
        for count, (event, element) in enumerate(etree.iterwalk(tree, events=events)):
            if count > 2 * MAX_ELEMENTS:
                raise LoadError("too_heavy", "The page has more elements than a document may.")
            if skipped is None and event == "start":
                skipped = element if self._start(element) else None
            elif event == "end" and element is skipped:
                skipped = None
                self._tail(element)
            elif skipped is None:
                self._end(element)
        lines = _BLANK_LINES.sub("\n\n", "".join(self.parts))
        return "\n".join(line.rstrip() for line in lines.splitlines()).strip()

    def _start(self, element: Any) -> bool:
        """Write what opens with `element`; whether its inside is skipped."""
        tag = element.tag
        if not isinstance(tag, str) or tag in DROPPED or _is_hidden(element):
            return True
        if tag in ("table", "pre"):
            self._whole(element, tag)
            return True
        if tag == "br":
            self.parts.append("\n")
        elif tag == "li":
            self.parts.append("\n\n- ")
        elif tag in BLOCKS or _level(tag):
            self.parts.append("\n\n" + ("#" * _level(tag) + " " if _level(tag) else ""))
        self._text(element.text)
        return False

    def _whole(self, element: Any, tag: str) -> None:
        if tag == "pre":
            self.parts.append(f"\n\n```\n{element.text_content().strip()}\n```\n\n")
            return
        rows = [
            [cell.text_content() for cell in row.iterchildren("td", "th")]
            for row in element.iter("tr")
        ]
        self.parts.append("\n\n" + "\n".join(table_lines(rows)) + "\n\n")

    def _end(self, element: Any) -> None:
        if isinstance(element.tag, str) and (element.tag in BLOCKS or _level(element.tag)):
            self.parts.append("\n\n")
        self._tail(element)

    def _tail(self, element: Any) -> None:
        self._text(element.tail)

    def _text(self, text: str | None) -> None:
        if text:
            self.parts.append(_BLANKS.sub(" ", text.replace("\n", " ")))


def _level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0


def _is_hidden(element: Any) -> bool:
    style = (element.get("style") or "").replace(" ", "").lower()
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or "display:none" in style
        or "visibility:hidden" in style
    )
