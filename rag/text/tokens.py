"""Terms as the lexical index knows them, and a guess whether a text is English.

`index_terms` says in Python what SQLite's FTS5 does with
`porter unicode61 categories 'L* N* Co Mn Mc' remove_diacritics 2`, so that document frequencies
read from an fts5vocab table can be looked up by the terms that this module makes.
"""

import re
import threading
import unicodedata
from functools import lru_cache
from typing import Any

from rag.text.stopwords import ENGLISH_STOP_WORDS, OTHER_FUNCTION_WORDS

NGRAM_CHARS = 4
CJK_NGRAM_CHARS = 2
MAX_STEM_BYTES = 64  # FTS5 leaves longer tokens alone.
CACHED_TERMS = 1 << 15

_TOKEN_CATEGORIES = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "Co", "Mn", "Mc"})
_ASCII_WORD = re.compile(r"[0-9A-Za-z]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_VOWEL_THEN_CONSONANT = re.compile(r"[aeiouy][^aeiou]")  # Porter's measure is above 0.
_BLY = re.compile(r"bl(?:y|i|ies)$")
_local = threading.local()


def index_terms(text: str) -> list[str]:
    """Stems of all the words of `text`, in order, stop words and repetitions included."""
    return [stem(word) for word in words(text)]


def query_terms(question: str) -> list[str]:
    """Stems to search for: without stop words (unless nothing is left) and repetitions."""
    return [stem(word) for word in query_words(question)]


def query_words(question: str) -> list[str]:
    """The words of `query_terms` as they stand in the question, one for each stem, in order.

    These, not the stems, go into an FTS5 query: FTS5 stems them itself, and a stem's stem may
    be another.
    """
    return list({stem(word): word for word in reversed(content_words(question))}.values())[::-1]


def content_words(text: str) -> list[str]:
    """The words of `text` that carry meaning, in order; all of them if none does.

    "e-mail" is one word here, "mail": its "e" would count like a rare word of its own.
    """
    found = words(text)
    mails = [at for at, word in enumerate(found) if at and word in ("mail", "mails")]
    dropped = {at - 1 for at in mails if found[at - 1] == "e"}
    kept = (word for at, word in enumerate(found) if at not in dropped)
    return [word for word in kept if word not in ENGLISH_STOP_WORDS] or found


def words(text: str) -> list[str]:
    """Words as FTS5's `unicode61` cuts and folds them: lower case, no diacritics."""
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    return "".join(map(_fold, text)).split()


@lru_cache(maxsize=CACHED_TERMS)
def stem(word: str) -> str:
    """Porter's stem, as FTS5's `porter` makes it: with Porter's two later rules, BLI and LOGI."""
    if len(word.encode()) > MAX_STEM_BYTES or len(word) < 3:
        return word
    ending = _BLY.search(word)
    if ending and _VOWEL_THEN_CONSONANT.search(word[: ending.start()]):
        word = word[: ending.start()] + "ble"
    stemmed = str(_stemmer().stemWord(word))
    if stemmed.endswith("logi") and _VOWEL_THEN_CONSONANT.search(stemmed[:-4]):
        return stemmed[:-1]
    return stemmed


def char_ngrams(text: str) -> list[str]:
    """Overlapping pieces of each word: 4 characters, 2 in Chinese, Japanese and Korean.

    A word shorter than that is a piece of its own. For an index of its own, beside the one by
    words, in languages that the stemmer does not know or that write no blanks.
    """
    pieces: list[str] = []
    for word in words(text):
        size = CJK_NGRAM_CHARS if _CJK.search(word) else NGRAM_CHARS
        count = max(1, len(word) - size + 1)
        pieces.extend(word[start : start + size] for start in range(count))
    return pieces


def looks_english(text: str) -> bool:
    """Is `text` English, as far as its letters and its small words tell? Names alone are."""
    # All in C: ingestion asks it of every chunk.
    foreign = 0 if text.isascii() else sum(map(str.isalpha, _NOT_ASCII.findall(text)))
    if foreign and foreign > 0.2 * sum(map(str.isalpha, text)):
        return False
    found = _LETTERS.findall(text.lower())
    english = sum(map(ENGLISH_STOP_WORDS.__contains__, found))
    other = sum(map(OTHER_FUNCTION_WORDS.__contains__, found))
    return english >= other + (foreign > 0 and english == 0)


def _stemmer() -> Any:
    """One per thread: PyStemmer's objects must not be shared by threads."""
    if not hasattr(_local, "stemmer"):
        import Stemmer

        _local.stemmer = Stemmer.Stemmer("porter", 0)
    return _local.stemmer


@lru_cache(maxsize=CACHED_TERMS)
def _fold(char: str) -> str:
    """One character folded: its base letter in lower case, a blank if it parts words."""
    if unicodedata.category(char) not in _TOKEN_CATEGORIES:
        return " "
    if _is_latin_mark(char):
        return ""
    folded = char.casefold()
    folded = folded if len(folded) == 1 else char.lower()[0]
    base = unicodedata.normalize("NFD", folded)
    return base[0] if base[0].isascii() else folded  # Only Latin letters lose their accents.


def _is_latin_mark(char: str) -> bool:
    return "\u0300" <= char <= "\u036f"
