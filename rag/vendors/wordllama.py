"""WordLlama's 256-dimension vectors from its wheel's own files: no network, no heavy imports.

The wheel's `WordLlama.load()` looks for its tokenizer in a folder that does not exist and then
asks the network. All that is needed is a table (32,000 tokens by 256, float16, 16 MB) and a
tokenizer, so this reads both from where pip put them and never imports the package itself.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

PACKAGE = "wordllama"
WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
TENSOR = "embedding.weight"
BATCH_TEXTS = 64
# More come from documents, not from questions: they touch most of the table, once.
FEW_TEXTS = 32
# A question is embedded by each part that compares something with it.
RECENT_TEXTS = 64


class WordLlamaMissingError(RuntimeError):
    """The wheel `wordllama` is not installed, or not with the files that this code knows."""


@dataclass(frozen=True, slots=True, eq=False)
class WordLlamaModel:
    """A loaded model. `embed` may be called from many threads at once."""

    tokenizer: "Tokenizer"
    table: "NDArray[np.float16]"
    fingerprint: str
    _recent: "dict[str, NDArray[np.float32]]" = field(default_factory=dict, repr=False)

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        return int(self.table.shape[1])

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Vectors of `texts`: float32, shape (len(texts), dimension), unit length.

        A text without any token (the empty one) gets a vector of zeros. The vector of a text
        alone is kept for a while, and cannot be written to.
        """
        return self._embed(texts) if len(texts) != 1 else self._embed_alone(texts[0])

    def _embed_alone(self, text: str) -> "NDArray[np.float32]":
        known = self._recent.get(text)
        if known is None:
            known = self._embed([text])
            known.flags.writeable = False
            if len(self._recent) >= RECENT_TEXTS:
                self._recent.clear()
            self._recent[text] = known
        return known

    def _embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        import numpy as np

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), BATCH_TEXTS):
            batch = list(texts[start : start + BATCH_TEXTS])
            for row, ids in enumerate(self._token_ids(batch), start):
                if ids:
                    vectors[row] = self.table[ids].sum(axis=0, dtype=np.float32)
        if len(texts) > FEW_TEXTS:
            _let_go(self.table)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.maximum(lengths, np.float32(1e-12))
        return vectors

    def is_word(self, word: str) -> bool:
        """Whether `word`, in lower case, is one token: then people write it so."""
        return len(self._token_ids([word])[0]) == 1

    def _token_ids(self, batch: list[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens."""
        batch = [text.encode("utf-8", "replace").decode() for text in batch]
        if len(batch) == 1:  # A question: no thread pool for one text.
            return [self.tokenizer.encode(batch[0], add_special_tokens=False).ids]
        encoded = self.tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        return [encoding.ids for encoding in encoded]


def load_wordllama() -> WordLlamaModel:
    """The model, read from the installed wheel; about 50 ms. Raises `WordLlamaMissingError`."""
    from importlib.metadata import version

    from tokenizers import Tokenizer

    folder = _package_folder()
    weights = folder / WEIGHTS
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    table = _map_table(weights)
    digest = _sha256(weights)[:12]
    fingerprint = f"{PACKAGE}-{version(PACKAGE)}-{table.shape[1]}-{digest}"
    return WordLlamaModel(tokenizer, table, fingerprint)


def _package_folder() -> Path:
    """Where pip put the wheel, found without importing it (its import pulls in `requests`)."""
    from importlib.util import find_spec

    spec = find_spec(PACKAGE)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    for folder in map(Path, locations):
        if (folder / WEIGHTS).is_file() and (folder / TOKENIZER).is_file():
            return folder
    raise WordLlamaMissingError("pip install wordllama: its weights or its tokenizer are not there")


def _map_table(path: Path) -> "NDArray[np.float16]":
    """The embedding table, memory-mapped: pages are shared by processes and read when touched.

    safetensors: eight bytes of header length, little-endian, then JSON, then the raw tensors.
    """
    import numpy as np

    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(header_bytes))[TENSOR]
    if entry["dtype"] != "F16":
        raise WordLlamaMissingError(f"the weights are {entry['dtype']}, this code knows F16")
    offset = 8 + header_bytes + entry["data_offsets"][0]
    shape = tuple(entry["shape"])
    mapped = np.memmap(path, dtype="<f2", mode="r", offset=offset, shape=shape)
    return np.asarray(mapped)  # The subclass makes each look-up three times as slow.


def _let_go(table: "NDArray[np.float16]") -> None:
    """Take the table's pages out of this process; what is touched again comes from the cache."""
    import mmap

    mapped = getattr(table.base, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _sha256(path: Path) -> str:
    from hashlib import file_digest

    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
