"""The matrix of faults: which role fails how, and what becomes of the message.

`python -m tests.faults` runs every cell and writes docs/operations/faults.md, times included.
"""

import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operations" / "faults.md"

Outcome = tuple[str, str]  # the message's status and mode
Fault = tuple[str, str, str, dict[str, Any]]  # name, kind, code, details
GROUNDED: Outcome = ("complete", "grounded")
QUOTED: Outcome = ("complete", "extractive")
FAILED: Outcome = ("failed", "unavailable")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One role, one fault. `code` is the error's, in the message or in its list of fallen rungs."""

    role: str
    fault: str
    kind: str
    outcome: Outcome
    code: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def codes(self) -> set[str]:
        """Those that the message may hold."""
        return set(self.code.split(" or ")) if self.code else set()

    @property
    def id(self) -> str:
        """What pytest calls it."""
        return f"{self.role}-{self.fault}".replace(" ", "_").replace(",", "")


def _cells(
    role: str, outcome: Outcome, *faults: tuple[str, str, str, dict[str, Any]]
) -> list[Cell]:
    return [
        Cell(role=role, fault=fault, kind=kind, outcome=outcome, code=code, details=details)
        for fault, kind, code, details in faults
    ]


DOWN, BUSY, LATE, BAD, NO = (
    "provider_unavailable",
    "provider_busy",
    "provider_timeout",
    "provider_malformed",
    "provider_rejected",
)
# What any service behind HTTP may do before it has said a word.
SILENT = (
    ("500", "status", DOWN, {"status": 500}),
    ("503", "status", DOWN, {"status": 503}),
    ("429 with a long Retry-After", "status", BUSY, {"status": 429, "retry_after": "60"}),
    ("no answer", "stall", LATE, {}),
    ("slow first byte", "slow", LATE, {"seconds": 30}),
    ("connection cut", "cut", DOWN, {}),
    ("page of HTML", "html", BAD, {}),
    ("redirect", "redirect", BAD, {}),
    ("malformed JSON", "malformed", BAD, {}),
)
STREAMED = (
    *SILENT,
    ("empty answer", "empty", BAD, {}),
    ("error in the stream", "stream_error", DOWN, {}),
    ("body without end", "huge", DOWN, {}),
    ("stream ends at once", "truncate", BAD, {}),
)
MIDWAY = (
    ("stalls after two words", "stall", LATE, {"after": 2}),
    ("cut after two words", "cut", DOWN, {"after": 2}),
    ("ends after two words", "truncate", BAD, {"after": 2}),
    ("malformed after two words", "malformed", BAD, {"after": 2}),
    ("error after two words", "stream_error", DOWN, {"after": 2}),
    ("no finish reason", "no_reason", BAD, {}),
)
REFUSED = (
    ("401", "status", NO, {"status": 401}),
    ("403", "status", NO, {"status": 403}),
    ("404 of the model", "status", NO, {"status": 404}),
)
VECTORS = (
    *SILENT,
    ("401", "status", NO, {"status": 401}),
    ("wrong dimension", "dimension", BAD, {}),
    ("numbers that are none", "nan", BAD, {}),
)

PINECONE = {
    "500": f"{DOWN} or {LATE}",
    "503": f"{DOWN} or {LATE}",
    "429 with a long Retry-After": f"{BUSY} or {LATE}",
    "redirect": NO,
}


def _late(*faults: Fault) -> list[Fault]:
    """Pinecone's SDK tries again by itself, up to our deadline or to the end of its own budget."""
    return [(name, kind, PINECONE.get(name, code), more) for name, kind, code, more in faults]


def _hurried(*faults: Fault) -> list[Fault]:
    """A question's vectors are tried again until their few seconds are over, and then late."""
    retried = (DOWN, BUSY, BAD)
    return [
        (name, kind, f"{code} or {LATE}" if code in retried else code, more)
        for name, kind, code, more in faults
    ]


