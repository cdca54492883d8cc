"""`manage.py evaluate_rag`."""

import json

import pytest
from django.core.management import CommandError, call_command

from rag.evaluation.corpus import fill
from rag.evaluation.dataset import Dataset
from rag.evaluation.summary import KEYS, regressions
from rag.loaders import LoadError
from rag.models import Document, IndexGeneration
from tests.factories import make_document

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = [
    ("refunds", "Refunds", "You may return goods within 30 days of delivery."),
    ("parking", "Parking", "The car park opens at six in the morning."),
    ("parcels", "Parcels", "Parcels take two days to arrive by post."),
    ("vault", "Vault", "The vault is in the cellar of the north house."),
]
QUERIES = [
    {"id": "1", "text": "When does the car park open?", "answers": ["six in the morning"]},
    {"id": "2", "text": "How long do parcels take?", "answers": ["two days"]},
    {"id": "3", "text": "Where is the vault?", "answers": ["cellar"]},
    {"id": "4", "text": "What is the boiling point of mercury?", "answerable": False},
]
JUDGEMENTS = "query-id\tcorpus-id\tscore\n1\tparking\t1\n2\tparcels\t1\n3\tvault\t1\n"


@pytest.fixture
def dataset(tmp_path):
    rows = [{"id": key, "title": title, "text": text} for key, title, text in ROWS]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in QUERIES))
    (tmp_path / "qrels.tsv").write_text(JUDGEMENTS)
    return tmp_path


def test_figures_are_one_object_on_the_last_line(dataset, capsys, tmp_path):
    make_document("Something of the operator's own.")
    report = tmp_path / "out" / "report.md"
    saved = tmp_path / "figures.json"

    call_command("evaluate_rag", dataset, json=True, report=report, save=saved)

    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert tuple(figures) == KEYS
    assert figures["hit@1"] == figures["containment@3"] == figures["decline_auroc"] == 1.0
    assert 0.5 <= figures["citation_precision"] <= 1.0
    assert json.loads(saved.read_text()) == figures
    assert "hit@3" in report.read_text()
    assert report.with_name("report-confidence.svg").read_text().startswith("<svg")
    assert Document.objects.get().title == "A document"


def test_rankings_alone_stand_beside_the_figures(dataset, capsys, tmp_path):
    report = tmp_path / "report.md"

    call_command("evaluate_rag", dataset, against=["bm25", "wordllama"], json=True, report=report)

    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert tuple(figures)[: len(KEYS)] == KEYS
    assert figures["bm25 hit@1"] == figures["wordllama ndcg@10"] == 1.0
    assert "| wordllama | 1.0000 |" in report.read_text()


def test_unknown_ranking_is_an_error_before_anything_is_indexed(dataset):
    with pytest.raises(CommandError, match="no embedder called 'word2vec'"):
        call_command("evaluate_rag", dataset, against=["word2vec"])


def test_regression_fails_the_command(dataset, tmp_path):
    before = tmp_path / "before.json"
    before.write_text(json.dumps({"hit@3": 1.0, "citation_precision": 1.2}))

    with pytest.raises(CommandError, match="citation_precision"):
        call_command("evaluate_rag", dataset, compare=before)


def test_calibration_is_kept_with_the_generation_that_answers(dataset):
    make_document("Something of the operator's own.")

    call_command("evaluate_rag", dataset, calibrate=True)

    calibration = IndexGeneration.objects.get(state="active").calibration
    assert 0 < calibration["decline_below"] <= calibration["uncertain_below"] <= 1
    assert calibration["match_slope"] > 0


@pytest.mark.django_db(transaction=True)
def test_file_that_cannot_be_indexed_ends_the_filling(tmp_path):
    (tmp_path / "whole.md").write_text("Whole words.")
    (tmp_path / "broken.pdf").write_bytes(b"no PDF")

    with pytest.raises(LoadError, match=r"broken\.pdf: The file is not a PDF"):
        fill(Dataset(name="broken", entries=(), queries=(), folder=tmp_path))


def test_folder_that_is_no_dataset_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="Not a dataset"):
        call_command("evaluate_rag", tmp_path)


def test_only_what_is_worse_beyond_the_margin_is_a_regression():
    old = {"hit@3": 0.9, "ndcg@10": 0.8, "query_ms_p50": 10.0}

    assert regressions({"hit@3": 0.895, "ndcg@10": 0.85, "query_ms_p50": 12.0}, old, 0.01) == []
    assert len(regressions({"hit@3": 0.88, "ndcg@10": 0.7, "query_ms_p50": 40.0}, old, 0.01)) == 3
