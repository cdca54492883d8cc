"""The tasks as JSON."""

from typing import Any

from rest_framework import serializers

from background_tasks.models import TaskRun


class TaskRunView(serializers.Serializer[TaskRun]):
    """A row of the ledger. What an error said stands in the admin alone."""

    id = serializers.UUIDField()
    task = serializers.CharField()
    scheduled_for = serializers.DateTimeField()
    trigger = serializers.ChoiceField(choices=TaskRun.Trigger.choices)
    dry_run = serializers.BooleanField()
    state = serializers.ChoiceField(choices=TaskRun.State.choices)
    attempts = serializers.IntegerField(source="token", help_text="How often it was begun.")
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    figures = serializers.DictField(help_text="What the task says of its work.")
    error = serializers.CharField(allow_blank=True, help_text="The kind of the last failure.")
    host = serializers.CharField(allow_blank=True)


class TaskStatusView(serializers.Serializer[Any]):
    """A row of the schedule with its last run."""

    name = serializers.CharField(source="task.name")
    summary = serializers.CharField(source="task.summary")
    cron = serializers.CharField(source="task.cron", help_text='In UTC; "off" for never.')
    enabled = serializers.BooleanField(source="task.enabled")
    next_run_at = serializers.DateTimeField(allow_null=True)
    last_run = TaskRunView(allow_null=True)
    failing_since = serializers.DateTimeField(allow_null=True)


class TaskRunForm(serializers.Serializer[Any]):
    """How to run a task."""

    dry_run = serializers.BooleanField(
        default=False, help_text="Say what would be done, and do nothing."
    )
