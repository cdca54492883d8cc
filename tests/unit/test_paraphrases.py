"""Vectors of questions: what they ask counts more than how they ask; other vectors stay."""

import importlib.util
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from rag.asked import embed_questions
from rag.reader import get_reader
from rag.text.paraphrases import paraphrased
from rag.text.vocabulary import Embed

READER = get_reader()
SAME = (
    ("How do I get rid of an account?", "Deleting a user"),
    ("Can I take my data with me?", "How do I export everything?"),
    ("Why is it so slow?", "Answers take too long"),
    ("Which browsers can I use?", "Does it work in Firefox?"),
)
OTHER = (
    ("How do I delete a message?", "How do I print a message?"),
    ("Can I change my name?", "Can I see who is logged in?"),
    ("What happens when the disk is full?", "What happens when a user leaves?"),
    ("Is it possible to use it offline?", "Is it possible to use a proxy?"),
)


def likeness(pairs: Sequence[tuple[str, str]], embed: Embed) -> float:
    return float(np.mean([first @ second for first, second in map(embed, pairs)]))


def test_two_ways_to_ask_the_same_stand_out_more_from_two_questions():
    plain = likeness(SAME, READER.embed) - likeness(OTHER, READER.embed)
    embed = partial(embed_questions, embed=READER.embed)
    assert likeness(SAME, embed) - likeness(OTHER, embed) > plain + 0.03


def test_vectors_keep_their_length_and_zero_stays_zero():
    found = paraphrased(np.stack([READER.embed(["Why?"])[0], np.zeros(256, dtype=np.float32)]))
    assert np.linalg.norm(found, axis=1) == pytest.approx([1.0, 0.0])


def test_vectors_of_another_model_stay():
    vectors = np.eye(4, dtype=np.float32)
    assert paraphrased(vectors) is vectors


def test_fit_finds_what_wordings_of_one_section_share():
    path = Path(__file__).parents[2] / "scripts" / "fit_paraphrases.py"
    spec = importlib.util.spec_from_file_location("fit_paraphrases", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    sections = np.repeat(np.arange(8), 5)
    noise = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    told = np.eye(16, dtype=np.float32)[sections]  # Half of the directions say which section it is.
    noise[:, :8] *= 0.1
    vectors = script.unit(told + 0.6 * noise)
    all_asked = np.full(40, True)
    moved = script.unit(vectors + vectors @ script.fit(vectors, sections))
    before, after = (np.mean(script.found(one, sections, all_asked)) for one in (vectors, moved))
    assert after > before
