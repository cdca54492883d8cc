"""Building a new generation of the index beside the one that answers, and switching."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from rag.backends import build_embedder
from rag.errors import GenerationIncomplete, GenerationNotFound
from rag.fusion import Calibration
from rag.generations import embedder_of, find_or_build
from rag.indexing import save_vectors
from rag.models import Chunk, ChunkVector, Document, IndexGeneration
from rag.outbox import record_change

BATCH_CHUNKS = 256

OnProgress = Callable[[int, int], None]


def start_building(choice: Mapping[str, Any]) -> IndexGeneration:
    """The generation of the embedder `choice`, taken up again where it had been begun.

    A retired one is brought up to date; the active one stays what it is.
    """
    generation = find_or_build(build_embedder(choice), choice)
    if generation.state == IndexGeneration.RETIRED:
        generation.state = IndexGeneration.BUILDING
        generation.save(update_fields=["state"])
    return generation


def fill_generation(generation: IndexGeneration, on_progress: OnProgress) -> int:
    """Embed the live chunks that lack a vector, batch by batch; how many. Resumable.

    `on_progress(done, total)` is called after each batch. Raises ProviderError.
    """
    embedder = embedder_of(generation)
    total = missing_chunks(generation).count()
    done = 0
    while batch := list(missing_chunks(generation).order_by("key")[:BATCH_CHUNKS]):
        save_vectors(batch, embedder)
        done += len(batch)
        on_progress(done, max(total, done))
    return done


def missing_chunks(generation: IndexGeneration) -> QuerySet[Chunk]:
    """Live chunks without a vector in this generation."""
    vectors = ChunkVector.objects.filter(chunk=OuterRef("pk"), fingerprint=generation.fingerprint)
    return Chunk.objects.filter(~Exists(vectors), live=True)


def switch_to(generation: IndexGeneration) -> None:
    """Let `generation` answer from the next search on, in one step.

    Raises GenerationIncomplete while it lacks vectors. Every search reads which generation
    is active together with everything else it begins with, so none sees a mixture.
    """
    with transaction.atomic():
        active = IndexGeneration.objects.select_for_update().filter(state=IndexGeneration.ACTIVE)
        if missing_chunks(generation).exists():
            raise GenerationIncomplete
        active.exclude(pk=generation.pk).update(state=IndexGeneration.RETIRED)
        IndexGeneration.objects.filter(pk=generation.pk).update(
            state=IndexGeneration.ACTIVE, activated_at=timezone.now()
        )
        # An external store has the vectors of the other generation: have all projected again.
        for document_id in Document.objects.findable().values_list("pk", flat=True):
            record_change(document_id)


def previous_generation() -> IndexGeneration:
    """The one that answered before. Raises GenerationNotFound."""
    retired = IndexGeneration.objects.filter(state=IndexGeneration.RETIRED)
    generation = retired.exclude(activated_at=None).order_by("-activated_at").first()
    if generation is None:
        raise GenerationNotFound
    return generation


def drop_generation(generation: IndexGeneration) -> int:
    """Delete a generation that does not answer, and its vectors; how many."""
    if generation.state == IndexGeneration.ACTIVE:
        raise GenerationIncomplete("The generation that answers cannot be dropped.")
    deleted, _ = ChunkVector.objects.filter(fingerprint=generation.fingerprint).delete()
    generation.delete()
    return deleted


def save_calibration(generation: IndexGeneration, calibration: Calibration) -> None:
    """Keep how this generation's scores map to confidence."""
    generation.calibration = dataclasses.asdict(calibration)
    generation.save(update_fields=["calibration"])
