"""What a question of each kind wants to read: "how long" a number, "who" a name."""

import re

_HINTS = (
    (
        re.compile(r"\b(?:when|what (?:year|date|day|time)|how long|how often)\b", re.I),
        re.compile(
            r"\d|\b(?:second|minute|hour|day|week|month|year|century|never|always|daily)", re.I
        ),
    ),
    (
        re.compile(
            r"\bhow (?:many|much|large|big|far|high|old)\b|\bwhat (?:number|percent|size)"
            r"|\b(?:longest|largest|biggest|smallest|max|maximum|minimum|limits?)\b",
            re.I,
        ),
        re.compile(
            r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|no)\b", re.I
        ),
    ),
    (
        re.compile(r"\b(?:who|whom|whose)\b", re.I),
        re.compile(
            r"(?<=\w )[A-Z][a-z]+|\b(?:staff|user|owner|admin|operator|anyone|nobody)", re.I
        ),
    ),
    (re.compile(r"\bwhere\b", re.I), re.compile(r"\b(?:in|at|on|from|near|to|under)\b|[`/]", re.I)),
    (
        re.compile(r"\bwhy\b", re.I),
        re.compile(r"\b(?:because|since|so that|therefore|due to|in order|reason|cause)", re.I),
    ),
    (
        re.compile(
            r"\b(?:which|what) (?:command|variable|setting|path|endpoint|file|port|url)\b", re.I
        ),
        re.compile(r"[`/]|[A-Z]+_[A-Z]+", re.I),
    ),
    (
        re.compile(
            r"\b(?:how (?:do|can|could|should|must) (?:i|we)|what (?:do|should|must|can) )", re.I
        ),
        re.compile(r"`(?:POST|GET|PUT|PATCH|DELETE) |\b(?:with|by|run|setting|variable|into) `"),
    ),
)


def hint_of(question: str) -> re.Pattern[str] | None:
    """What an answer to `question` usually holds, if that can be told."""
    return next((hint for cue, hint in _HINTS if cue.search(question)), None)
