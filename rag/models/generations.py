"""Generations of the index: one a vector space, of which one answers."""

from django.db import models
from django.db.models import Q


class IndexGeneration(models.Model):
    """The vectors of one embedder; a new one is built beside the one that answers."""

    BUILDING, ACTIVE, RETIRED = "building", "active", "retired"
    STATES = ((BUILDING, "Building"), (ACTIVE, "Active"), (RETIRED, "Retired"))

    fingerprint = models.CharField(max_length=100, unique=True)
    dimension = models.PositiveIntegerField()
    # {"BACKEND": dotted path, "OPTIONS": {…}}, so that questions are embedded the same way
    # while the settings name the next embedder already. Never holds a key.
    embedder = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=STATES, default=BUILDING)
    # Fields of `rag.fusion.Calibration`; empty: its defaults.
    calibration = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                name="generation_state_known",
                condition=Q(state__in=["building", "active", "retired"]),
            ),
            models.UniqueConstraint(
                fields=["state"], name="generation_one_active", condition=Q(state="active")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.fingerprint} ({self.state})"
