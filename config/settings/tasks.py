"""Times of background tasks, as the environment gives them."""

import os

PREFIX = "TASK_"


def read_task_times() -> dict[str, str]:
    """`TASK_CHAT_CLEANUP="30 4 * * *"` (or "off") as `{"chat_cleanup": "30 4 * * *"}`."""
    return {
        name.removeprefix(PREFIX).lower(): value.strip().lower()
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and value.strip()
    }
