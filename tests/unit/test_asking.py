"""Which part of a message asks (`rag.text.asking`), and what a search makes of it."""

import pytest

from rag.followups import SAID_SHARE, SAID_WEIGHT, contextualize
from rag.text.asking import MAX_CHARS, part_that_asks
from rag.text.tokens import query_terms, words


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("Hi there, a question from our team lead Anna: how long does a token live?", "how long"),
        ("Hello! I'm new here. How do I upload a PDF?", "How do I upload"),
        ("Sorry if this is stupid, but where do I see the API documentation?", "where do I see"),
        ("The kid spilled coffee, anyway, how do I delete my account?", "how do I delete"),
        ("I tried all I could think of: why do I get a 401?", "why do I get a 401?"),
        ("As a frontend developer using Vue 3, how do I read the events?", "how do I read"),
        ("We are 40 people in Berlin, and I wonder whether backups are encrypted?", "whether back"),
        ("My manager wants to know how many requests a user may send.", "how many requests"),
        ("Just curious: who decides which passages are seen?", "who decides"),
        ("Are backups encrypted? My boss Mr. Smith is very strict.", "Are backups encrypted?"),
        ("How do I stop an answer that is written? I asked for too much.", "How do I stop an"),
        ("What a day - how many login attempts am I allowed per minute?", "how many login"),
        ("The mail never came to me, so how can I get the mail sent again to me?", "how can I"),
        ("I have no clue how the signing key is replaced, and Bob is waiting.", "how the signing"),
        ("Is a gateway needed? I am asking for Jo, who has ten years of files.", "Is a gateway"),
        ("I work at the bank. Is the database encrypted by default?", "Is the database"),
        ("My name is Ada: within how many days is a backup deleted?", "within how many"),
        ("I run PostgreSQL. Which versions are supported?", "Which versions"),
    ],
)
def test_what_is_told_beside_the_question_is_told_apart(message: str, asked: str) -> None:
    found = part_that_asks(message)

    assert found.asked.startswith(asked)
    assert found.asked in message
    assert found.said
    assert set(words(found.said)) <= set(words(message))


@pytest.mark.parametrize(
    "message",
    [
        "How long does a token live?",
        "token lifetime",
        "Tell me about backups.",
        "",
        # The question leans on what stands before it, or is too short to be asked alone.
        "I have 12,000 Word files. How do I index them all?",
        "I forgot my password. Can you help me?",
        "All requests are answered with 429. What does that mean?",
        "The refresh token, how many days?",
        "Two tabs refresh at once. How does the server handle that?",
        "In which order are they sent? What are they?",
        # A condition is asked too, and so is what stands before "and".
        "If I delete a session, what happens to the messages?",
        "Besides PDF, which file formats can I upload?",
        "What does it cost per month, and how can I keep the bill down?",
        "How do I log in? And where do I see my sessions?",
        # Initials and abbreviations end nothing.
        "What year did Robert J. Shiller win the prize?",
        "What level of mobility does the U.S. economy have?",
    ],
)
def test_all_of_it_asks_where_nothing_can_be_told_apart(message: str) -> None:
    assert part_that_asks(message) == (message, "")


def test_search_is_for_what_is_asked_and_little_for_the_rest() -> None:
    said = "Hello, I am new here and my colleague Bob from accounting sent me to this machine:"
    asked = "how do I upload a PDF?"

    found = contextualize(f"{said} {asked}", ["How long does a token live?"])

    question, rest, before = found.turns
    assert (question.text, question.weight) == (asked, 1.0)
    assert rest.text == said
    weights = len(query_terms(said)) * rest.weight
    assert weights == pytest.approx(SAID_SHARE * len(query_terms(asked)))
    assert rest.weight < SAID_WEIGHT
    assert before.text == "How long does a token live?"
    assert found.text.startswith(f"{said} {asked}")


def test_long_text_is_no_question_with_a_preface() -> None:
    text = "Some words of a long text. " * (MAX_CHARS // 20)

    assert part_that_asks(f"{text}How do I upload a PDF?").said == ""