CELLS: list[Cell] = [
    *_cells("Mistral chat", QUOTED, *STREAMED),
    *_cells("Mistral chat", FAILED, *MIDWAY, *REFUSED),
    Cell(role="Mistral chat", fault="no [DONE]", kind="no_done", outcome=GROUNDED),
    Cell(role="Mistral chat", fault="one 503", kind="once", outcome=GROUNDED),
    *_cells("Mistral chat, a fallback behind it", GROUNDED, *STREAMED),
    *_cells("Fallback, Mistral down", QUOTED, *STREAMED),
    *_cells("Fallback, Mistral down", FAILED, *MIDWAY),
    *_cells("Mistral embeddings", GROUNDED, *_hurried(*VECTORS)),
    *_cells("Mistral embeddings", GROUNDED, *_hurried(("half of a batch", "half", BAD, {}))),
    *_cells("Pinecone", GROUNDED, *_late(*VECTORS)),
]
INDEXING: list[Cell] = [
    *_cells("Mistral embeddings, a document", ("queued", ""), *VECTORS[:9], *VECTORS[10:]),
    *_cells("Mistral embeddings, a document", ("failed", ""), VECTORS[9]),
    *_cells("Pinecone, a document", ("ready", ""), *_late(*VECTORS[:7], VECTORS[9])),
    *_cells("Pinecone, a document", ("ready", ""), ("half of a batch", "half", BAD, {})),
]
REDIS: list[Cell] = [
    Cell(role="Redis", fault=fault, kind=kind, outcome=GROUNDED)
    for fault, kind in (
        ("down", "kill"),
        ("stopped answering", "pause"),
        ("flushed", "flush"),
        ("dies while an answer streams", "kill midway"),
        ("stops answering while an answer streams", "pause midway"),
        ("flushed while an answer streams", "flush midway"),
    )
]
ALL = [*CELLS, *INDEXING, *REDIS]

HEAD = """# Faults, one by one

What becomes of a message when a service that its answer depends on fails. Each cell is a test:
a question over HTTP with that fault on every call, then one more once the fault is over. In
every cell the question is kept, there is exactly one answer to it, and the next question is
answered as ever, with no restart. The providers are stand-ins that speak the true protocols to the
true SDKs (`tests/stand_ins`); the limits are short here (first words
0.8 s, silence 0.5 s, vectors 1.5 s), and longer in production.

A document whose vectors fail waits for another try (`queued`) and one whose projection fails is
answered from by its words until the outbox comes through; both are whole once the fault is over.

`complete`/`grounded`: answered by a model from the sources. `extractive`: the sources quoted
word for word. `failed`/`unavailable`: the text that had come is kept, and the client is told
whether to try again. "Because" is the code in the message (`metadata.fell` or `metadata.error`).

Written by `python -m tests.faults`, times included.

| role | fault | message ends | mode | because | seconds | test |
| --- | --- | --- | --- | --- | --- | --- |
"""


def page_row(cell: Cell, seconds: float) -> str:
    """A cell as a line of the page."""
    status, mode = cell.outcome
    name = "test_document" if "document" in cell.role else "test_message"
    test = f"`test_faults{'_redis' if cell.role == 'Redis' else ''}.py::{name}[{cell.id}]`"
    code = " or ".join(f"`{code}`" for code in sorted(cell.codes)) or "–"
    return f"| {cell.role} | {cell.fault} | {status} | {mode} | {code} | {seconds:.1f} | {test} |"


def main() -> int:
    """Run the cells, and write the page from what they noted when all hold."""
    import pytest

    with tempfile.TemporaryDirectory() as folder:
        os.environ["FAULTS_FOLDER"] = folder
        here = Path(__file__).parent
        files = [str(here / "test_faults.py"), str(here / "test_faults_redis.py")]
        failed = int(pytest.main(["-q", "-k", "test_message or test_document", *files]))
        if not failed:
            rows = [Path(folder, cell.id).read_text() for cell in ALL]
            PAGE.write_text(HEAD + "\n".join(rows) + "\n")
    return failed


def note(cell: Cell, seconds: float) -> None:
    """Keep a cell's row for the page, in a run that makes one."""
    if folder := os.environ.get("FAULTS_FOLDER"):
        Path(folder, cell.id).write_text(page_row(cell, seconds))


if __name__ == "__main__":
    sys.exit(main())
