"""The archive: a .tar.gz of parts of tables and, last, the manifest that describes them.

    tables/<app.model>/00001.jsonl   lines as `rows` makes them, PART_BYTES or one row
    manifest.json                    format, versions, migrations; fields, counts, SHA-256

Each member carries its own SHA-256 in its header besides, so that damage is named where it is.
docs/operations/backups.md describes the format, version by version.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from background_tasks.backups.sealing import SealingWriter, Sink, Source, UnsealingReader
from background_tasks.errors import ArchiveDamaged, BackupError

FORMAT = "docent-backup"
VERSION = 1
MANIFEST = "manifest.json"
PART_BYTES = 4_000_000
SHA = "DOCENT.sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A member of the archive: some rows of one table."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it was: `sha256` is over all its lines."""

    model: str
    fields: list[str]
    rows: int
    sha256: str
    parts: list[Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an archive holds, and what it was made from."""

    created_at: str
    product: str
    engine: str
    migrations: dict[str, list[str]]
    left_out: dict[str, str]
    tables: list[Table] = field(default_factory=list)
    format: str = FORMAT
    version: int = VERSION

    @property
    def rows(self) -> int:
        """All rows of all tables."""
        return sum(table.rows for table in self.tables)


class ArchiveWriter:
    """Writes an archive to `sink`, table after table; `close` adds the manifest."""

    def __init__(self, sink: Sink) -> None:
        self._gzip = SealingWriter(sink)
        file: Any = self._gzip
        self._tar = tarfile.open(  # noqa: SIM115 (closed by `close`)
            fileobj=file, mode="w", format=tarfile.PAX_FORMAT
        )

    def add_table(self, model: str, fields: Sequence[str], lines: Iterable[bytes]) -> Table:
        """Write a table's lines in parts."""
        whole = hashlib.sha256()
        parts: list[Part] = []
        pending: list[bytes] = []
        size = 0
        for line in lines:
            pending.append(line)
            size += len(line)
            whole.update(line)
            if size >= PART_BYTES:
                parts.append(self._add_part(model, len(parts) + 1, pending))
                pending, size = [], 0
        if pending:
            parts.append(self._add_part(model, len(parts) + 1, pending))
        rows = sum(part.rows for part in parts)
        return Table(
            model=model, fields=list(fields), rows=rows, sha256=whole.hexdigest(), parts=parts
        )

    def close(self, manifest: Manifest) -> None:
        """Write the manifest and the seal."""
        self._add(MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
        self._tar.close()
        self._gzip.close()

    def _add_part(self, model: str, number: int, lines: list[bytes]) -> Part:
        body = b"".join(lines)
        name = f"tables/{model}/{number:05}.jsonl"
        return Part(name=name, rows=len(lines), bytes=len(body), sha256=self._add(name, body))

    def _add(self, name: str, body: bytes) -> str:
        digest = hashlib.sha256(body).hexdigest()
        info = tarfile.TarInfo(name)
        info.size = len(body)
        info.mode = 0o600
        info.pax_headers = {SHA: digest}
        self._tar.addfile(info, io.BytesIO(body))
        return digest


OnPart = Callable[[str, str, bytes], None]


def read_archive(source: Source, on_part: OnPart = lambda model, name, body: None) -> Manifest:
    """Read and prove the whole archive; `on_part(model, member, lines)` sees each proven part.

    Raises ArchiveDamaged, which names the first member that is not what was written, and
    BackupError for what is no archive of a version that this code reads.
    """
    reader = UnsealingReader(source)
    seen: dict[str, str] = {}
    manifest: Manifest | None = None
    for name, body in _members(reader):
        seen[name] = hashlib.sha256(body).hexdigest()
        if name == MANIFEST:
            manifest = _parse(body)
        else:
            on_part(_model_of(name), name, body)
    if manifest is None:
        place = f"what follows {list(seen)[-1]}" if seen else "the beginning"
        raise ArchiveDamaged(place, reader.broken or "the archive ends too early")
    _compare(manifest, seen)
    if not reader.finish():
        raise ArchiveDamaged("the wrapping", "its seal is broken; the tables are whole")
    return manifest


def _members(reader: UnsealingReader) -> Iterator[tuple[str, bytes]]:
    name = "the beginning"
    file: Any = reader
    try:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            for info in tar:
                name = info.name
                member = tar.extractfile(info)
                body = member.read() if member is not None else b""
                if hashlib.sha256(body).hexdigest() != info.pax_headers.get(SHA):
                    raise ArchiveDamaged(name, "its SHA-256 is not the one that was written")
                yield name, body
                name = f"what follows {info.name}"
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise ArchiveDamaged(name, reader.broken or str(error)) from error


def _model_of(name: str) -> str:
    folder, _, rest = name.partition("/")
    if folder != "tables" or "/" not in rest:
        raise ArchiveDamaged(name, "no such member belongs in a backup")
    return rest.partition("/")[0]


def _parse(body: bytes) -> Manifest:
    values: dict[str, Any] = json.loads(body)
    if values.get("format") != FORMAT or values.get("version") != VERSION:
        raise BackupError(f"This is no {FORMAT} of version {VERSION}.")
    tables = [
        Table(**{**table, "parts": [Part(**part) for part in table["parts"]]})
        for table in values.pop("tables")
    ]
    return Manifest(**values, tables=tables)


def _compare(manifest: Manifest, seen: dict[str, str]) -> None:
    listed = {part.name: part.sha256 for table in manifest.tables for part in table.parts}
    for name in listed.keys() | (seen.keys() - {MANIFEST}):
        if listed.get(name) != seen.get(name):
            raise ArchiveDamaged(name, "the manifest says otherwise")
