"""Files as documents, hostile ones included."""

import io
import zipfile

import pytest

from rag.loaders import LoadError, load_file, media_type_of
from rag.loaders.base import Loaded
from rag.loaders.limited import load_in_process
from rag.loaders.load import DOCX, HTML, MARKDOWN, PDF, TEXT
from rag.loaders.worker import _load
from rag.text.normal import normalise


def make_pdf(*pages: str) -> bytes:
    """A PDF of one line of Helvetica a page, written by hand."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    body += f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    return (body + f"startxref\n{body.index('xref')}\n%%EOF\n").encode()


def make_docx(fill) -> bytes:
    import docx

    document = docx.Document()
    fill(document)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def make_zip(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def code_of(data: bytes, media_type: str) -> str:
    with pytest.raises(LoadError) as caught:
        load_file(data, media_type)
    return caught.value.code


def code_here(data: bytes, media_type: str) -> str:
    """The code that the loader gives without its process, which gives the same."""
    code = _load(data, media_type)["error"]["code"]
    assert code_of(data, media_type) == code
    return code


def load_here(data: bytes, media_type: str) -> Loaded:
    """What the loader reads without its process, which reads the same."""
    loaded = Loaded(**_load(data, media_type)["loaded"])
    assert load_file(data, media_type) == loaded
    return loaded


def test_markdown_keeps_its_text_below_the_front_matter():
    data = b"---\ntitle: Refunds\ncategory: Policy\nteam: sales\n---\n\n# Refunds\n\nText."

    loaded = load_file(data, MARKDOWN)

    assert (loaded.title, loaded.category) == ("Refunds", "Policy")
    assert loaded.content == "# Refunds\n\nText."
    assert loaded.metadata == {"team": "sales"}


@pytest.mark.parametrize(
    "block",
    [
        "title: Plain words, as they stand (v1.2)",
        "Title: Two\ncategory: faq\ntags: a, b - c",
        "title: One\ntitle: Another  ",
        "title: null\ncategory: yes",
    ],
)
def test_simple_front_matter_says_what_yaml_says(block):
    from rag.loaders.markdown import _read_fields, _read_yaml

    assert _read_fields(block) == {name.lower(): value for name, value in _read_yaml(block).items()}


@pytest.mark.parametrize(
    ("block", "title"),
    [
        ("title: Errors: what they mean", "Errors: what they mean"),
        ("title: 1984", "1984"),
        ("title: yes", "yes"),
        ('title: "Quoted: yes"', "Quoted: yes"),
        ("title: &a x\nother: *a", "&a x"),
    ],
)
def test_front_matter_is_read_as_people_write_it(block, title):
    assert load_file(f"---\n{block}\n---\nText.".encode(), MARKDOWN).title == title


def test_html_keeps_headings_lists_and_tables_and_drops_the_rest():
    page = (
        b"<html><head><title>My  page</title><style>x</style></head><body><nav>menu</nav>"
        b"<h1>Head</h1><p>One <b>two</b><!-- note --> three.</p><ul><li>a<li>b</ul>"
        b"<table><tr><th>A<th>B<tr><td>1<td>2</table><p style='display: none'>hidden</p>"
        b"<script>alert(1)</script><p>End.</p></body></html>"
    )

    loaded = load_here(page, HTML)

    assert loaded.title == "My page"
    assert loaded.content == (
        "# Head\n\nOne two three.\n\n- a\n\n- b\n\n| A | B |\n| --- | --- |\n| 1 | 2 |\n\nEnd."
    )


def test_docx_keeps_headings_lists_and_tables():
    def fill(document):
        document.add_heading("Refunds", 1)
        document.add_paragraph("Within 30 days.")
        document.add_paragraph("item", style="List Bullet")
        table = document.add_table(1, 2)
        table.cell(0, 0).text = "a"
        table.cell(0, 1).text = "b"

    loaded = load_here(make_docx(fill), DOCX)

    assert loaded.content.startswith("# Refunds\n\nWithin 30 days.\n\n- item\n\n| a | b |")


def test_pdf_keeps_its_pages():
    loaded = load_here(make_pdf("Refunds take 30 days.", "Parcels take two."), PDF)

    assert loaded.content == (
        "## Page 1\n\nRefunds take 30 days.\n\n## Page 2\n\nParcels take two."
    )
    assert loaded.metadata == {"pages": 2}


@pytest.mark.parametrize("media_type", [MARKDOWN, TEXT, HTML, PDF, DOCX])
@pytest.mark.parametrize("data", [b"", b"  \n "])
def test_empty_file_is_refused(media_type, data):
    assert code_of(data, media_type) == "empty"


@pytest.mark.parametrize("media_type", [MARKDOWN, TEXT, HTML])
def test_bytes_that_are_not_text_are_refused(media_type):
    assert code_of(b"caf\xe9 au lait", media_type) == "not_utf8"
    assert code_of(b"a\0b", media_type) == "not_text"


@pytest.mark.parametrize("media_type", [MARKDOWN, TEXT, HTML, DOCX])
def test_pdf_under_another_name_is_refused(media_type):
    assert code_of(make_pdf("x"), media_type) == "wrong_type"


@pytest.mark.parametrize("media_type", [MARKDOWN, TEXT, HTML, PDF])
def test_zip_under_another_name_is_refused(media_type):
    assert code_of(make_zip({"a": b"b"}), media_type) == "wrong_type"


def test_zip_that_is_no_docx_is_refused():
    assert code_here(make_zip({"a.txt": b"b"}), DOCX) == "wrong_type"


def test_zip_bomb_is_refused():
    bomb = make_zip({"word/document.xml": b"\0" * 150_000_000})

    assert len(bomb) < 1_000_000
    assert code_here(bomb, DOCX) == "too_heavy"


def test_entity_bomb_in_a_docx_expands_nothing():
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{entities}]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>&a11;</w:t></w:r></w:p></w:body></w:document>"
    )
    good = make_docx(lambda document: document.add_paragraph("x"))
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries["word/document.xml"] = bomb.encode()

    assert code_of(make_zip(entries), DOCX) in {"unreadable", "empty", "too_heavy"}


def test_encrypted_office_file_is_refused():
    assert code_here(b"\xd0\xcf\x11\xe0" + b"x" * 5_000, DOCX) == "encrypted"


def test_encrypted_pdf_is_refused():
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make_pdf("secret"))))
    writer.encrypt("a password", algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)

    assert code_here(buffer.getvalue(), PDF) == "encrypted"


def test_pdf_without_text_says_so():
    assert code_here(make_pdf(""), PDF) == "no_text"


@pytest.mark.parametrize("cut", [20, 200, 400])
def test_damaged_pdf_is_refused(cut):
    assert code_here(make_pdf("text")[:cut], PDF) in {"unreadable", "no_text"}


def test_pdf_of_a_million_objects_ends_within_the_limits():
    data = b"%PDF-1.4\n" + b"1 0 obj\n<<>>\nendobj\n" * 400_000 + b"trailer\n<</Root 1 0 R>>\n%%EOF"

    assert code_of(data, PDF) in {"unreadable", "too_heavy", "no_text"}


def test_deeply_nested_page_is_read_without_recursion():
    page = b"<div>" * 200 + b"deep" + b"</div>" * 200

    assert load_here(page, HTML).content == "deep"


def test_page_nested_beyond_measure_ends_in_an_answer():
    page = b"<div>" * 100_000 + b"deep" + b"</div>" * 100_000

    assert code_or_text(page) in {"deep", "empty", "too_heavy", "unreadable"}


def code_or_text(page: bytes) -> str:
    try:
        return load_file(page, HTML).content
    except LoadError as error:
        return error.code


def test_process_that_wants_too_much_memory_is_ended():
    page = b"<p>" + b"x " * 2_000_000

    with pytest.raises(LoadError) as caught:
        load_in_process(page, HTML, memory_bytes=60_000_000)
    assert caught.value.code in {"too_heavy", "unreadable"}


def test_process_that_takes_too_long_is_ended():
    with pytest.raises(LoadError) as caught:
        load_in_process(make_pdf("x"), PDF, wall_seconds=0.001)
    assert caught.value.code == "too_heavy"


def test_process_gets_no_secrets(monkeypatch):
    import subprocess

    given = {}
    original = subprocess.run

    def watch(*args, **kwargs):
        given.update(kwargs["env"])
        return original(*args, **kwargs)

    monkeypatch.setenv("MISTRAL_API_KEY", "secret")
    monkeypatch.setattr(subprocess, "run", watch)
    load_file(make_pdf("x"), PDF)

    assert set(given) == {"PATH", "PYTHONPATH"}


def test_unknown_ending_is_refused():
    with pytest.raises(LoadError, match="not read"):
        media_type_of("program.exe")


def test_stored_text_is_nfc_without_controls():
    assert normalise("cafe\u0301\r\nx\x00y\ufeff\u2028z\ud800") == "café\nxy\nz"
