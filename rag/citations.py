"""Citations that the server has checked: each points into stored text, to the letter."""

from collections.abc import Iterable, Iterator, Sequence

from rag.markers import MARKER
from rag.text.sentences import split_sentences
from rag.text.stopwords import ENGLISH_STOP_WORDS
from rag.text.tokens import stem, words
from rag.types import Citation, Passage, Reference, Span, Verdict

# Shares of a sentence's terms that its source holds too.
SUPPORTED_SHARE = 0.6
WEAK_SHARE = 0.3


def verify(
    answer: str, references: Sequence[Reference], passages: Sequence[Passage]
) -> tuple[Citation, ...]:
    """The citations of `answer`: from the generator's own references, and from its markers.

    A reference or marker that points nowhere is dropped. `quote` is the sentence of the source
    that fits best, `content[source_span[0]:source_span[1]] == quote` in the passage's version.
    """
    given = [reference for reference in references if _is_sound(reference, answer, passages)]
    spoken = [
        marked
        for marked in read_markers(answer)
        if _is_sound(marked, answer, passages) and not any(_same(marked, own) for own in given)
    ]
    ordered = sorted([*given, *spoken], key=lambda item: (item.answer_span, item.ref))
    checked = (_check(answer, reference, passages[reference.ref - 1]) for reference in ordered)
    return tuple(dict.fromkeys(citation for citation in checked if citation))


def read_markers(answer: str) -> Iterator[Reference]:
    """A reference for each number of each marker: to the sentence that it stands in or behind."""
    sentences = split_sentences(answer)
    for match in MARKER.finditer(answer):
        span = _claim(answer, sentences, match.start())
        if span:
            for number in match[1].split(","):
                yield Reference(ref=int(number), answer_span=span)


def _claim(answer: str, sentences: Sequence[Span], position: int) -> Span | None:
    """The words that the marker at `position` speaks for, without markers at their ends."""
    start, end = 0, position
    for sentence in sentences:
        if sentence[0] >= position:
            break
        # "It does. [1]": the marker is a sentence of its own and means the one before.
        if MARKER.sub("", answer[sentence[0] : min(sentence[1], position)]).strip(" ."):
            start = sentence[0]
            end = min(sentence[1], position)
    while match := MARKER.match(answer, start):
        start = match.end()
    while start < end and answer[start].isspace():
        start += 1
    while start < end and (answer[end - 1].isspace() or answer[end - 1] == "]"):
        marker = answer.rfind("[", start, end) if answer[end - 1] == "]" else -1
        if answer[end - 1] == "]" and not (marker >= 0 and MARKER.fullmatch(answer, marker, end)):
            break
        end = marker if marker >= 0 else end - 1
    return (start, end) if start < end else None


def _is_sound(reference: Reference, answer: str, passages: Sequence[Passage]) -> bool:
    start, end = reference.answer_span
    return 1 <= reference.ref <= len(passages) and 0 <= start < end <= len(answer)


def _same(one: Reference, other: Reference) -> bool:
    if one.ref != other.ref:
        return False
    return one.answer_span[0] < other.answer_span[1] and other.answer_span[0] < one.answer_span[1]


def _check(answer: str, reference: Reference, passage: Passage) -> Citation | None:
    claim = answer[slice(*reference.answer_span)]
    span = reference.source_span or _best_sentence(claim, passage.text)
    quote = passage.text[slice(*span)] if span else ""
    if span is None or not quote or len(quote) != span[1] - span[0]:
        return None
    offset = passage.span[0]
    return Citation(
        ref=reference.ref,
        answer_span=reference.answer_span,
        source_span=(offset + span[0], offset + span[1]),
        quote=quote,
        verdict=judge(claim, quote, passage.text),
    )


def judge(claim: str, quote: str, context: str) -> Verdict:
    """How well the source backs the claim: the quote counts, and the passage around it."""
    if claim == quote:
        return "supported"
    asked = _terms(claim)
    if not asked:
        return "unsupported"
    share = max(_share(asked, quote), 0.9 * _share(asked, context))
    if share >= SUPPORTED_SHARE:
        return "supported"
    return "weak" if share >= WEAK_SHARE else "unsupported"


def _best_sentence(claim: str, text: str) -> Span | None:
    asked = _terms(claim)
    best: tuple[float, Span] | None = None
    for start, end in split_sentences(text):
        score = _share(asked, text[start:end])
        if best is None or score > best[0]:
            best = (score, (start, end))
    return best[1] if best else None


def _share(asked: frozenset[str], text: str) -> float:
    return len(asked & _terms(text)) / len(asked) if asked else 0.0


def _terms(text: str) -> frozenset[str]:
    return frozenset(_content_terms(words(MARKER.sub(" ", text))))


def _content_terms(found: Iterable[str]) -> Iterator[str]:
    for word in found:
        if word not in ENGLISH_STOP_WORDS:
            yield stem(word)
