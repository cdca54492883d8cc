"""Verbs whose small word makes another verb of them: "log in" and "log out", "turn on" and "off".

In a static vector the difference between "in" and "out" is lost among the other words, and "in"
and "on" are no content words at all. So where questions are compared with each other, and words
with a sentence that may be quoted, each is one word: "log me out" is "logout me". The index by
words holds them as they were written.
"""

import re

# What may stand between the verb and its small word: "back all my data up".
_BETWEEN = (
    r"((?:\s+(?:an?|the|my|your|our|their|all|both|every|one|me|him|her|us|it|them|this|that"
    r"|log|logs|logging|user|users|device|devices|account|data|database|server|everything|everybody|everyone)){0,3})"
)
_LOGS = r"log(?:ged|ging)?"
# "What is logged in production?" is about a log, "who is logged in to the server?" is not.
_LOGGED_IN = (
    r"(?:log|(?:logged|logging)(?=\s+(?:in|on)(?:to\b|\s*(?:[^\w\s]|$)|\s+(?:to|with|as|from|again|and|or|but"
    r"|by|via|when|while|if|after|before|until|without|through|using|because|twice|any\w*|users?"
    r"|devices?|sessions?|now|somewhere|everywhere|elsewhere|too|yet|automatically|for|on|at|right|all))))"
)
_SIGNS = r"sign(?:s|ed|ing)?"
_SWITCHES = r"(?:turn(?:s|ed|ing)?|switch(?:es|ed|ing)?)"
# A log is written in a format or on a disk, too.
_NOT_A_LOG = r"(?<!\bthe )(?<!\ba )(?<!\bevery )"
_PHRASES = tuple(
    (re.compile(rf"\b{pattern}\b", re.IGNORECASE), joined)
    for pattern, joined in (
        (rf"{_SWITCHES}{_BETWEEN}\s+on", r"enable\1"),
        (rf"{_SWITCHES}{_BETWEEN}\s+off", r"disable\1"),
        (rf"(?:{_NOT_A_LOG}{_LOGGED_IN}|{_SIGNS})\s+(?:in|on)(?:to)?", "login"),
        (rf"(?:logs|{_LOGS}|{_SIGNS}){_BETWEEN}\s+(?:out|off)", r"logout\1"),
        (rf"{_SIGNS}{_BETWEEN}\s+up", r"register\1"),
        (rf"back(?:s|ed|ing)?{_BETWEEN}\s+up", r"backup\1"),
        (rf"set(?:s|ting)?{_BETWEEN}\s+up", r"setup\1"),
    )
)
# Most texts hold none of these verbs: that takes one look.
_ANY = re.compile(r"\b(?:log|sign|back|set|turn|switch)", re.IGNORECASE)


def joined(text: str) -> str:
    """`text` with these verbs as one word each."""
    if _ANY.search(text):
        for pattern, word in _PHRASES:
            text = pattern.sub(word, text)
    return text
