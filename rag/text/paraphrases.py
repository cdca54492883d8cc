"""Vectors of questions, so that two ways to ask the same lie nearer to each other.

A static vector is the sum of its words, and some directions of it say little of what is asked
("How do I", "is it possible", "can somebody tell me"). A small linear map, fitted on the wordings
that the manual lists for its own sections, tells those from the rest; `scripts/fit_paraphrases.py`
makes it and says how it does on documents that it was not fitted on. It is applied to questions
alone: vectors of what a document says stay as they are.
"""

from functools import cache
from pathlib import Path

import numpy as np

from rag.text.vocabulary import Floats

FILE = Path(__file__).with_name("paraphrases.npy")


def paraphrased(vectors: Floats) -> Floats:
    """Unit `vectors` of questions as they are compared; those of another model stay."""
    table = _table()
    if vectors.shape[1] != len(table):
        return vectors
    found = vectors @ table
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.float32(1e-12))
    return found


@cache
def _table() -> Floats:
    table: Floats = np.load(FILE).astype(np.float32)
    return table
