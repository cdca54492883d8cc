"""The one form that stored text has: spans are counted in it, so it is made once, first."""

import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n?|\u2028|\u2029|\x85")
# Controls but tab and newline; lone surrogates; the byte-order mark.
_UNWANTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufeff]")


def normalise(text: str) -> str:
    """`text` in NFC with newlines as line ends and without controls."""
    return unicodedata.normalize("NFC", _UNWANTED.sub("", _LINE_ENDS.sub("\n", text)))
