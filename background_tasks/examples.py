"""Worked examples for the API's documentation."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

RUN: dict[str, Any] = {
    "id": "01930a6b-7c00-7d4e-9a51-3f1c8f0f5d11",
    "task": "chat_cleanup",
    "scheduled_for": "2026-11-22T02:00:00.000000Z",
    "trigger": "schedule",
    "dry_run": False,
    "state": "succeeded",
    "attempts": 1,
    "started_at": "2026-11-22T02:00:00.104000Z",
    "ended_at": "2026-11-22T02:00:01.310000Z",
    "figures": {"messages": 412, "sessions": 37, "left": 0},
    "error": "",
    "host": "web-1",
}
TASK: dict[str, Any] = {
    "name": "chat_cleanup",
    "summary": "Delete messages past their days, and emptied sessions",
    "cron": "0 2 * * *",
    "enabled": True,
    "next_run_at": "2026-11-23T02:00:00.000000Z",
    "last_run": RUN,
    "failing_since": None,
}
QUEUED = RUN | {
    "trigger": "manual",
    "dry_run": True,
    "state": "queued",
    "attempts": 0,
    "started_at": None,
    "ended_at": None,
    "figures": {},
    "host": "",
}


# Entries of paged lists: the schema puts the page around them.
TASK_PAGE = OpenApiExample("The schedule", value=TASK, response_only=True)
RUN_PAGE = OpenApiExample("The ledger of a task", value=RUN, response_only=True)
RUN_ROW = OpenApiExample("A run", value=RUN, response_only=True)
RUN_FORM = OpenApiExample("A rehearsal", value={"dry_run": True}, request_only=True)
RUN_QUEUED = OpenApiExample("Queued", value=QUEUED, response_only=True, status_codes=["202"])
