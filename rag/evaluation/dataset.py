"""Labelled questions and what they are asked of: `corpus.jsonl`, `queries.jsonl`, `qrels.tsv`.

A line of the corpus: id, title, text (or a folder of files, named by `documents` in meta.json,
whose ids are their paths). A query: id, text, and where there are any history, answers,
answerable. A judgement: query, corpus id, gain.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag.types import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A document of the corpus; `group` is what it is a part of (an article of a paragraph)."""

    id: str
    title: str
    text: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A labelled question."""

    id: str
    text: str
    history: tuple[Turn, ...] = ()
    answers: tuple[str, ...] = ()
    answerable: bool = True
    gains: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A corpus, or the folder that holds it, and its queries."""

    name: str
    entries: tuple[Entry, ...]
    queries: tuple[Query, ...]
    folder: Path | None = None


def read_dataset(path: Path) -> Dataset:
    """The dataset in the folder `path`. Raises OSError, ValueError, KeyError for a broken one."""
    meta_path = path / "meta.json"
    meta = json.loads(meta_path.read_text()) if meta_path.exists() else {}
    folder = (path / meta["documents"]).resolve() if "documents" in meta else None
    entries = () if folder else tuple(map(_entry, _lines(path / "corpus.jsonl")))
    gains = _read_gains(path / "qrels.tsv")
    queries = tuple(_query(row, gains) for row in _lines(path / "queries.jsonl"))
    return Dataset(name=path.resolve().name, entries=entries, queries=queries, folder=folder)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def _entry(row: Mapping[str, Any]) -> Entry:
    title = str(row.get("title") or "")
    group = str(row.get("doc") or title or row["id"])
    return Entry(id=str(row["id"]), title=title, text=str(row["text"]), group=group)


def _query(row: Mapping[str, Any], gains: Mapping[str, Mapping[str, float]]) -> Query:
    history = tuple(
        Turn(role="assistant" if number % 2 else "user", content=str(text))
        for number, text in enumerate(row.get("history") or ())
    )
    return Query(
        id=str(row["id"]),
        text=str(row["text"]),
        history=history,
        answers=tuple(map(str, row.get("answers") or ())),
        answerable=bool(row.get("answerable", True)),
        gains=gains.get(str(row["id"]), {}),
    )


def _read_gains(path: Path) -> dict[str, dict[str, float]]:
    gains: dict[str, dict[str, float]] = {}
    with path.open(encoding="utf-8") as file:
        next(file)
        for line in file:
            if line.strip():
                query, entry, gain = line.rstrip("\n").split("\t")
                gains.setdefault(query, {})[entry] = float(gain)
    return gains
