"""The contract of embedders."""

import numpy as np
import pytest

from common import loop
from rag.embedders.base import Embedder


class EmbedderContract:
    """Inherit it and give `embedder`."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        raise NotImplementedError

    def embed(self, embedder, texts):
        return loop.run(embedder.embed(texts))

    def test_vectors_are_float32_of_the_dimension_it_names(self, embedder):
        vectors = self.embed(embedder, ["one text", "another text"])

        assert vectors.dtype == np.float32
        assert vectors.shape == (2, embedder.dimension)

    def test_vectors_have_unit_length(self, embedder):
        vectors = self.embed(embedder, ["one text", "another, longer text about refunds"])

        assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)

    def test_no_texts_are_no_vectors(self, embedder):
        assert self.embed(embedder, []).shape == (0, embedder.dimension)

    def test_same_text_has_the_same_vector_in_any_company(self, embedder):
        alone = self.embed(embedder, ["return goods"])[0]
        among = self.embed(embedder, ["something else", "return goods"])[1]

        assert np.allclose(alone, among, atol=1e-4)

    def test_more_texts_than_a_batch_keep_their_order(self, embedder):
        texts = [f"text number {number}" for number in range(embedder.batch_size + 3)]

        vectors = self.embed(embedder, texts)

        assert len(vectors) == len(texts)
        assert np.allclose(vectors[-1], self.embed(embedder, texts[-1:])[0], atol=1e-4)

    def test_odd_texts_are_embedded_too(self, embedder):
        vectors = self.embed(embedder, ["", " ", "🙂", "的", "x" * 20_000, "\ud800"])

        assert np.isfinite(vectors).all()

    def test_fingerprint_names_the_space(self, embedder):
        assert embedder.fingerprint
        assert len(embedder.fingerprint) <= 100
