"""DOCX: headings, paragraphs, lists and tables as Markdown."""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from rag.loaders.base import Loaded, LoadError
from rag.loaders.tables import table_lines

MAX_ENTRIES = 2_000
MAX_UNPACKED_BYTES = 100_000_000
MAX_RATIO = 200
_HEADING = re.compile(r"Heading (\d)")


def load_docx(data: bytes) -> Loaded:
    """The document's body in order. Raises LoadError for damage, a password or a bomb."""
    import docx
    from docx.opc.exceptions import PackageNotFoundError
    from lxml import etree

    _check_archive(data)
    try:
        document = docx.Document(io.BytesIO(data))
        content = "\n\n".join(filter(None, _blocks(document)))
        title = str(document.core_properties.title or "").strip()
    except (
        PackageNotFoundError,
        zipfile.BadZipFile,
        etree.LxmlError,
        KeyError,
        ValueError,
    ) as error:
        raise LoadError("unreadable", "The DOCX is damaged and cannot be read.") from error
    return Loaded(content=content, title=title[:200])


def _check_archive(data: bytes) -> None:
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise LoadError("encrypted", "The file is protected by a password, or an old .doc.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile as error:
        raise LoadError("wrong_type", "The file is not a DOCX, whatever its name says.") from error
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries) or 1
    if (
        len(entries) > MAX_ENTRIES
        or unpacked > MAX_UNPACKED_BYTES
        or (unpacked > 1_000_000 and unpacked / packed > MAX_RATIO)
    ):
        raise LoadError("too_heavy", "The file unpacks to more than a document may have.")
    if "word/document.xml" not in {entry.filename for entry in entries}:
        raise LoadError("wrong_type", "The file is not a DOCX, whatever its name says.")


def _blocks(document: Any) -> Iterator[str]:
    from docx.table import Table

    for item in document.iter_inner_content():
        if isinstance(item, Table):
            yield "\n".join(table_lines([[cell.text for cell in row.cells] for row in item.rows]))
        else:
            yield _paragraph(item)


def _paragraph(paragraph: Any) -> str:
    text = str(paragraph.text).strip()
    style = str(paragraph.style.name) if paragraph.style is not None else ""
    heading = _HEADING.match(style)
    if not text:
        return ""
    if heading or style == "Title":
        return f"{'#' * (int(heading[1]) if heading else 1)} {' '.join(text.split())}"
    return f"- {text}" if style.startswith("List") else text
