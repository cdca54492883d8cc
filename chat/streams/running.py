"""An answer while this process writes it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

from chat.models import ChatMessage
from chat.streams.log import EventLog
from rag.types import Question

# Why an answer's task was cancelled: its asker said stop, its row is gone, or the server ends.
Reason = Literal["stopped", "gone", "shutdown"]


@dataclass(slots=True)
class RunningAnswer:
    """What is known of an answer so far; touched only on the process's loop."""

    question_message: ChatMessage
    message: ChatMessage
    question: Question
    request_id: str
    log: EventLog
    task: "asyncio.Task[None] | None" = None
    reason: Reason | None = None
    parts: list[str] = field(default_factory=list)
    #: The metadata that a partial answer keeps: sources, confidence.
    metadata: dict[str, Any] = field(default_factory=dict)
    #: How many characters the database has, and how many events the mirror has.
    saved_chars: int = 0
    mirrored: int = 0
    #: Set by the task's first step.
    begun: bool = False
    #: Set once the final state is decided: nothing can stop the answer any more.
    deciding: bool = False
    #: When the log was closed, in seconds of the loop's clock; None while it grows.
    ended_at: float | None = None

    @property
    def text(self) -> str:
        """What has come so far."""
        if len(self.parts) > 1:
            self.parts[:] = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""

    def end(self, reason: Reason) -> None:
        """Cancel the work, and with it the call at the provider; the first reason counts."""
        if self.reason is None and not self.deciding and self.task is not None:
            self.reason = reason
            # A task that is cancelled before its first step would end without a word.
            if self.begun:
                self.task.cancel()
