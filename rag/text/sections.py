"""A passage as sections: a heading, the questions it answers, and what it says."""

from dataclasses import dataclass

from rag.text.blocks import CODE, HEADING, TABLE
from rag.text.questions import bare_question, is_question
from rag.text.sentences import sentences_with_kinds


@dataclass(frozen=True, slots=True)
class Sentence:
    """`passage[start:end] == text`; `is_lead`: the first that its section says.

    `section` is the place of its section, `has_heading` whether that has one.
    """

    start: int
    end: int
    kind: str
    text: str
    section: int
    has_heading: bool
    is_lead: bool


@dataclass(slots=True)
class Section:
    """`questions` are those that it says it answers: its heading, and sentences that ask."""

    heading: str
    questions: list[str]
    has_lead: bool = False


def read_sections(passage: str, above: str) -> tuple[list[Section], list[Sentence], list[Sentence]]:
    """The sections of `passage`, with the heading `above` it; what it says, and what it asks."""
    # A chunk without a heading of its own goes on with a section that has begun before.
    sections = [Section(above, [above] if above else [], has_lead=bool(above))]
    said: list[Sentence] = []
    asked: list[Sentence] = []
    for (start, end), kind in sentences_with_kinds(passage):
        text = passage[start:end]
        if kind == HEADING:
            sections.append(Section(text, [text]))
        section = sections[-1]
        asks = kind == HEADING or is_question(text)
        if asks and kind != HEADING:
            section.questions.append(bare_question(text))
        is_lead = not asks and not section.has_lead and kind not in (CODE, TABLE)
        section.has_lead = section.has_lead or is_lead
        (asked if asks else said).append(
            Sentence(start, end, kind, text, len(sections) - 1, bool(section.heading), is_lead)
        )
    return sections, said, asked
