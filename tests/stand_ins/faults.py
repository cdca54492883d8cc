"""Faults that a stand-in commits on request."""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "status",  # answer `status`, with Retry-After if given
    "html",  # answer 200 with a page of HTML
    "redirect",  # answer 307 to `location`
    "slow",  # wait `seconds` before the first byte
    "drip",  # send the body `size` bytes at a time, `seconds` apart
    "stall",  # stop after `after` chunks (or before the headers), until the client goes
    "cut",  # break the connection after `after` chunks, or in the middle of a body
    "truncate",  # end the stream after `after` chunks as if that were all
    "no_done",  # leave [DONE] out, and nothing else
    "no_reason",  # leave the finish_reason out
    "stream_error",  # send an error object after `after` chunks
    "malformed",  # send what is not JSON, in a stream after `after` chunks
    "empty",  # an answer without any content
    "huge",  # a body that does not end
    "gzip",  # a compressed body that nobody asked for
    "dimension",  # vectors one number short
    "half",  # half of what was asked for
    "nan",  # vectors that are no numbers
    "shuffled",  # right, but in another order
    "without_id",  # leave out a field that the SDK wants and nobody needs
]


@dataclass(kw_only=True)
class Fault:
    """Commit `kind` on the next `times` requests whose path contains `path`."""

    kind: Kind
    path: str = ""
    times: int = 1
    status: int = 500
    retry_after: str = ""
    seconds: float = 0.0
    size: int = 4
    after: int = 0
    location: str = "/elsewhere"
    body: dict[str, Any] = field(default_factory=lambda: {"message": "secret provider text"})


ALWAYS = 1_000_000


class Faults:
    """The faults still to come, oldest first."""

    def __init__(self) -> None:
        self._pending: list[Fault] = []

    def add(self, kind: Kind, **details: Any) -> None:
        """Put one more at the end."""
        self._pending.append(Fault(kind=kind, **details))

    def clear(self) -> None:
        """Behave from now on."""
        self._pending.clear()

    def take(self, path: str) -> Fault | None:
        """The fault for a request to `path`, counted down; None to behave."""
        for fault in self._pending:
            if fault.path in path:
                fault.times -= 1
                if fault.times <= 0:
                    self._pending.remove(fault)
                return fault
        return None
