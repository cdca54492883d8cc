"""PDF: the text of each page below a heading that names the page."""

import io
import re
from typing import TYPE_CHECKING

from rag.loaders.base import Loaded, LoadError

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_PAGES = 500
MAX_CHARS = 4_000_000
_HYPHEN_AT_END = re.compile(r"(?<=[a-zß-ÿ])-\n(?=[a-zß-ÿ])")
_BLANK_LINES = re.compile(r"\n{3,}")


def load_pdf(data: bytes) -> Loaded:
    """Text by page. Raises LoadError for damage, a password, too many pages, or no text."""
    from pypdf.errors import PyPdfError

    if b"%PDF-" not in data[:1024]:
        raise LoadError("wrong_type", "The file is not a PDF, whatever its name says.")
    try:
        reader = _open(data)
        content = "\n\n".join(_pages(reader))
        title = str((reader.metadata.title if reader.metadata else "") or "").strip()
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        # pypdf lets its own lookups' errors through where a file is damaged.
        raise LoadError("unreadable", "The PDF is damaged and cannot be read.") from error
    if not content:
        raise LoadError("no_text", "The PDF holds no text (a scan needs text recognition first).")
    return Loaded(content=content, title=title[:200], metadata={"pages": len(reader.pages)})


def _open(data: bytes) -> "PdfReader":
    from pypdf import PasswordType, PdfReader

    reader = PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise LoadError("encrypted", "The PDF is protected by a password.")
    if len(reader.pages) > MAX_PAGES:
        raise LoadError("too_many_pages", f"A PDF may have {MAX_PAGES:,} pages.")
    return reader


def _pages(reader: "PdfReader") -> list[str]:
    found, size = [], 0
    for number, page in enumerate(reader.pages, 1):
        text = _BLANK_LINES.sub("\n\n", _HYPHEN_AT_END.sub("", page.extract_text())).strip()
        size += len(text)
        if size > MAX_CHARS:
            raise LoadError("too_many_characters", "The PDF holds too much text.")
        if text:
            found.append(f"## Page {number}\n\n{text}")
    return found
