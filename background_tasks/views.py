"""The schedule and its ledger, for staff."""

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from background_tasks import examples, selectors
from background_tasks.ledger import request_run
from background_tasks.schedule import get_task
from background_tasks.scheduler import wake
from background_tasks.serializers import TaskRunForm, TaskRunView, TaskStatusView
from common.pagination import PageNumberPagination

NAME = OpenApiParameter(
    "name",
    str,
    OpenApiParameter.PATH,
    description="A task's name, as the list has it.",
    examples=[OpenApiExample("A task", value="chat_cleanup")],
)
PAGE = [
    OpenApiParameter("page", int, description="From 1."),
    OpenApiParameter("page_size", int, description="At most 100; 20 unless told."),
]


class TaskView(APIView):
    """Staff only."""

    permission_classes = (IsAdminUser,)


class TasksView(TaskView):
    """The schedule."""

    pagination_class = PageNumberPagination

    @extend_schema(
        tags=["Tasks"],
        operation_id="list_tasks",
        summary="The background tasks, with their last runs",
        parameters=PAGE,
        responses=TaskStatusView(many=True),
        examples=[examples.TASK_PAGE],
    )
    def get(self, request: Request) -> Response:
        """A page of tasks, in the order of the schedule."""
        return _page(self, request, selectors.list_tasks(), TaskStatusView)


class TaskRunsView(TaskView):
    """The ledger of one task."""

    pagination_class = PageNumberPagination

    @extend_schema(
        tags=["Tasks"],
        operation_id="list_task_runs",
        summary="The runs of a task, the newest first",
        parameters=[NAME, *PAGE],
        responses=TaskRunView(many=True),
        examples=[examples.RUN_PAGE],
    )
    def get(self, request: Request, name: str) -> Response:
        """A page of runs."""
        return _page(self, request, selectors.list_runs(name), TaskRunView)


class TaskRunDetailView(TaskView):
    """One run."""

    @extend_schema(
        tags=["Tasks"],
        operation_id="get_task_run",
        summary="A run of a task",
        parameters=[NAME],
        responses=TaskRunView,
        examples=[examples.RUN_ROW],
    )
    def get(self, request: Request, name: str, run_id: UUID) -> Response:
        """The run as the ledger has it now."""
        return Response(TaskRunView(selectors.get_run(name, run_id)).data)


class RunTaskView(TaskView):
    """Running a task by hand."""

    @extend_schema(
        tags=["Tasks"],
        operation_id="run_task",
        summary="Run a task now",
        description="Queues a run for the first process with a free hand; `Location` follows it.",
        parameters=[NAME],
        request=TaskRunForm,
        responses={202: TaskRunView},
        examples=[examples.RUN_FORM, examples.RUN_QUEUED],
    )
    def post(self, request: Request, name: str) -> Response:
        """The queued run."""
        form = TaskRunForm(data=request.data)
        form.is_valid(raise_exception=True)
        task = get_task(name)
        run = request_run(task.name, requested_by=request.user, **form.validated_data)
        wake()
        location = f"/api/tasks/{task.name}/runs/{run.pk}/"
        return Response(TaskRunView(run).data, status=202, headers={"Location": location})


def _page(view: APIView, request: Request, rows: object, serializer: type) -> Response:
    paginator = PageNumberPagination()
    page = paginator.paginate_queryset(rows, request, view)
    return paginator.get_paginated_response(serializer(page, many=True).data)
