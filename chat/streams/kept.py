"""Events of answers that ended here, for those who take them up again."""

from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

from chat.streams.log import EventLog

# Bounds memory under load: an answer whose events are gone is told from its row.
MAX_BYTES = 32_000_000
# What Python adds to a frame's own bytes.
FRAME_BYTES = 120


class KeptLogs:
    """The newest logs, oldest first: so many bytes and so many seconds of them."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._logs: OrderedDict[UUID, tuple[float, int, EventLog]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._logs)

    def put(self, log: EventLog, ended_at: float) -> None:
        """Keep `log`, at the cost of the oldest."""
        size = sum(map(len, log.frames)) + FRAME_BYTES * len(log.frames)
        self._logs[log.message_id] = ended_at, size, log
        self.bytes += size
        self._drop_while(lambda _: self.bytes > self._max_bytes)

    def get(self, message_id: UUID) -> EventLog | None:
        """The log, if it is kept still."""
        found = self._logs.get(message_id)
        return found[2] if found else None

    def pop(self, message_id: UUID) -> None:
        """Keep it no more; an unknown one is no error."""
        _, size, _ = self._logs.pop(message_id, (0.0, 0, None))
        self.bytes -= size

    def drop_before(self, moment: float) -> None:
        """Keep none that ended before `moment`."""
        self._drop_while(lambda ended_at: ended_at < moment)

    def _drop_while(self, met: Callable[[float], bool]) -> None:
        while self._logs and met(next(iter(self._logs.values()))[0]):
            self.pop(next(iter(self._logs)))
