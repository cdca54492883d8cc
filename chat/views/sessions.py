"""Sessions: open, list, rename, archive, delete, export."""

from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat import examples
from chat.selectors import export_messages, get_session, list_sessions
from chat.serializers import (
    SessionChangeForm,
    SessionForm,
    SessionQueryForm,
    SessionView,
    TranscriptView,
)
from chat.services import sessions
from chat.services.exports import export_json, export_markdown
from chat.views.answers import PAGE_PARAMETERS
from common.callers import caller_id
from common.errors import Invalid
from common.pagination import PageNumberPagination


class SessionsView(APIView):
    """The caller's sessions."""

    pagination_class = PageNumberPagination

    @extend_schema(
        tags=["Chat"],
        operation_id="list_sessions",
        summary="Your sessions, latest first",
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("archived", bool, description="Only archived ones, or only others."),
            OpenApiParameter("search", str, description="Words in the title."),
            OpenApiParameter(
                "ordering",
                str,
                enum=[
                    "created_at",
                    "-created_at",
                    "updated_at",
                    "-updated_at",
                    "title",
                    "-title",
                ],
            ),
        ],
        responses=SessionView(many=True),
        examples=[examples.SESSION_PAGE],
    )
    def get(self, request: Request) -> Response:
        """A page of sessions."""
        query = {name: value for name, value in request.query_params.items() if value != ""}
        form = SessionQueryForm(data=query)
        form.is_valid(raise_exception=True)
        found = list_sessions(user_id=caller_id(request), **form.validated_data)
        paginator = PageNumberPagination()
        page = paginator.paginate_queryset(found, request, self)
        return paginator.get_paginated_response(SessionView(cast(Any, page), many=True).data)

    @extend_schema(
        tags=["Chat"],
        operation_id="create_session",
        summary="Open a session",
        request=SessionForm,
        responses={201: SessionView},
        examples=[examples.SESSION_TITLE, examples.SESSION],
    )
    def post(self, request: Request) -> Response:
        """A new session."""
        form = SessionForm(data=request.data)
        form.is_valid(raise_exception=True)
        session = sessions.create_session(user_id=caller_id(request), **form.validated_data)
        return Response(SessionView(session).data, status=201)


class SessionDetailView(APIView):
    """One session."""

    @extend_schema(
        tags=["Chat"],
        operation_id="get_session",
        summary="One of your sessions",
        responses=SessionView,
        examples=[examples.SESSION],
    )
    def get(self, request: Request, session_id: UUID) -> Response:
        """The session."""
        session = get_session(user_id=caller_id(request), session_id=session_id)
        return Response(SessionView(session).data)

    @extend_schema(
        tags=["Chat"],
        operation_id="update_session",
        summary="Rename or archive a session",
        request=SessionChangeForm,
        responses=SessionView,
        examples=[examples.SESSION_CHANGE, examples.SESSION],
    )
    def patch(self, request: Request, session_id: UUID) -> Response:
        """The session, changed."""
        form = SessionChangeForm(data=request.data)
        form.is_valid(raise_exception=True)
        session = sessions.update_session(
            user_id=caller_id(request), session_id=session_id, **form.validated_data
        )
        return Response(SessionView(session).data)

    @extend_schema(
        tags=["Chat"],
        operation_id="delete_session",
        summary="Delete a session with its messages",
        responses={204: None},
    )
    def delete(self, request: Request, session_id: UUID) -> Response:
        """Nothing is left of it."""
        sessions.delete_session(user_id=caller_id(request), session_id=session_id)
        return Response(status=204)


class SessionExportView(APIView):
    """A session to take along."""

    @extend_schema(
        tags=["Chat"],
        operation_id="export_session",
        summary="A session's transcript with its sources",
        parameters=[
            OpenApiParameter("export_format", str, enum=["md", "json"], description="md without.")
        ],
        responses={
            (200, "text/markdown"): OpenApiTypes.STR,
            (200, "application/json"): TranscriptView,
        },
        examples=[examples.TRANSCRIPT],
    )
    def get(self, request: Request, session_id: UUID) -> Any:
        """The transcript as a file."""
        chosen = request.query_params.get("export_format", "md")
        if chosen not in ("md", "json"):
            raise Invalid(errors={"export_format": ["Either “md” or “json” is needed."]})
        session = get_session(user_id=caller_id(request), session_id=session_id)
        messages = export_messages(user_id=caller_id(request), session_id=session_id)
        disposition = f'attachment; filename="chat-{session.pk}.{chosen}"'
        if chosen == "json":
            return Response(
                export_json(session, messages), headers={"Content-Disposition": disposition}
            )
        return HttpResponse(
            export_markdown(session, messages),
            content_type="text/markdown; charset=utf-8",
            headers={"Content-Disposition": disposition},
        )
