"""What a loader makes of a file, and how it says that it cannot."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rag.errors import LoadFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A file as a document: Markdown, and what the file says about itself ("" where nothing)."""

    content: str
    title: str = ""
    category: str = ""
    visibility: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


class LoadError(LoadFailed):
    """`code` and a sentence; `retryable` only where the same file might load another time."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


def decode(data: bytes) -> str:
    """UTF-8 text, or UTF-16 where the file says so itself. Raises LoadError."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if encoding == "utf-8-sig" and b"\0" in data:
        raise LoadError("not_text", "The file holds binary data, not text.")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise LoadError("not_utf8", "The file is not UTF-8 text.") from error
