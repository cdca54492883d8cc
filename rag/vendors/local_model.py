"""The one WordLlama of this process, for whoever needs it."""

import threading
from typing import TYPE_CHECKING

from rag.errors import NotConfigured

if TYPE_CHECKING:
    from rag.vendors.wordllama import WordLlamaModel

_lock = threading.Lock()
_model: "WordLlamaModel | None" = None


def get_local_model() -> "WordLlamaModel":
    """The model, read on first use (about 50 ms). Raises NotConfigured without its wheel."""
    from rag.vendors.wordllama import WordLlamaMissingError, load_wordllama

    global _model
    with _lock:
        if _model is None:
            try:
                _model = load_wordllama()
            except WordLlamaMissingError as error:
                raise NotConfigured(str(error)) from error
        return _model
