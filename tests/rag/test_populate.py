"""`manage.py populate_documents` and `manage.py ask`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from rag.models import Document

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "faq").mkdir()
    (tmp_path / "policies" / "refunds.md").write_text("# Refunds\n\nReturn goods in 30 days.")
    (tmp_path / "faq" / "opening.txt").write_text("The office opens at nine.")
    (tmp_path / "plain.html").write_text("<h1>Parking</h1><p>Behind the house.</p>")
    return tmp_path


def populate(folder, capsys, **options):
    call_command("populate_documents", folder, json=True, **options)
    return json.loads(capsys.readouterr().out)


def test_files_are_indexed_under_their_paths_and_categories(folder, capsys):
    summary = populate(folder, capsys)

    assert summary["added"] == ["plain.html", "faq/opening.txt", "policies/refunds.md"]
    rows = Document.objects.order_by("source").values_list("source", "category", "title", "status")
    assert list(rows) == [
        ("faq/opening.txt", "faq", "Opening", "ready"),
        ("plain.html", "guide", "Plain", "ready"),
        ("policies/refunds.md", "policy", "Refunds", "ready"),
    ]


def test_unchanged_files_are_skipped(folder, capsys):
    populate(folder, capsys)

    summary = populate(folder, capsys)

    assert (summary["added"], summary["updated"], len(summary["unchanged"])) == ([], [], 3)


def test_changed_file_is_a_new_version(folder, capsys):
    populate(folder, capsys)
    (folder / "faq" / "opening.txt").write_text("The office opens at ten.")

    assert populate(folder, capsys)["updated"] == ["faq/opening.txt"]
    document = Document.objects.get(source="faq/opening.txt")
    assert document.current_version.number == 2
    assert document.current_version.content == "The office opens at ten."


def test_missing_file_is_reported_and_pruned_when_asked(folder, capsys):
    populate(folder, capsys)
    (folder / "plain.html").unlink()

    assert populate(folder, capsys)["missing"] == ["plain.html"]
    assert Document.objects.count() == 3
    assert populate(folder, capsys, prune=True)["pruned"] == ["plain.html"]
    assert Document.objects.count() == 2


def test_documents_that_came_over_the_api_are_not_pruned(folder, capsys):
    from tests.factories import make_document

    make_document("Something else.")

    assert populate(folder, capsys, prune=True)["pruned"] == []
    assert Document.objects.count() == 4


def test_bad_file_fails_the_command_and_the_others_are_done(folder, capsys):
    (folder / "broken.pdf").write_bytes(b"no PDF")

    with pytest.raises(CommandError, match="1 of the files"):
        call_command("populate_documents", folder)

    captured = capsys.readouterr()
    assert "failed: broken.pdf: The file is not a PDF" in captured.err
    assert Document.objects.filter(status="ready").count() == 3


def test_file_that_waits_for_the_embedder_says_so(folder, capsys, settings):
    failing = {"BACKEND": "tests.rag.fakes.FailingEmbedder"}
    settings.RAG = {**settings.RAG, "EMBEDDER": failing}

    with pytest.raises(CommandError, match="3 of the files"):
        call_command("populate_documents", folder)

    assert "plain.html: It is tried again later: A service that" in capsys.readouterr().err
    assert Document.objects.filter(status="queued").count() == 3


def test_private_file_is_refused_rather_than_published(folder, capsys):
    (folder / "own.md").write_text("---\nvisibility: private\n---\nA private matter.")

    with pytest.raises(CommandError):
        call_command("populate_documents", folder)

    assert "own.md: A file becomes a public document" in capsys.readouterr().err
    assert not Document.objects.filter(source="own.md").exists()


def test_dry_run_writes_nothing(folder, capsys):
    summary = populate(folder, capsys, dry_run=True)

    assert len(summary["added"]) == 3
    assert Document.objects.count() == 0


def test_reindex_makes_a_version_of_unchanged_files(folder, capsys):
    populate(folder, capsys)

    assert len(populate(folder, capsys, reindex=True)["updated"]) == 3


def test_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="There is no"):
        call_command("populate_documents", tmp_path / "nowhere")


def test_hidden_files_and_links_out_are_left_alone(folder, capsys, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.md"
    outside.write_text("A secret.")
    (folder / "link.md").symlink_to(outside)
    (folder / ".hidden.md").write_text("Hidden.")

    assert len(populate(folder, capsys)["added"]) == 3


def test_ask_prints_the_answer_and_its_sources(folder, capsys):
    populate(folder, capsys)

    call_command("ask", "When does the office open?")

    out = capsys.readouterr().out
    assert out.startswith("The office opens at nine. [1]")
    assert "*[1] Opening" in out


def test_ask_as_json(folder, capsys):
    populate(folder, capsys)

    call_command("ask", "When does the office open?", json=True)

    body = json.loads(capsys.readouterr().out)
    assert body["mode"] == "extractive"
    assert body["citations"][0]["quote"] == "The office opens at nine."
    assert body["sources"][0]["cited"] is True


def test_ask_declines_what_no_document_answers(folder, capsys):
    populate(folder, capsys)

    call_command("ask", "What is the boiling point of mercury?")

    assert capsys.readouterr().out.strip() == "I don't have specific information about this topic."


def test_question_to_a_database_without_tables_says_what_to_run(tmp_path):
    ask = [sys.executable, "manage.py", "ask", "How long does a token live?"]
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'bare.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
    }

    done = subprocess.run(
        ask, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr
