"""When two spellings are one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from users.identity import KEY_CHARS, caseless, email_key, username_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada", "ADA"),
        ("straße", "STRASSE"),
        ("é", "e\u0301"),
        ("ﬁne", "FINE"),
        ("ΐ", "ι\u0308\u0301"),
        ("ﬀ", "FF"),
        ("Ⅷ", "viii"),
        ("ſ", "s"),
        ("K", "k"),
        ("Å", "å"),
        ("ﾊﾞ", "バ"),
        ("Σας", "σασ"),
    ],
)
def test_these_are_one_name(one, other):
    assert username_key(one) == username_key(other)


@pytest.mark.parametrize(("one", "other"), [("ada", "adа"), ("ı", "i"), ("ada", "ada1")])
def test_these_are_two_names(one, other):
    assert username_key(one) != username_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.com", "ada@EXAMPLE.COM"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@bücher.example"),
        ("ada@example.com.", "ada@example.com"),
        ("ada@ｅxample.com", "ada@example.com"),
    ],
)
def test_these_are_one_address(one, other):
    assert email_key(one) == email_key(other)


@given(st.text(max_size=300))
def test_a_key_is_stable_and_fits_its_column(text):
    key = caseless(text)
    assert caseless(key) == key
    assert len(username_key(text)) <= KEY_CHARS
    assert len(email_key(text)) <= KEY_CHARS


# Turkish i's are letters of their own, whatever str.upper makes of them.
LETTERS = st.characters(categories=["L", "N"], exclude_characters="ıİ")


@given(st.text(alphabet=LETTERS, max_size=40))
def test_case_never_makes_a_second_name(text):
    assert username_key(text) == username_key(text.upper()) == username_key(text.lower())
