"""Terms agree with SQLite's FTS5; queries lose their small words; other scripts get n-grams."""

import sqlite3

import pytest

from rag.text.tokens import (
    char_ngrams,
    index_terms,
    looks_english,
    query_terms,
    query_words,
)

TOKENIZER = "porter unicode61 categories 'L* N* Co Mn Mc' remove_diacritics 2"
TEXTS = [
    "The technologies were assembled, possibly irreversibly, in Zürich; naïve façades.",
    "Set `EMAIL_USE_TLS=1` and open /api/docs/ (see manage.py, v1.2.3, it's fine).",
    "5 µm of κόκκινα αυγά, клеїти, ภาษาไทย, हिन्दी में, 日本語のテキスト, العربية",
    "Methodology, assemblies, running, ran, flies, dying, generously, relational, conditional",
]


def fts5_terms(text: str) -> list[str]:
    database = sqlite3.connect(":memory:")
    database.execute(f'create virtual table d using fts5(t, tokenize="{TOKENIZER}")')
    database.execute("create virtual table v using fts5vocab(d, 'instance')")
    database.execute("insert into d values (?)", (text,))
    return [term for (term,) in database.execute('select term from v order by "offset"')]


@pytest.mark.parametrize("text", TEXTS)
def test_index_terms_are_those_of_fts5(text):
    assert index_terms(text) == fts5_terms(text)


def test_query_leaves_small_words_and_repetitions_out():
    assert query_terms("How do I delete the tokens and a token?") == ["delet", "token"]


def test_query_leaves_out_what_is_said_around_it():
    question = "Hello, I was just wondering whether it is actually possible to rename a chat!"
    assert query_terms(question) == ["renam", "chat"]


def test_query_of_small_words_only_keeps_them():
    assert query_terms("Who are you?") == ["who", "ar", "you"]


def test_query_of_nothing_is_empty():
    assert query_terms(" ?! ") == []


def test_code_falls_into_its_words():
    assert query_terms("JWT_ACCESS_MINUTES") == ["jwt", "access", "minut"]


def test_ngrams_are_four_characters_and_two_in_cjk():
    assert char_ngrams("Backup of") == ["back", "acku", "ckup", "of"]
    assert char_ngrams("東京都") == ["東京", "京都"]


@pytest.mark.parametrize(
    "text",
    ["How do I log in?", "token refresh", "What is a naïve café?", "Warsaw", "refund policy", ""],
)
def test_english_looks_english(text):
    assert looks_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "Wie lange ist ein Token gültig?", "Comment puis-je supprimer mon compte ?",
        "¿Cómo puedo borrar mi cuenta?", "Как удалить аккаунт?", "如何删除我的帐户？",
        "Wo finde ich die Dokumentation?", "Come posso cancellare il mio account?",
        "Cum pot să îmi șterg contul?", "ฉันจะลบบัญชีได้อย่างไร", "Hesabımı nasıl silerim?",
    ],
)  # fmt: skip
def test_other_languages_do_not(text):
    assert not looks_english(text)


def test_e_of_e_mail_is_no_word_of_a_query():
    assert query_words("How do I change my e-mail address?") == ["change", "mail", "address"]
    assert "e" in query_words("what is vitamin e good for")
