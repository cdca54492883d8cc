"""What is kept of chunks: by what they say, within a bound, the same as read anew."""

import re
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import reader as reader_module
from rag.reader import Reader, get_reader
from rag.text.letters import LetterIndex
from rag.text.tokens import words
from rag.text.vocabulary import Vocabulary, distinct
from rag.units import _ROUGH_SENTENCE_END
from rag.vendors.local_model import get_local_model

MODEL = get_local_model()
CHUNK = ("Tokens > How long do they live?", "A token lives 15 minutes. Another lives 7 days.")


@pytest.fixture
def reader() -> Reader:
    return Reader(MODEL.embed, MODEL.dimension)


def test_chunk_is_read_once(reader):
    assert reader.units([CHUNK])[0] is reader.units([tuple(CHUNK)])[0]
    assert reader.statements([CHUNK])[0] is reader.statements([CHUNK])[0]


def test_questions_are_kept_in_half_precision(reader):
    units, statements = reader.units([CHUNK])[0], reader.statements([CHUNK])[0]
    assert units.questions.dtype == statements.questions[0].dtype == np.float16


def test_one_letter_more_is_another_chunk(reader):
    headings, text = CHUNK
    changed = [(headings, text + "!"), (headings + "!", text)]
    assert all(one is not reader.units([CHUNK])[0] for one in reader.units(changed))


def test_old_chunks_make_room(reader, monkeypatch):
    monkeypatch.setattr(reader._units, "_max_bytes", 4_000)
    first = reader.units([CHUNK])[0]
    reader.units([("Title", f"Text number {number}.") for number in range(20)])
    assert reader._units._bytes <= 4_000
    assert reader.units([CHUNK])[0] is not first


def test_full_vocabulary_is_begun_anew(monkeypatch):
    monkeypatch.setattr(reader_module, "_reader", None)
    before = get_reader()
    assert get_reader() is before
    before.words.number([f"word{number}" for number in range(20_000)])  # more than it should hold
    assert get_reader() is not before
    assert len(before.units([CHUNK])[0].words) == 15  # whoever has the old one goes on with it


def test_words_keep_their_numbers():
    vocabulary = Vocabulary(MODEL.embed, MODEL.dimension)
    first = vocabulary.number(["token", "lives", "token"])
    assert first.tolist() == [0, 1, 0]
    assert vocabulary.number(["new", "lives"]).tolist() == [2, 1]


def test_asking_teaches_no_words():
    vocabulary = Vocabulary(MODEL.embed, MODEL.dimension)
    numbers = vocabulary.number(["token"])
    likeness = vocabulary.likeness(numbers, ["qwertz", "token"])
    assert len(vocabulary) == 1
    assert likeness[0].tolist() == pytest.approx([0.0, 1.0], abs=0.4)
    assert likeness[0, 1] == pytest.approx(1.0, abs=1e-3)


def test_likeness_of_many_words_is_that_of_each():
    vocabulary = Vocabulary(MODEL.embed, MODEL.dimension)
    words = [f"word{number}" for number in range(600)]
    together = vocabulary.likeness(vocabulary.number(words), ["token", "word7"])
    alone = [
        vocabulary.likeness(vocabulary.number([word]), ["token", "word7"])[0] for word in words
    ]
    assert np.allclose(together, alone, atol=1e-6)


def test_stems_lead_to_their_places():
    vocabulary = Vocabulary(MODEL.embed, MODEL.dimension)
    numbers = vocabulary.number(["living", "token", "lives"])
    assert vocabulary.stems_among(["never", "live"], numbers).tolist() == [1, -1, 1]


def test_threads_learn_the_same_words():
    vocabulary = Vocabulary(MODEL.embed, MODEL.dimension)
    words = [f"word{number}" for number in range(300)]
    found: list[dict[str, int]] = []

    def learn(shift: int) -> None:
        own = words[shift:] + words[:shift]
        numbers = [int(vocabulary.number([word])[0]) for word in own]
        found.append(dict(zip(own, numbers, strict=True)))

    threads = [threading.Thread(target=learn, args=(50 * shift,)) for shift in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == found[2] == found[3]
    assert sorted(found[0].values()) == list(range(300))


@given(st.lists(st.text(max_size=8), min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_letter_overlap_is_dices_coefficient(words, term):
    index = LetterIndex()
    index.add(words[:3])
    index.add(words[3:])
    own = _trigrams(term)
    expected = [2 * len(own & (b := _trigrams(one))) / (len(own) + len(b)) for one in words]
    assert index.overlap(term).tolist() == pytest.approx(expected)


@given(st.lists(st.integers(0, 30), max_size=40))
def test_distinct_numbers_and_their_places(numbers):
    array = np.array(numbers, dtype=np.int32)
    found, places = distinct(array, 31)
    assert found.tolist() == sorted(set(numbers))
    assert found[places].tolist() == numbers


def _trigrams(word: str) -> set[str]:
    padded = f"^{word}$"
    return {padded[at : at + 3] for at in range(len(padded) - 2)}


@given(st.text(alphabet="ab .!?\n\t3", max_size=40))
def test_rough_sentences_end_at_a_mark_with_a_blank_and_at_lines(text):
    expected = [words(part) for part in re.split(r"(?<=[.!?])\s+|\n+", text)]
    found = [words(part) for part in _ROUGH_SENTENCE_END.split(text)]
    assert list(filter(None, found)) == list(filter(None, expected))
