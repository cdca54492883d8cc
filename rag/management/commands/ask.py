"""manage.py ask "…": a question in a terminal, through the same pipeline as over HTTP."""

import dataclasses
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from common import loop
from rag import pipeline
from rag.errors import ProviderError
from rag.types import AnswerCompleted, Question, Source, Viewer


class Command(BaseCommand):
    """Prints the answer and the sources that it rests on."""

    help = "Ask the public documents a question."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The question, and how to print the answer."""
        parser.add_argument("question")
        parser.add_argument("--category", help="look only into this category")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Answer and print. Raises CommandError when no generator could answer."""
        if not options["question"].strip():
            raise CommandError("Ask something.")
        question = Question(text=options["question"], viewer=Viewer(), category=options["category"])
        try:
            answer = loop.run(self._answer(question))
        except ProviderError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(
                "The database cannot be asked. Run `manage.py migrate` and `manage.py"
                f" populate_documents`; `manage.py doctor` tells more. ({type(error).__name__})"
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps(as_json(answer), ensure_ascii=False))
        else:
            self._print(answer)

    async def _answer(self, question: Question) -> AnswerCompleted:
        async for event in pipeline.answer(question):
            if isinstance(event, AnswerCompleted):
                return event
        raise CommandError("The answer broke off.")

    def _print(self, answer: AnswerCompleted) -> None:
        self.stdout.write(answer.text)
        if answer.sources:
            self.stdout.write(f"\nSources ({answer.mode}, confidence {answer.confidence:.2f}):")
        for source in answer.sources:
            mark = "*" if source.cited else " "
            place = source.passage.heading_path
            self.stdout.write(f" {mark}[{source.ref}] {place} ({source.passage.category})")


def as_json(answer: AnswerCompleted) -> dict[str, Any]:
    """`answer` as plain values, sources in the shape of the HTTP API."""
    return {
        "answer": answer.text,
        "mode": answer.mode,
        "model": answer.model,
        "confidence": round(answer.confidence, 4),
        "sources": [source_as_json(source) for source in answer.sources],
        "citations": [dataclasses.asdict(citation) for citation in answer.citations],
        "timings_ms": dict(answer.timings_ms),
    }


def source_as_json(source: Source) -> dict[str, Any]:
    """A source as a message's metadata has it."""
    passage = source.passage
    return {
        "ref": source.ref,
        "document_id": str(passage.document_id),
        "version": passage.version,
        "title": passage.title,
        "category": passage.category,
        "chunk_id": str(passage.chunk_id),
        "score": round(passage.score, 4),
        "span": list(passage.span),
        "heading_path": passage.heading_path,
        "cited": source.cited,
    }
