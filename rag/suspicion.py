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

# What gives an order, each after words of which one at least must be there: looking for those
# takes a fiftieth of the time. Read in lower case.
_ORDERS: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (hints, re.compile(pattern, re.VERBOSE))
    for hints, pattern in (
        (
            ("ignore", "disregard", "forget", "override", "bypass"),
            r"""\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}
            \b(?:previous|prior|above|earlier|all|your|these|those|system|everything)\b.{0,40}
            \b(?:instructions?|rules?|prompts?|directions?|guidelines?|commands?|told|above)\b""",
        ),
        (
            ("instruction", "order", "directive", "task"),
            r"""\b(?:new|updated|real|actual|hidden|secret)\ (?:system\ )?
            (?:instruction|order|directive|task)""",
        ),
        (("you are no",), r"\byou\ are\ (?:now|no\ longer)\b"),
        (("from now on",), r"\bfrom\ now\ on\b.{0,40}\byou\b"),
        (
            ("act as ",),
            r"\bact\ as\ (?:if\ you|an?\ (?:\w+\ )?(?:ai|assistant|model|bot|hacker|admin)\b)",
        ),
        (("pretend ",), r"\bpretend\ (?:to\ be|that\ you|you)\b"),
        (("roleplay", "role-play"), r"\brole-?play\b"),
        (
            (" prompt", " override", " mode"),
            r"\b(?:system|developer|admin)\ (?:prompt|override|mode)\b",
        ),
        (
            ("<",),
            r"<\|?/?(?:im_start|im_end|system|assistant|inst|endoftext|sys)\|?>|<<<\ ?(?:end|data)",
        ),
        (("[",), r"\[/?(?:inst|sys|system)\]"),
        (
            ("reveal", "print", "repeat", "output", "leak", "disclose", "expose"),
            r"""\b(?:reveal|print|repeat|output|leak|disclose|expose)\b.{0,60}
            \b(?:your\ (?:prompt|instructions|rules)|api[ _-]?keys?|passwords?|credentials)\b""",
        ),
        (
            ("jailbreak", "do anything now", "god mode", "prompt injection"),
            r"\b(?:jailbreak|do\ anything\ now|god\ mode|prompt\ injection)\b",
        ),
        (
            ("end of ", "ning of ", "begin of "),
            r"""\b(?:end|begin)(?:ning)?\ of\ (?:documents?|contexts?|sources?|data|prompts?)\b""",
        ),
        (
            ("you read", "you see", "you are asked", "the user asks"),
            r"""\b(?:when|if)\ (?:you\ (?:read|see|are\ asked)|the\ user\ asks)\b.{0,80}
            \b(?:say|answer|reply|respond|write|tell)\b""",
        ),
        (
            ("attention", "important", "urgent", "dear", "hey", "note", "message", "todo"),
            r"""\b(?:attention|important|urgent|dear|hey|note|message|todo)\b.{0,20}
            \b(?:ai|llm|language\ model|chatbot|gpt|claude|mistral)\b""",
        ),
        (("the assistant ",), r"\bthe\ assistant\ (?:must|has\ to|shall|should)\b"),
        (("![",), r"!\[[^\]]*\]\(https?://[^)]*[?&=][^)]*\)"),
        (
            ("ignor",),
            r"""\bignor(?:iere|ieren|er|a|e[zs])\b.{0,60}
            (?:anweisung|instruction|instruccion|istruzion)""",
        ),
        (("忽略", "指示"), r"忽略.{0,20}指示|指示.{0,10}無視"),
    )
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
    if _gives_orders(" ".join(visible.split())):
        return True
    return bool(_ROLE.search(visible) or _ENCODED.search(visible))


def _gives_orders(line: str) -> bool:
    # The two letters that are an "i" where case is ignored, and would not be in lower case.
    lower = line.replace("İ", "i").replace("ı", "i").lower()
    for hints, pattern in _ORDERS:
        for hint in hints:
            if hint in lower:
                if pattern.search(lower):
                    return True
                break
    return False


def _without_invisible(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) != "Cf")
