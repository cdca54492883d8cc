"""Text that speaks to a model instead of a reader: flagged at ingestion, for staff to look at.

A flag takes nothing out of any answer: what protects is the fence (`rag.prompts`). It tells
staff where somebody may have tried, so a few false alarms cost less than a miss.
"""

import re
import unicodedata

MAX_CHARS_READ = 20_000
# A run of base64 this long is no word of any language.
MIN_ENCODED_CHARS = 120
# Characters that show nothing: more than this many, and more than one in 200, hide something.
MAX_INVISIBLE = 3

_ORDERS = re.compile(
    r"""
    \b(?:ignore|disregard|forget|override|bypass)\b.{0,40}
        \b(?:previous|prior|above|earlier|all|your|these|those|system|everything)\b.{0,40}
        \b(?:instructions?|rules?|prompts?|directions?|guidelines?|commands?|told|above)\b
    | \b(?:new|updated|real|actual|hidden|secret)\ (?:system\ )?(?:instruction|order|directive|task)
    | \byou\ are\ (?:now|no\ longer)\b | \bfrom\ now\ on\b.{0,40}\byou\b
    | \bact\ as\ (?:if\ you|an?\ (?:\w+\ )?(?:ai|assistant|model|bot|hacker|admin)\b)
    | \bpretend\ (?:to\ be|that\ you|you)\b | \brole-?play\b
    | \b(?:system|developer|admin)\ (?:prompt|override|mode)\b
    | <\|?/?(?:im_start|im_end|system|assistant|inst|endoftext|sys)\|?> | \[/?(?:inst|sys|system)\]
    | \b(?:reveal|print|repeat|output|leak|disclose|expose)\b.{0,60}
        \b(?:your\ (?:prompt|instructions|rules)|api[ _-]?keys?|passwords?|credentials)\b
    | \b(?:jailbreak|do\ anything\ now|god\ mode|prompt\ injection)\b
    | \b(?:end|begin)(?:ning)?\ of\ (?:documents?|contexts?|sources?|data|prompts?)\b
    | <<<\ ?(?:end|data)
    | \b(?:when|if)\ (?:you\ (?:read|see|are\ asked)|the\ user\ asks)\b.{0,80}
        \b(?:say|answer|reply|respond|write|tell)\b
    | \b(?:attention|important|urgent|dear|hey|note|message|todo)\b.{0,20}
        \b(?:ai|llm|language\ model|chatbot|gpt|claude|mistral)\b
    | \bthe\ assistant\ (?:must|has\ to|shall|should)\b
    | !\[[^\]]*\]\(https?://[^)]*[?&=][^)]*\)
    | \bignor(?:iere|ieren|er|a|e[zs])\b.{0,60}(?:anweisung|instruction|instruccion|istruzion)
    | 忽略.{0,20}指示 | 指示.{0,10}無視
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ROLE = re.compile(
    r"^\W*(?:system|assistant|human|ai|developer)\s*[:>\]]", re.IGNORECASE | re.MULTILINE
)
_ENCODED = re.compile(rf"[A-Za-z0-9+/]{{{MIN_ENCODED_CHARS},}}={{0,2}}")


def is_suspicious(text: str) -> bool:
    """Does `text` give orders to a model, hide characters, or carry something encoded?"""
    plain = unicodedata.normalize("NFKC", text[:MAX_CHARS_READ])
    visible = plain if plain.isascii() else _without_invisible(plain)
    invisible = len(plain) - len(visible)
    if invisible > max(MAX_INVISIBLE, len(plain) // 200):
        return True
    found = _ORDERS.search(" ".join(visible.split())) or _ROLE.search(visible)
    return bool(found or _ENCODED.search(visible))


def _without_invisible(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) != "Cf")
