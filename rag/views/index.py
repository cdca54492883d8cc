"""Taking documents in."""

from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from common.errors import Malformed
from common.idempotency import HEADER, REPLAYED_HEADER, read_key
from common.json import JSONParser
from rag.serializers.documents import (
    DocumentBatchForm,
    DocumentForm,
    IndexOut,
    SubmittedOut,
    UploadBody,
)
from rag.services.submit import Submission, Submitted
from rag.services.taking_in import take_in
from rag.views.base import TAGS, DocumentsView
from rag.views.examples import QUEUED, SUBMISSION, answer, body
from rag.views.reading import fingerprint, read_files, read_json

BATCH = {"documents": [SUBMISSION, {**SUBMISSION, "title": "Delivery", "content": "Two days."}]}

ONE_OR_SEVERAL = PolymorphicProxySerializer(
    component_name="OneDocumentOrSeveral",
    serializers=[DocumentForm, DocumentBatchForm],
    resource_type_field_name=None,
)


class IndexView(DocumentsView):
    """Documents in, as JSON or as files; they are worked on after the answer."""

    parser_classes = (JSONParser, MultiPartParser)

    @extend_schema(
        operation_id="rag_index",
        tags=TAGS,
        summary="Add documents",
        description="One document, several below `documents`, or files (Markdown, text, HTML, PDF, "
        "DOCX) as multipart parts named `files`. They are worked on after this answer: follow "
        "`Location` until `status` is `ready` or `failed`. Staff may add public documents, which "
        "is their default; everybody may add private ones. Content that is there already is "
        "answered with the first document and `duplicate: true`.",
        parameters=[
            OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, description="Do it only once."),
        ],
        request={"application/json": ONE_OR_SEVERAL, "multipart/form-data": UploadBody},
        responses={202: IndexOut},
        examples=[
            body(SUBMISSION, "One document"),
            body(BATCH, "Several documents"),
            answer({"documents": [QUEUED]}),
        ],
    )
    def post(self, request: Request) -> Response:
        """Queue what was handed in."""
        submissions = self._read(request)
        answer_body, is_replay = take_in(
            submissions,
            user_id=self.user_id,
            is_staff=self.is_staff,
            key=read_key(request._request, body=fingerprint(submissions)),
            describe=_describe,
        )
        headers = {"Location": _location(request, answer_body)}
        if is_replay:
            headers[REPLAYED_HEADER] = "true"
        return Response(answer_body, status=202, headers=headers)

    def _read(self, request: Request) -> list[Submission]:
        data: Mapping[str, Any] = request.data  # type: ignore[assignment]  # the parser's objects
        if (request.content_type or "").startswith("multipart/"):
            fields = {
                name: data[name]
                for name in ("title", "category", "visibility")
                if data.get(name) not in (None, "")
            }
            files = [file for name in request.FILES for file in request.FILES.getlist(name)]
            if any("\0" in str(value) for value in fields.values()):
                raise Malformed("The body holds a NUL character.")
            return read_files(fields, files, is_staff=self.is_staff)
        return read_json(data, is_staff=self.is_staff)


def _describe(submitted: Sequence[Submitted]) -> dict[str, Any]:
    """The answer's body as plain values, so that a retry can be given the same one."""
    documents = []
    for item in submitted:
        item.document.duplicate = item.is_duplicate  # type: ignore[attr-defined]
        documents.append(dict(SubmittedOut(item.document).data))
    return {"documents": documents}


def _location(request: Request, answer_body: Any) -> str:
    documents = answer_body["documents"]
    if len(documents) > 1:
        return str(reverse("rag-documents", request=request))
    return str(reverse("rag-document", [documents[0]["id"]], request=request))
