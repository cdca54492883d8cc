#!/usr/bin/env python
"""Fit the map of `rag/text/paraphrases.py` on the questions that the manual's sections name.

`python scripts/fit_paraphrases.py` says how often the section of a wording is found by the other
wordings, in documents that the map was not fitted on; with `--write` the map is written, fitted on
all of them. The same documents give the same file.

The map is the identity and half of what lowers InfoNCE most (van den Oord 2018): wordings of one
section are each other's positives, all others are negatives. Half, because all of it does worse on
questions about other things.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rag.asked import cut  # noqa: E402
from rag.text.paraphrases import FILE  # noqa: E402
from rag.text.questions import is_question  # noqa: E402
from rag.text.sections import read_sections  # noqa: E402
from rag.vendors.local_model import get_local_model  # noqa: E402

SHARE = 0.5  # of the fitted map that is taken
TEMPERATURE = 0.1
RIDGE = 1.0
STEPS = 30
STEP = 0.002
FOLDS = 4

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def main() -> None:
    """Measure on documents left out and, if asked, write the map."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the map")
    vectors, sections, documents = read_wordings(ROOT / "documents")
    sys.stdout.write(f"{len(vectors)} wordings of {sections.max() + 1} sections\n")
    if parser.parse_args().write:
        table = np.eye(vectors.shape[1]) + SHARE * fit(vectors, sections)
        np.save(FILE, table.astype(np.float16))
        return
    folds = np.random.RandomState(0).permutation(documents.max() + 1)[documents] % FOLDS
    before, after = [], []
    for fold in range(FOLDS):
        fitted = fit(vectors[folds != fold], sections[folds != fold])
        before += found(vectors, sections, folds == fold)
        after += found(unit(vectors + SHARE * (vectors @ fitted)), sections, folds == fold)
    share = f"{np.mean(before):.4f}, with the map {np.mean(after):.4f}"
    sys.stdout.write(f"section found first: {share}\n")


def read_wordings(folder: Path) -> tuple[Floats, Integers, Integers]:
    """Vectors of all wordings, and the number of each one's section and document."""
    wordings, sections, documents = [], [], []
    number = 0
    for place, path in enumerate(sorted(folder.rglob("*.md"))):
        for section in read_sections(path.read_text(encoding="utf-8"), "")[0]:
            asking = dict.fromkeys(cut(one) for one in section.questions if is_question(one))
            wordings += [one.lstrip("# ") for one in asking]
            sections += [number] * len(asking)
            documents += [place] * len(asking)
            number += bool(asking)
    return get_local_model().embed(wordings), np.array(sections), np.array(documents)


def fit(vectors: Floats, sections: Integers) -> Floats:
    """What is added to the identity: Adam over all pairs at once, drawn towards zero."""
    same = sections[:, None] == sections
    np.fill_diagonal(same, False)
    asked = same.any(axis=1)
    added = np.zeros((vectors.shape[1],) * 2, dtype=np.float32)
    mean, spread = np.zeros_like(added), np.zeros_like(added)
    for step in range(1, STEPS + 1):
        slope = _slope(vectors, added, same, asked) + 2 * RIDGE * added / len(added)
        mean += 0.1 * (slope - mean)
        spread += 0.01 * (slope * slope - spread)
        scale = np.sqrt(spread / (1 - 0.99**step)) + 1e-9
        added -= STEP * (mean / (1 - 0.9**step)) / scale
    return added


def _slope(
    vectors: Floats, added: Floats, same: NDArray[np.bool_], asked: NDArray[np.bool_]
) -> Floats:
    """The gradient of the mean InfoNCE."""
    moved = vectors + vectors @ added
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    moved /= lengths
    shares = moved @ moved.T / TEMPERATURE
    np.fill_diagonal(shares, -1e4)
    shares = np.exp(shares - shares.max(axis=1, keepdims=True))
    own = shares * same
    shares /= shares.sum(axis=1, keepdims=True)
    shares -= own / np.maximum(own.sum(axis=1, keepdims=True), 1e-30)
    shares[~asked] = 0.0
    shares /= asked.sum()
    pulls = (shares @ moved + shares.T @ moved) / TEMPERATURE
    pulls -= moved * (moved * pulls).sum(axis=1, keepdims=True)
    slope: Floats = vectors.T @ (pulls / lengths)
    return slope


def found(vectors: Floats, sections: Integers, asked: NDArray[np.bool_]) -> list[bool]:
    """Of each wording that is `asked`: is the nearest other one of its own section?"""
    rows = np.flatnonzero(asked)
    likeness = vectors[rows] @ vectors.T
    likeness[np.arange(len(rows)), rows] = -1.0
    nearest = sections[likeness.argmax(axis=1)]
    return list(nearest == sections[rows])


def unit(vectors: Floats) -> Floats:
    """`vectors` at length 1."""
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


if __name__ == "__main__":
    main()
