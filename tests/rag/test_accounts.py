"""What accounts and the admin do to documents."""

import pytest

from common.erasure import erase_everywhere
from common.export import export_everything
from rag.models import Document
from tests.factories import make_document, make_user

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "You may return goods within 30 days."


def test_erasing_an_account_erases_its_documents_and_no_others():
    user, other = make_user(), make_user()
    make_document(TEXT, owner=user)
    kept = {make_document(TEXT, owner=other).pk, make_document(TEXT).pk}

    erase_everywhere(user.pk)

    assert set(Document.objects.values_list("pk", flat=True)) == kept


def test_deleting_the_user_row_takes_the_documents_out_of_every_search(user_api):
    from common import loop
    from rag.retrieval import retrieve
    from rag.types import Question, Viewer

    user = make_user()
    make_document(TEXT, owner=user)
    question = Question(text="return goods", viewer=Viewer(user_id=user.pk))
    assert loop.run(retrieve(question)).passages

    user.delete()

    assert not loop.run(retrieve(question)).passages


def test_export_holds_every_version(user_api, user):
    document = make_document(TEXT, title="Mine", owner=user)
    user_api.patch(f"/api/rag/documents/{document.pk}/", {"content": "Other words."})

    [exported] = export_everything(user.pk)["documents"]

    assert exported["title"] == "Mine"
    assert [version["content"] for version in exported["versions"]] == ["Other words.", TEXT]


@pytest.fixture
def admin_client(client):
    admin = make_user(is_staff=True, is_superuser=True)
    client.force_login(admin)
    return client


def test_admin_lists_public_documents_only(admin_client):
    make_document(TEXT, title="For everybody")
    make_document("A private matter.", title="Private matter", owner=make_user())

    for name in ("document", "documentversion", "chunk"):
        page = admin_client.get(f"/admin/rag/{name}/").content.decode()
        assert "For everybody" in page
        assert "Private matter" not in page


def test_admin_hides_a_document_at_once(admin_client, user_api):
    document = make_document(TEXT, title="Refunds", category="faq")
    url = f"/admin/rag/document/{document.pk}/change/"

    response = admin_client.post(url, {"category": "faq", "hidden": "on", "metadata": "{}"})

    assert response.status_code == 302
    assert user_api.get("/api/rag/search/", {"q": "goods"}).json()["results"] == []


def test_admin_indexes_anew(admin_client):
    document = make_document(TEXT)

    admin_client.post(
        "/admin/rag/document/", {"action": "reindex", "_selected_action": [str(document.pk)]}
    )

    document.refresh_from_db()
    assert document.status == "queued"
    assert document.versions.count() == 2
