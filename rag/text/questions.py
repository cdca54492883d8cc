"""Which sentences ask instead of saying something.

A document says which questions a section answers by its heading, and other words for them in a
line below it: `Also asked: how do I sign in? Where is the login?`
"""

import re

# Between the title and the headings above a chunk.
PATH_SEPARATOR = " > "

_ENDS_ASKING = re.compile(r"[?？؟‽][\"'”’»)\]*_`\s]*$")
_MARKS = re.compile(r"[\s#*_>]*(?:also asked:[\s*_]*)?", re.IGNORECASE)


def is_question(sentence: str) -> bool:
    """Does `sentence` end with a question mark, whatever quotes or stars close behind it?"""
    return _ENDS_ASKING.search(sentence) is not None


def bare_question(sentence: str) -> str:
    """The question alone, without a heading's marks or the words "Also asked:"."""
    return sentence[_MARKS.match(sentence).end() :]  # type: ignore[union-attr]


def own_heading(heading_path: str) -> str:
    """The heading right above a chunk; "" where only the document's title stands above it."""
    return heading_path.rpartition(PATH_SEPARATOR)[2] if PATH_SEPARATOR in heading_path else ""
