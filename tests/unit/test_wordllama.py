"""WordLlama from the wheel's own files: the right vectors, no network, no heavy imports."""

import subprocess
import sys

import numpy as np
import pytest

from rag.vendors import wordllama
from rag.vendors.wordllama import WordLlamaMissingError, load_wordllama

OFFLINE = """
import socket, sys
def refuse(*a, **k): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from rag.vendors.wordllama import load_wordllama
assert load_wordllama().embed(["no network"]).shape == (1, 256)
heavy = {"requests", "huggingface_hub", "torch", "wordllama", "safetensors"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.fixture(scope="module")
def model():
    return load_wordllama()


def test_vectors_are_float32_and_unit_length(model):
    vectors = model.embed(["a token", "another text", "你好"] * 50)
    assert vectors.dtype == np.float32
    assert vectors.shape == (150, model.dimension)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_meaning_is_nearer_than_chance(model):
    question, near, far = model.embed(
        ["How do I sign in?", "log in with a password", "grain prices"]
    )
    assert question @ near > question @ far + 0.2


def test_text_alone_and_in_a_batch_has_one_vector(model):
    texts = ["short", "a much longer text about tokens and sessions " * 20, "mid size"]
    together = model.embed(texts)
    alone = np.vstack([model.embed([text]) for text in texts])
    assert np.array_equal(together, alone)


def test_empty_text_and_empty_list_are_harmless(model):
    assert not model.embed([""]).any()
    assert model.embed([]).shape == (0, 256)
    assert np.isfinite(model.embed(["\ud800 lone surrogate"])).all()


def test_vectors_are_those_of_the_library(model):
    library = pytest.importorskip("wordllama.inference")
    own = library.WordLlamaInference(np.asarray(model.table), _padded_tokenizer())
    texts = ["How long does a token live?", "Zürich — naïve 🎉", "  two  blanks\n\tand tabs"]
    expected = own.embed(texts, norm=True)
    assert ((model.embed(texts) * expected).sum(axis=1) > 0.9999).all()


def test_loads_without_network_or_heavy_imports():
    subprocess.run([sys.executable, "-c", OFFLINE], check=True, timeout=60)


def test_fingerprint_names_the_weights(model):
    name, version, dimension, digest = model.fingerprint.rsplit("-", 3)
    assert (name, dimension, len(digest)) == ("wordllama", "256", 12)
    assert version


def test_missing_wheel_is_said_so(monkeypatch):
    monkeypatch.setattr(wordllama, "PACKAGE", "no_such_package_here")
    with pytest.raises(WordLlamaMissingError, match="pip install"):
        load_wordllama()


def _padded_tokenizer():
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(wordllama._package_folder() / wordllama.TOKENIZER))
