"""The excerpt that a search of messages shows."""

from hypothesis import given
from hypothesis import strategies as st

from chat.services.highlights import MAX_CHARS, highlight


def test_words_with_the_same_stem_are_marked_and_the_rest_is_escaped():
    text = "Is <b>rotation</b> of refresh tokens on?"

    assert highlight(text, "rotations token") == (
        "Is &lt;b&gt;<mark>rotation</mark>&lt;/b&gt; of refresh <mark>tokens</mark> on?"
    )


def test_excerpt_begins_near_the_first_word_found():
    text = "word " * 100 + "needle " + "word " * 100

    excerpt = highlight(text, "needle")

    assert excerpt.startswith("…word")
    assert "<mark>needle</mark>" in excerpt
    assert excerpt.endswith("word…")


@given(st.text(max_size=600), st.text(max_size=20))
def test_no_text_can_bring_its_own_markup(text, query):
    excerpt = highlight(text, query).replace("<mark>", "").replace("</mark>", "")

    assert "<" not in excerpt
    assert ">" not in excerpt


@given(st.text(alphabet="ab ", min_size=1, max_size=900))
def test_excerpt_is_short(text):
    plain = highlight(text, "a").replace("<mark>", "").replace("</mark>", "")

    assert len(plain) <= MAX_CHARS + 2
