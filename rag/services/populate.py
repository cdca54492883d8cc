"""Indexing files: small ones go together, so that few calls and few commits carry many."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid4

from django.db import DataError, IntegrityError
from django.db.models import OuterRef, Subquery

from rag.errors import ProviderError
from rag.indexing.together import index_together
from rag.loaders import LoadError
from rag.models import Document, DocumentVersion
from rag.services.claims import claim_together
from rag.services.folders import FileSubmission, FoundFile, hash_of, read_file, read_submission
from rag.services.lease import Lease
from rag.services.queue import work

logger = logging.getLogger(__name__)

Outcome = Literal["added", "updated", "unchanged", "failed"]

FILES_AT_ONCE = 100
# Some 150 chunks. What is longer goes alone, in steps that can be resumed.
GROUP_CHARS = 80_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """What came of a file; `reason` says why it failed."""

    source: str
    outcome: Outcome
    reason: str = ""


def index_files(
    found: Sequence[FoundFile], *, reindex: bool = False, dry_run: bool = False
) -> Iterator[Indexed]:
    """Index files now, each unless its bytes are those of last time; what came of each."""
    for start in range(0, len(found), FILES_AT_ONCE):
        files = found[start : start + FILES_AT_ONCE]
        known = _known_hashes(files)
        items = _read(files, {} if reindex else _settled(files, known))
        yield from _would_be(items, known) if dry_run else _index(items)


def _settled(files: Sequence[FoundFile], known: Mapping[str, str | None]) -> dict[str, str | None]:
    """What is `known` of names that one file alone has.

    Of files of one name the last must be the document's text, whatever it was made from before.
    """
    times = Counter(file.source for file in files)
    return {source: digest for source, digest in known.items() if times[source] == 1}


def _index(items: Iterable[FileSubmission | Indexed]) -> Iterator[Indexed]:
    """Index what was read, group by group; what needs no work is passed on."""
    group: list[FileSubmission] = []
    for item in items:
        if isinstance(item, Indexed):
            yield item
            continue
        if not _fits(item, group):
            yield from _index_group(group)
            group = []
        group.append(item)
    yield from _index_group(group)


def _fits(submission: FileSubmission, group: Sequence[FileSubmission]) -> bool:
    chars = sum(len(each.content) for each in (*group, submission))
    # Two folders may hold files of one name: one document, and the later file its next version.
    named = any(each.source == submission.source for each in group)
    return not group or (chars <= GROUP_CHARS and not named)


def _known_hashes(files: Iterable[FoundFile]) -> dict[str, str | None]:
    """What the documents of `files` were made from; None for one that is not ready."""
    versions = DocumentVersion.objects.filter(document=OuterRef("pk")).order_by("-number")
    rows = (
        Document.objects.filter(source__in=[each.source for each in files if _is_text(each.source)])
        .annotate(newest_hash=Subquery(versions.values("content_hash")[:1]))
        .values_list("source", "status", "newest_hash")
    )
    return {name: newest if status == Document.READY else None for name, status, newest in rows}


def _is_text(name: str) -> bool:
    """Whether a database takes `name`: a file's may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(
    files: Iterable[FoundFile], known: Mapping[str, str | None]
) -> Iterator[FileSubmission | Indexed]:
    for file in files:
        try:
            data = read_file(file)
            if known.get(file.source) == hash_of(data):
                yield Indexed(source=file.source, outcome="unchanged")
            else:
                yield read_submission(file, data)
        except (LoadError, OSError) as error:
            reason = str(error) if isinstance(error, LoadError) else type(error).__name__
            yield Indexed(source=file.source, outcome="failed", reason=reason)


def _would_be(
    items: Iterable[FileSubmission | Indexed], known: Mapping[str, str | None]
) -> Iterator[Indexed]:
    for item in items:
        if isinstance(item, Indexed):
            yield item
        else:
            outcome: Outcome = "updated" if item.source in known else "added"
            yield Indexed(source=item.source, outcome=outcome)


def _index_group(group: Sequence[FileSubmission]) -> Iterator[Indexed]:
    if not group:
        return
    token = uuid4()
    try:
        versions = claim_together(group, token)
    except (DataError, IntegrityError, ValueError) as error:
        # A name or a title that the database does not take costs the one file that has it.
        if len(group) == 1:
            reason = f"The database does not take it ({type(error).__name__})."
            yield Indexed(source=group[0].source, outcome="failed", reason=reason)
        else:
            for submission in group:
                yield from _index_group([submission])
        return
    ready = _try_together(versions, token)
    waits = {
        version.document_id: work(Lease(version.document_id, token))
        for version in versions
        if version.document_id not in ready
    }
    failed = _reasons(waits)
    for submission, version in zip(group, versions, strict=True):
        outcome: Outcome = "added" if version.number == 1 else "updated"
        if version.document_id in failed:
            outcome = "failed"
        reason = failed.get(version.document_id, "")
        yield Indexed(source=submission.source, outcome=outcome, reason=reason)


def _try_together(versions: Sequence[DocumentVersion], token: UUID) -> set[UUID]:
    """The documents that are ready; none where something is wrong with one of them."""
    if sum(len(version.content) for version in versions) > GROUP_CHARS:
        return set()
    try:
        return index_together(versions, token)
    except ProviderError as error:
        logger.warning("%d documents are worked on one by one: %s", len(versions), error.code)
    except Exception:
        # Whatever it is, it must cost the one document that it lies in.
        logger.exception("%d documents are worked on one by one", len(versions))
    return set()


def _reasons(waits: Mapping[UUID, str]) -> dict[UUID, str]:
    """Why each of those that were worked on alone is not ready."""
    if not waits:
        return {}
    rows = Document.objects.filter(pk__in=waits).values_list("pk", "status", "error_message")
    found = {pk: (status, message) for pk, status, message in rows}
    gone = ("", "It was deleted meanwhile.")
    results = {pk: found.get(pk, gone) for pk in waits}
    return {
        pk: waits[pk] or message or "Another worker has taken this document."
        for pk, (status, message) in results.items()
        if status != Document.READY
    }
