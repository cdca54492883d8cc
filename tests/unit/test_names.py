"""Names in a question that no passage speaks of (`rag.text.names`, `rag.retrieval.trust`)."""

import pytest

from rag.fusion import Calibration
from rag.retrieval.legs import Legs
from rag.retrieval.trust import judge
from rag.text.names import names_elsewhere
from rag.types import Passage
from tests.providers import make_passage

PASSWORDS = "Reset a forgotten password by sending your e-mail address."


@pytest.mark.parametrize(
    ("question", "passage", "names"),
    [
        ("How do I reset my Gmail password?", PASSWORDS, {"gmail"}),
        ("how do i reset my iphone", PASSWORDS, {"iphone"}),
        # No name, or one that nothing here knows.
        ("How do I reset my password?", PASSWORDS, set()),
        ("How do I reset my Docent password?", PASSWORDS, set()),
        # A passage speaks of it, by its name, by its kin or by what it is.
        ("Can I log in with GitHub?", "There is no login with GitHub.", set()),
        ("Is the code on GitHub?", "Clone it with git.", set()),
        ("Does it work on macOS?", "It runs on a Mac.", set()),
        ("Can I use it on my iPhone?", "It has no app for phones.", set()),
        ("Does it work on my iPhone?", "It runs on iOS and Android.", set()),
        ("Does it work with MySQL?", "The database is SQLite or PostgreSQL.", set()),
        ("Can backups go to Amazon?", "They may lie in any S3 bucket.", set()),
        ("How long are the rate limit windows?", "A window is a minute.", set()),
        # A word that begins a name is no kin of it.
        ("How do I export from Outlook?", "Look out.", {"outlook"}),
        ("How do I zoom in?", "Use the magnifier.", set()),
        # One of several is enough.
        ("Does it run on Windows or Linux in VirtualBox?", "It runs on Windows.", set()),
    ],
)
def test_names_that_no_passage_speaks_of(question: str, passage: str, names: set[str]) -> None:
    assert names_elsewhere(question, ["Something else.", passage]) == names


def trust(question: str, passage: Passage) -> tuple[float, str]:
    return judge(question, [passage], Legs(can_rerank=True), Calibration())


def test_an_answer_about_another_program_is_declined_however_well_the_rest_fits() -> None:
    passage = make_passage(text=PASSWORDS)

    sure, mode = trust("How do I reset my password?", passage)
    elsewhere, declined = trust("How do I reset my Gmail password?", passage)

    assert (mode, declined) == ("grounded", "general")
    assert elsewhere == pytest.approx(0.97 * 0.4 * sure)


def test_it_is_declined_at_any_threshold() -> None:
    passage = make_passage(text=PASSWORDS)

    found = judge(
        "How do I reset my Gmail password?",
        [passage],
        Legs(can_rerank=True),
        Calibration(decline_below=0.2),
    )

    assert found[1] == "general"
