"""A folder of files: what is in it, what each says, and which are gone."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from rag.loaders import Loaded, LoadError, load_file, media_type_of, title_from_name
from rag.models import Document
from rag.models.documents import CATEGORY_MAX_CHARS, TITLE_MAX_CHARS
from rag.services.queue import checked
from rag.services.submit import Submission
from rag.text.normal import normalise

# What people call their folders, and the categories that stand for them.
PLURALS = {"guides": "guide", "policies": "policy", "faqs": "faq"}
DEFAULT_CATEGORY = "guide"


@dataclass(slots=True)
class Summary:
    """What came of it; `failed` pairs a file's source with the reason."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file to index; `source` is its path below the folder that was given."""

    path: Path
    source: str
    root: Path


def find_files(paths: Sequence[Path]) -> list[FoundFile]:
    """Files below `paths` that are not hidden, in order; a link out of the folder is left out."""
    return [found for path in paths for found in _find(path)]


def _find(path: Path) -> Iterator[FoundFile]:
    if path.is_file():
        yield FoundFile(path=path, source=path.name, root=path.parent)
        return
    root = path.resolve()
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder) / name
            inside = file.resolve().is_relative_to(root)
            if not name.startswith(".") and file.is_file() and inside:
                yield FoundFile(path=file, source=file.relative_to(path).as_posix(), root=path)


def read_file(found: FoundFile) -> bytes:
    """The file's bytes. Raises LoadError where there are too many, OSError."""
    if found.path.stat().st_size > settings.DOCUMENT_MAX_BYTES:
        raise LoadError(
            "too_large", f"A file may have at most {settings.DOCUMENT_MAX_BYTES:,} bytes."
        )
    return found.path.read_bytes()


def hash_of(data: bytes) -> str:
    """What tells whether a file changed."""
    return hashlib.sha256(data).hexdigest()


def read_submission(found: FoundFile, data: bytes) -> "FileSubmission":
    """The document that the file's bytes make. Raises LoadError."""
    media_type = media_type_of(found.path.name)
    loaded = load_file(data, media_type)
    if loaded.visibility not in ("", Document.PUBLIC):
        raise LoadError(
            "needs_an_owner",
            "A file becomes a public document; owners add private ones over the API.",
        )
    return FileSubmission(
        title=(loaded.title or title_from_name(found.path.stem))[:TITLE_MAX_CHARS].strip(),
        category=_category(found, loaded),
        content=checked(normalise(loaded.content)),
        media_type=media_type,
        filename=found.path.name,
        source=found.source,
        metadata=loaded.metadata,
        file_hash=hash_of(data),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSubmission(Submission):
    """A file whose text has been read; its hash is that of its bytes."""

    file_hash: str = ""

    @property
    def content_hash(self) -> str:
        """SHA-256 of the file's bytes."""
        return self.file_hash


def _category(found: FoundFile, loaded: Loaded) -> str:
    """From the file itself, else from its folder's name."""
    relative = found.path.relative_to(found.root)
    name = loaded.category or (relative.parts[0] if len(relative.parts) > 1 else "")
    slug = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")[:CATEGORY_MAX_CHARS]
    return PLURALS.get(slug, slug) or DEFAULT_CATEGORY


def missing_sources(found: Sequence[FoundFile]) -> list[str]:
    """Sources in the database of which there is no file any more."""
    present = {file.source for file in found}
    known = Document.objects.exclude(source="").order_by("source")
    return [name for name in known.values_list("source", flat=True) if name not in present]


def prune(sources: Sequence[str]) -> None:
    """Delete the documents of `sources`."""
    for document in Document.objects.filter(source__in=sources):
        document.delete()
