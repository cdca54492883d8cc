"""From the body of `POST index/` to submissions."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from common.errors import Invalid, TooLarge
from rag.loaders import LoadError, media_type_of, title_from_name
from rag.models import Document
from rag.models.documents import TITLE_MAX_CHARS
from rag.serializers.documents import MAX_BATCH, DocumentBatchForm, DocumentForm, UploadForm
from rag.services.submit import Submission


def read_json(data: Mapping[str, Any], *, is_staff: bool) -> list[Submission]:
    """The submissions of a JSON body: one document, or several below `documents`."""
    if "documents" in data:
        batch = DocumentBatchForm(data=data)
        batch.is_valid(raise_exception=True)
        given = batch.validated_data["documents"]
    else:
        form = DocumentForm(data=data)
        form.is_valid(raise_exception=True)
        given = [form.validated_data]
    visibility = _default_visibility(is_staff)
    return [Submission(**{"visibility": visibility, **fields}) for fields in given]


def read_files(
    fields: Mapping[str, Any], files: Sequence["UploadedFile[Any]"], *, is_staff: bool
) -> list[Submission]:
    """The submissions of a multipart body. Raises Invalid, TooLarge."""
    form = UploadForm(data=fields)
    form.is_valid(raise_exception=True)
    if not 1 <= len(files) <= MAX_BATCH:
        raise Invalid(errors={"files": [f"1 to {MAX_BATCH} files are needed."]})
    said = {"visibility": _default_visibility(is_staff), **form.validated_data}
    return [_submission(file, said) for file in files]


def _submission(file: "UploadedFile[Any]", said: Mapping[str, Any]) -> Submission:
    name = file.name or "file"
    if (file.size or 0) > settings.DOCUMENT_MAX_BYTES:
        raise TooLarge(f"A file may have at most {settings.DOCUMENT_MAX_BYTES:,} bytes.")
    try:
        media_type = media_type_of(name)
    except LoadError as error:
        raise Invalid(errors={"files": [f"{name[:100]}: {error}"]}) from error
    stem = name.rpartition(".")[0] or name
    return Submission(
        **{"title": title_from_name(stem)[:TITLE_MAX_CHARS], **said},
        raw=file.read(),
        media_type=media_type,
        filename=name[:255],
    )


def _default_visibility(is_staff: bool) -> str:
    return Document.PUBLIC if is_staff else Document.PRIVATE


def fingerprint(submissions: Sequence[Submission]) -> bytes:
    """What two requests have in common that hand in the same things."""
    parts = [
        [item.title, item.category, item.visibility, dict(item.metadata), item.content_hash]
        for item in submissions
    ]
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).digest()
