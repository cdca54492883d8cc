"""The embedded back ends keep their contracts."""

import pytest

from rag.embedders.local import LocalEmbedder
from rag.embedders.minilm import MiniLMEmbedder
from rag.generators.extractive import ExtractiveGenerator
from rag.types import DECLINED, Finished, Reference, TextDelta
from rag.vector_stores.local import LocalVectorStore
from rag.vendors.minilm_files import is_installed
from tests.contracts.embedder import EmbedderContract
from tests.contracts.generator import TEXT, GeneratorContract, make_prompt
from tests.contracts.vector_store import DIMENSION, VectorStoreContract


class TestLocalEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self):
        return LocalEmbedder()

    def test_empty_text_has_no_direction(self, embedder):
        assert not self.embed(embedder, [""]).any()


@pytest.mark.skipif(not is_installed(), reason="requirements/minilm.txt is not installed")
class TestMiniLMEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self):
        return MiniLMEmbedder()


@pytest.mark.django_db(transaction=True)
class TestLocalVectorStore(VectorStoreContract):
    @pytest.fixture
    def store(self):
        return LocalVectorStore(dimension=DIMENSION, fingerprint="contract-8")


class TestExtractiveGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self):
        return ExtractiveGenerator()

    def test_quotes_word_for_word(self, generator):
        prompt = make_prompt(TEXT)
        events = self.generate(generator, prompt)

        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        references = [event for event in events if isinstance(event, Reference)]
        assert references
        for reference in references:
            quote = prompt.passages[reference.ref - 1].text[slice(*reference.source_span)]
            assert text[slice(*reference.answer_span)] == quote

    def test_declines_without_passages(self, generator):
        delta, finished = self.generate(generator, make_prompt())

        assert (delta.text, finished.reason) == (DECLINED, "declined")
        assert isinstance(finished, Finished)
