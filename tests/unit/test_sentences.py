"""Sentences: where they end, in prose, in Markdown and in other scripts."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.sentences import split_sentences

MARKDOWN_PIECES = st.sampled_from(
    ["# Title\n", "## A part\n\n", "- item one. More.\n", "1. first\n", "| a | b |\n",
     "|---|---|\n", "```\ncode. line\n```\n", "> quoted. text\n", "Dr. Who came. He left.\n",
     "v1.2.3 and /api/docs/.\n", "\n", "  ", "你好。再见！", "ก" * 80 + " ", "e.g. this",
     "`a. B`", "!!! ", "...", "---\n", "word "]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=300), st.lists(MARKDOWN_PIECES, max_size=20).map("".join))


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith met J. R. Jones, e.g. twice. Then left.", 2),
        ("It costs 3.14 euros. See https://example.com/a.b?c=d. Done.", 3),
        ("Open `/api/docs/`. Edit manage.py. Then run `make run`.", 3),
        ("The U.S. market etc. grew. It fell.", 2),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("Set `A. B` first. Then go.", ["Set `A. B` first.", "Then go."]),
        ("Wait... what? Yes.", ["Wait... what?", "Yes."]),
        ("A line\nbroken in two. And more.", ["A line\nbroken in two.", "And more."]),
    ],
)
def test_prose_is_split_at_sentence_ends_only(text, expected):
    found = sentences(text)
    assert len(found) == expected if isinstance(expected, int) else found == expected


def test_markdown_blocks_are_units_of_their_own():
    text = (
        "# Limits\n\nIntro one. Intro two.\n- first item\n- second. Longer\n  goes on.\n\n"
        "| name | value |\n|---|---|\n| page | 20 |\n\n```sh\nmake run\n# two. lines\n```\nEnd"
    )
    assert sentences(text) == [
        "Limits", "Intro one.", "Intro two.", "first item", "second.", "Longer\n  goes on.",
        "| name | value |", "| page | 20 |", "make run", "# two. lines", "End",
    ]  # fmt: skip


def test_setext_heading_is_one_unit():
    assert sentences("Title here\n==========\nBody one. Body two.")[1:] == [
        "Body one.",
        "Body two.",
    ]


def test_chinese_and_japanese_need_no_blank():
    assert sentences("你好。世界很大！是吗？对") == ["你好。", "世界很大！", "是吗？", "对"]


def test_thai_is_cut_at_blanks_once_long():
    phrase = "ประเทศไทยมีระบอบการปกครองแบบประชาธิปไตยอันมีพระมหากษัตริย์ทรงเป็นประมุข"
    assert sentences(f"{phrase} {phrase}") == [phrase, phrase]


def test_hindi_and_arabic_ends_are_known():
    assert len(sentences("यह एक वाक्य है। यह दूसरा है।")) == 2
    assert len(sentences("هل هذا صحيح؟ نعم.")) == 2


@given(TEXTS)
def test_spans_are_ordered_trimmed_and_disjoint(text):
    previous = 0
    for start, end in split_sentences(text):
        assert previous <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        previous = end


@given(st.text(alphabet="ab. !?,\nÄ你。", max_size=200))
def test_every_letter_of_prose_is_in_a_sentence(text):
    covered = {i for start, end in split_sentences(text) for i in range(start, end)}
    assert all(i in covered for i, char in enumerate(text) if char.isalnum())


@pytest.mark.parametrize("piece", [". ", ".", "word ", "a.b", "`", '."', "` . ", "|", "ก ", "\n"])
def test_time_grows_linearly_with_one_long_line(piece):
    text = piece * (400_000 // len(piece))
    begun = time.process_time()
    split_sentences(text)
    assert time.process_time() - begun < 5
