"""Generations of the index: which vector spaces there are and who embeds for them."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from rag.backends import get_embedder, get_embedder_of
from rag.embedders.base import Embedder
from rag.models import IndexGeneration

# Names of options that a stored choice must not hold.
SECRET_WORDS = ("key", "token", "secret", "password")


def ensure_active() -> IndexGeneration:
    """The generation that answers; the settings' embedder makes the first one."""
    active = IndexGeneration.objects.filter(state=IndexGeneration.ACTIVE).first()
    return active or _create_first()


def _create_first() -> IndexGeneration:
    try:
        with transaction.atomic():
            generation = find_or_build(get_embedder(), settings.RAG["EMBEDDER"])
            generation.state = IndexGeneration.ACTIVE
            generation.activated_at = timezone.now()
            generation.save(update_fields=["state", "activated_at"])
            return generation
    except IntegrityError:
        # Another process was first.
        return IndexGeneration.objects.get(state=IndexGeneration.ACTIVE)


def find_or_build(embedder: Embedder, choice: Mapping[str, Any]) -> IndexGeneration:
    """The generation of `embedder`'s space, made in state building where there is none."""
    generation, _ = IndexGeneration.objects.get_or_create(
        fingerprint=embedder.fingerprint,
        defaults={"dimension": embedder.dimension, "embedder": without_secrets(choice)},
    )
    return generation


def generations_in_use() -> list[IndexGeneration]:
    """Those that new chunks need vectors in: the active one and those being built."""
    states = (IndexGeneration.ACTIVE, IndexGeneration.BUILDING)
    in_use = IndexGeneration.objects.filter(state__in=states).order_by("state", "pk")
    found = list(in_use)
    if any(generation.state == IndexGeneration.ACTIVE for generation in found):
        return found
    ensure_active()
    return list(in_use.all())


def embedder_of(generation: IndexGeneration) -> Embedder:
    """What embeds for `generation`."""
    return get_embedder_of(generation.fingerprint, generation.embedder)


def without_secrets(choice: Mapping[str, Any]) -> dict[str, Any]:
    """`choice` of a back end as it may be stored: keys come from the environment."""
    options = {
        name: value
        for name, value in choice.get("OPTIONS", {}).items()
        if not any(word in name.lower() for word in SECRET_WORDS)
    }
    return {"BACKEND": choice["BACKEND"], "OPTIONS": options}
