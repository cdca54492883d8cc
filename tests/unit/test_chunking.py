"""Chunks: exact spans, nothing lost, headings with their sections, linear time."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.chunking import split_document

PIECES = st.sampled_from(
    ["# Title\n\n", "## Part\n\n", "### Deep\n", "Para one. Two.\n\n",
     "word " * 50 + "\n\n", "x" * 300, "- item\n", "| a | b |\n" * 30,
     "```\ncode\n\nmore\n```\n", "---\n", "\n\n", "   \n", "Setext\n===\n",
     "你好。" * 60, "Long sentence without end " * 20]
)  # fmt: skip
DOCUMENTS = st.one_of(st.text(max_size=500), st.lists(PIECES, max_size=15).map("".join))


def texts(content: str, **options: int) -> list[str]:
    return [content[chunk.start : chunk.end] for chunk in split_document(content, **options)]


@given(DOCUMENTS, st.sampled_from([(1200, 800, 120), (200, 150, 30), (50, 40, 0)]))
def test_chunks_are_ordered_trimmed_and_within_the_limit(content, sizes):
    limit, window, overlap = sizes
    chunks = split_document(content, max_chars=limit, window=window, overlap=overlap)
    for chunk in chunks:
        text = content[chunk.start : chunk.end]
        assert text
        assert text == text.strip()
        assert len(text) <= limit
    starts, ends = [c.start for c in chunks], [c.end for c in chunks]
    assert starts == sorted(set(starts))
    assert ends == sorted(set(ends))


@given(DOCUMENTS, st.sampled_from([(1200, 800, 120), (200, 150, 30), (50, 40, 0)]))
def test_every_letter_and_digit_is_in_a_chunk(content, sizes):
    limit, window, overlap = sizes
    covered: set[int] = set()
    for chunk in split_document(content, max_chars=limit, window=window, overlap=overlap):
        covered.update(range(chunk.start, chunk.end))
    assert all(i in covered for i, char in enumerate(content) if char.isalnum())


def test_sections_are_chunks_with_their_headings_and_paths():
    content = "# Guide\n\nIntro.\n\n## Tokens\n\n### Access\n\nFifteen minutes.\n\n## Mail\n\nNone."
    found = split_document(content)
    assert [(chunk.heading_path, content[chunk.start : chunk.end]) for chunk in found] == [
        (("Guide",), "# Guide\n\nIntro."),
        (("Guide", "Tokens", "Access"), "## Tokens\n\n### Access\n\nFifteen minutes."),
        (("Guide", "Mail"), "## Mail\n\nNone."),
    ]  # fmt: skip


def test_heading_with_nothing_below_joins_the_chunk_before():
    assert texts("# A\n\nText.\n\n## Empty\n") == ["# A\n\nText.\n\n## Empty"]


def test_only_headings_are_one_chunk():
    assert texts("# A\n## B\n") == ["# A\n## B"]


def test_blank_document_has_no_chunks():
    assert texts(" \n\n\t") == []


def test_small_paragraphs_are_merged_up_to_the_limit():
    content = "\n\n".join(["word " * 39 + "end."] * 8)
    assert [len(text) for text in texts(content, max_chars=450, window=400)] == [400] * 4


def test_long_paragraph_is_cut_at_sentences_with_overlap():
    content = " ".join(f"Sentence number {number} is here." for number in range(100))
    found = texts(content)
    assert all(text.startswith("Sentence") and text.endswith(".") for text in found)
    assert all(len(text) <= 1000 for text in found)
    assert all(a.split(". ")[-1] in b for a, b in pairwise(found))


def test_big_table_is_cut_between_rows():
    rows = [f"| row {number} | value |" for number in range(200)]
    lines = [line for text in texts("\n".join(rows)) for line in text.split("\n")]
    assert lines == rows


def test_code_keeps_hash_lines_that_are_no_headings():
    content = "# Run\n\n```sh\n# not a heading\nmake run\n```\n\nDone."
    assert len(split_document(content)) == 1


def test_bad_limits_are_refused():
    with pytest.raises(ValueError, match="must hold"):
        split_document("text", max_chars=100, window=200)


@pytest.mark.parametrize(
    "piece", ["word ", "x", "A sentence. ", ".", "|", "你好。", "# a\n", "- a\n", " "]
)
def test_time_grows_linearly_with_size(piece):
    content = piece * (2_000_000 // len(piece))
    begun = time.process_time()
    split_document(content)
    assert time.process_time() - begun < 20
