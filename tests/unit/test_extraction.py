"""Extraction: exact spans, the right sentence, prose before headings, rows when they answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.extraction import extract_answer
from rag.reader import Reader, get_reader

READER = get_reader()
TOKENS = (
    "## How long do tokens live?\n\nDocent signs every token. An access token lives 15 minutes. "
    "A refresh token lives 7 days.\n\n| setting | default |\n|---|---|\n"
    "| JWT_ACCESS_MINUTES | 15 |\n| CHAT_RETENTION_DAYS | 30 |\n"
)
GRAIN = "Wheat prices rose by a tenth last year. Rye was cheap, as it often is."


def quotes(question: str, passages: list[str], **options: object) -> list[str]:
    found = extract_answer(question, passages, reader=READER, **options)
    return [passages[one.passage][one.start : one.end] for one in found]


def test_best_sentence_comes_first_word_for_word():
    found = quotes("How long does an access token live?", [TOKENS, GRAIN])
    assert found[0] == "An access token lives 15 minutes."


def test_better_passage_wins_over_the_first_one():
    assert quotes("What did wheat prices do?", [TOKENS, GRAIN])[0].startswith("Wheat prices")


def test_passage_that_the_search_found_to_fit_less_is_quoted_less():
    copies = ["A token lives 15 minutes. So it is.", "A token lives 7 days. So it is."]
    near, far = [[0.8, gap] for gap in (0.79, 0.2)]
    assert len(quotes("How long does a token live?", copies, matches=near)) == 2
    assert quotes("How long does a token live?", copies, matches=far) == [
        "A token lives 15 minutes."
    ]


def test_question_that_leans_back_is_answered_with_what_it_leans_on():
    text = "A refresh token is a secret. A refresh token lives 7 days. Keep a refresh token safe."
    leans_on = [("How long does an access token live?", 0.25)]
    assert quotes("And a refresh token?", [text], leans_on=leans_on)[0] == (
        "A refresh token lives 7 days."
    )


def test_how_to_question_wants_a_call_or_a_command():
    text = "The error logs are read daily. The error logs are read with `manage.py logs`."
    assert quotes("How do I read the error logs?", [text])[0].endswith("`manage.py logs`.")


def test_table_row_that_answers_is_quoted_whole():
    found = quotes("What is the default of CHAT_RETENTION_DAYS?", [TOKENS])
    assert found[0] == "| CHAT_RETENTION_DAYS | 30 |"


def test_heading_is_not_quoted_where_there_is_more():
    found = quotes("How long do tokens live?", [TOKENS], max_sentences=5)
    assert "How long do tokens live?" not in found


def test_heading_alone_is_quoted():
    assert quotes("tokens", ["# Tokens"]) == ["Tokens"]


def test_without_vectors_words_decide():
    blind = Reader(lambda texts: np.zeros((len(texts), 4), dtype=np.float32), 4)
    question = "How long does an access token live?"
    found = extract_answer(question, [GRAIN, TOKENS], reader=blind)
    assert TOKENS[found[0].start : found[0].end] == "An access token lives 15 minutes."


@pytest.mark.parametrize("passages", [[], [""], ["  \n\n"], ["---"]])
def test_nothing_to_quote_gives_nothing(passages):
    assert extract_answer("question", passages, reader=READER) == []


def test_number_is_limited():
    assert len(quotes("token", [TOKENS], max_sentences=1)) == 1
    assert len(quotes("token", [TOKENS], max_sentences=3)) <= 3


@settings(deadline=None, max_examples=80)
@given(st.text(max_size=60), st.lists(st.text(max_size=200), max_size=4))
def test_spans_are_exact_and_scores_descend(question, passages):
    found = extract_answer(question, passages, reader=READER, max_sentences=3)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        quote = passages[one.passage][one.start : one.end]
        assert quote
        assert quote == quote.strip()


LOGOUT = (
    "## How do I log out?\n\nAlso asked: How do I sign out? Where is the exit?\n\n"
    "Send `POST /api/auth/logout/` with the token. It answers 204.\n\n"
    "## What is logged?\n\nThe log holds ids and the times of each sign and exit.\n"
)


def test_question_that_a_section_answers_lifts_its_first_sentence():
    for question in ("how do I sign out", "where is the exit?", "how do I log out?"):
        assert quotes(question, [LOGOUT, GRAIN])[0].startswith("Send `POST /api/auth/logout/`")


def test_sentence_is_searched_for_a_verb_with_its_small_word():
    text = "To go out, log the phone out of it. To go in, log in with the phone."
    assert quotes("How do I log in to the phone?", [text])[0].startswith("To go in")


def test_heading_above_a_chunk_counts_as_its_own():
    texts = ["Ask for a link. It comes by mail.", "Ask for a form. It comes by mail."]
    found = quotes("I lost my key", texts, headings=["How do I move?", "What if I lost my key?"])
    assert found[0] == "Ask for a form."


def test_question_is_never_quoted_beside_an_answer():
    assert not any("?" in quote for quote in quotes("sign out", [LOGOUT], max_sentences=5))


def test_question_alone_is_quoted():
    assert quotes("exit", ["Where is the exit?"]) == ["Where is the exit?"]


def test_three_sections_that_fit_about_as_well_are_all_quoted():
    texts = ["Ask for a form.", "Send the old card back.", "A new card is sent by mail."]
    above = ["What if I lost my key?", "My key is lost: what do I do?", "I lost my key: who helps?"]
    assert sorted(quotes("I lost my key: what now?", texts, headings=above)) == sorted(texts)


def test_far_sentence_is_left_out_beside_one_that_answers_the_very_question():
    lead = "To log out of all devices, run `logout --all`."
    text = f"## How do I log out of all devices?\n\n{lead} The log of all devices is kept."
    assert quotes("how do I log out of all devices?", [text]) == [lead]


def test_second_sentence_does_not_repeat_the_first():
    twice = "A token lives 15 minutes. Each token lives 15 minutes."
    assert len(quotes("How long does a token live?", [twice])) == 1


def test_weak_sentence_of_another_section_is_left_out():
    found = quotes("How long does an access token live?", [TOKENS, GRAIN])
    assert not any(quote in GRAIN for quote in found)
