"""The speller of the public documents: made when a question first needs it."""

import threading
import time
from dataclasses import replace
from functools import partial

from rag.followups import StandaloneQuestion
from rag.lexical import search_lexical
from rag.selectors.passages import public_texts
from rag.text.spelling import Speller
from rag.text.tokens import looks_english
from rag.types import Filters, Position
from rag.vendors.local_model import get_local_model

_lock = threading.Lock()
_known: tuple[float, Position | None, Speller] | None = None

# Words of new documents are known to it a little later: reading all of them takes a while.
RENEWED_AFTER_SECONDS = 600


def mended(standalone: StandaloneQuestion, filters: Filters) -> StandaloneQuestion:
    """`standalone` with the typing errors of the question itself mended.

    By words of public documents alone, so that nobody learns what stands in another's, and only by
    those that the viewer finds now: a document may have been hidden since its words were read. A
    word that the viewer's own documents hold is no error.
    """
    question, *context = standalone.turns
    if not looks_english(question.text):
        return standalone
    text = _speller(filters.position).mend(question.text, partial(_is_held, filters))
    if text == question.text:
        return standalone
    turns = (replace(question, text=text), *context)
    whole = standalone.text.replace(question.text, text, 1)
    return replace(standalone, text=whole, turns=turns)


def _is_held(filters: Filters, word: str) -> bool:
    return bool(search_lexical([(word, 1.0)], filters=filters, limit=1).scores)


def _speller(position: Position | None) -> Speller:
    global _known
    with _lock:
        if _known is None or _is_out_of_date(*_known[:2], position):
            speller = Speller(public_texts(), get_local_model().is_word)
            _known = time.monotonic(), position, speller
        return _known[2]


def _is_out_of_date(made_at: float, then: Position | None, now: Position | None) -> bool:
    if then is None or now is None or then.epoch != now.epoch:
        return True
    return then != now and time.monotonic() - made_at > RENEWED_AFTER_SECONDS
