"""Which loader reads a file, and where: plain text here, everything else in a limited process."""

import re
from pathlib import PurePath

from rag.loaders.base import Loaded, LoadError, decode
from rag.loaders.limited import load_in_process
from rag.loaders.markdown import load_markdown

MARKDOWN = "text/markdown"
TEXT = "text/plain"
HTML = "text/html"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MEDIA_TYPES = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".txt": TEXT,
    ".html": HTML,
    ".htm": HTML,
    ".pdf": PDF,
    ".docx": DOCX,
}
# What a file of another type begins with, whatever its name says.
SIGNATURES = {b"%PDF-": "a PDF", b"PK\x03\x04": "a ZIP archive", b"\xd0\xcf\x11\xe0": "an OLE file"}


def media_type_of(filename: str) -> str:
    """The media type that a file's name stands for. Raises LoadError for one we do not read."""
    try:
        return MEDIA_TYPES[PurePath(filename).suffix.lower()]
    except KeyError as error:
        known = ", ".join(sorted(MEDIA_TYPES))
        raise LoadError(
            "unsupported_type", f"Files of this type are not read. Known: {known}."
        ) from error


def title_from_name(stem: str) -> str:
    """A readable title from a file's name without its ending."""
    words = " ".join(re.sub(r"[-_]+", " ", stem).split())
    return words[:1].upper() + words[1:] if words else "Untitled"


def load_file(data: bytes, media_type: str) -> Loaded:
    """The document in `data`. Raises LoadError when it cannot be read within the limits."""
    if not data.strip():
        raise LoadError("empty", "The file is empty.")
    if media_type in (PDF, DOCX):
        loaded = load_in_process(data, media_type)
    else:
        _refuse_other_types(data)
        loaded = _load_text(data, media_type)
    if not loaded.content.strip():
        raise LoadError("empty", "The file holds no text.")
    return loaded


def _load_text(data: bytes, media_type: str) -> Loaded:
    if media_type == MARKDOWN:
        return load_markdown(data)
    if media_type == HTML:
        return load_in_process(data, media_type)
    return Loaded(content=decode(data))


def _refuse_other_types(data: bytes) -> None:
    for signature, name in SIGNATURES.items():
        if data.startswith(signature):
            raise LoadError("wrong_type", f"The file is {name}, whatever its name says.")
