"""`/api/rag/index/` and `/api/rag/documents/`."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from rag.models import ChunkVector, Document
from rag.services import process_queue
from tests.factories import make_document, make_user

pytestmark = pytest.mark.django_db(transaction=True)

INDEX = "/api/rag/index/"
DOCUMENTS = "/api/rag/documents/"
SEARCH = "/api/rag/search/"
TEXT = "# Refunds\n\nYou may return goods within 30 days of delivery."


def add(client, **fields):
    response = client.post(INDEX, {"title": "Refunds", "content": TEXT, **fields})
    assert response.status_code == 202, response.json()
    return response.json()["documents"][0]


def search(client, query="return goods"):
    return client.get(SEARCH, {"q": query}).json()["results"]


def test_document_is_queued_then_ready(staff_api):
    response = staff_api.post(INDEX, {"title": "Refunds", "content": TEXT})

    [document] = response.json()["documents"]
    assert document["status"] == "queued"
    assert response["Location"].endswith(f"{DOCUMENTS}{document['id']}/")
    assert process_queue() == 1
    ready = staff_api.get(response["Location"]).json()
    assert (ready["status"], ready["progress"], ready["version"]) == ("ready", 100, 1)
    assert [version["version"] for version in ready["versions"]] == [1]


def test_staff_documents_are_public_and_others_are_private(staff_api, user_api):
    assert add(staff_api)["visibility"] == "public"
    assert add(user_api)["visibility"] == "private"


def test_only_staff_adds_public_documents(user_api):
    body = {"title": "Mine", "content": TEXT, "visibility": "public"}

    response = user_api.post(INDEX, body)

    assert response.status_code == 403
    assert response.json()["code"] == "public_is_for_staff"
    assert Document.objects.count() == 0


def test_batch_is_taken_in_whole(staff_api):
    body = {"documents": [{"title": "A", "content": "Alpha."}, {"title": "B", "content": "Beta."}]}

    response = staff_api.post(INDEX, body)

    assert [item["title"] for item in response.json()["documents"]] == ["A", "B"]
    assert response["Location"].endswith(DOCUMENTS)


def test_bad_document_in_a_batch_stops_the_batch(staff_api):
    body = {"documents": [{"title": "A", "content": "Alpha."}, {"title": "B"}]}

    response = staff_api.post(INDEX, body)

    assert response.status_code == 400
    assert Document.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": "x"},
        {"title": "x", "content": ""},
        {"title": "x", "content": 5},
        {"title": "x" * 201, "content": "y"},
        {"title": "x", "content": "y", "visibility": "secret"},
        {"title": "x", "content": "y", "category": "a b"},
        {"title": "x", "content": "y", "metadata": []},
        {"documents": []},
        {"documents": "x"},
        {"documents": [1]},
        {"documents": [{"title": "x", "content": "y"}] * 51},
    ],
)
def test_bad_submission_is_a_400(staff_api, body):
    assert staff_api.post(INDEX, body).status_code == 400


def test_files_are_taken_in(staff_api):
    files = [
        SimpleUploadedFile("return-policy.md", TEXT.encode()),
        SimpleUploadedFile("page.html", b"<h1>Delivery</h1><p>Parcels take two days.</p>"),
    ]

    response = staff_api.post(INDEX, {"files": files, "category": "policy"}, format="multipart")

    assert response.status_code == 202, response.json()
    assert [item["title"] for item in response.json()["documents"]] == ["Return policy", "Page"]
    assert process_queue() == 2
    assert search(staff_api, "how long do parcels take")[0]["title"] == "Page"


def test_file_of_an_unknown_type_is_a_400(staff_api):
    files = [SimpleUploadedFile("program.exe", b"MZ")]

    response = staff_api.post(INDEX, {"files": files}, format="multipart")

    assert response.status_code == 400


def test_file_that_cannot_be_read_ends_as_failed(staff_api):
    files = [SimpleUploadedFile("broken.pdf", b"no PDF at all")]
    response = staff_api.post(INDEX, {"files": files}, format="multipart")

    process_queue()

    error = staff_api.get(response["Location"]).json()["error"]
    assert (error["code"], error["retryable"]) == ("wrong_type", False)


def test_same_content_is_answered_with_the_first_document(staff_api):
    first = add(staff_api)

    again = add(staff_api, title="Another title")

    assert (again["id"], again["duplicate"]) == (first["id"], True)
    assert Document.objects.count() == 1


def test_same_content_of_another_user_stays_unknown(user_api, staff_api):
    add(staff_api, visibility="private")

    assert add(user_api)["duplicate"] is False


def test_idempotency_key_gives_the_first_answer_again(staff_api):
    body = {"title": "Refunds", "content": TEXT}
    first = staff_api.post(INDEX, body, HTTP_IDEMPOTENCY_KEY="k1")
    process_queue()

    again = staff_api.post(INDEX, body, HTTP_IDEMPOTENCY_KEY="k1")
    other = staff_api.post(INDEX, {**body, "title": "x"}, HTTP_IDEMPOTENCY_KEY="k1")

    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert other.status_code == 422


def test_private_document_does_not_exist_for_others(user_api, staff_api):
    owner = make_user()
    document = make_document(TEXT, owner=owner)
    url = f"{DOCUMENTS}{document.pk}/"

    for client in (user_api, staff_api):
        for path in ("", "versions/", "chunks/", "content/"):
            assert client.get(url + path).status_code == 404
        assert client.patch(url, {"title": "x"}).status_code == 404
        assert client.delete(url).status_code == 404
        assert client.post(f"{url}rollback/", {"version": 1}).status_code == 404
        assert client.get(DOCUMENTS).json()["count"] == 0


def test_reader_may_not_change_a_public_document(user_api):
    url = f"{DOCUMENTS}{make_document(TEXT).pk}/"

    assert user_api.get(url).status_code == 200
    assert user_api.patch(url, {"title": "x"}).status_code == 403
    assert user_api.delete(url).status_code == 403


def test_owner_may_not_make_a_document_public(user_api, user):
    document = make_document(TEXT, owner=user)

    response = user_api.patch(f"{DOCUMENTS}{document.pk}/", {"visibility": "public"})

    assert response.status_code == 403


def test_hidden_document_is_out_of_every_search_at_once(staff_api, user_api):
    document = make_document(TEXT)
    url = f"{DOCUMENTS}{document.pk}/"
    assert search(user_api)

    staff_api.patch(url, {"hidden": True})

    assert search(user_api) == []
    assert user_api.get(url).status_code == 404
    assert staff_api.get(url).status_code == 200
    staff_api.patch(url, {"hidden": False})
    assert search(user_api)


def test_deleted_document_is_out_of_every_search_at_once(staff_api):
    document = make_document(TEXT)
    assert search(staff_api)

    assert staff_api.delete(f"{DOCUMENTS}{document.pk}/").status_code == 204

    assert search(staff_api) == []


def test_document_made_private_is_gone_for_others(staff_api, user_api):
    document = make_document(TEXT)
    assert search(user_api)

    staff_api.patch(f"{DOCUMENTS}{document.pk}/", {"visibility": "private"})

    assert search(user_api) == []
    assert search(staff_api)


def test_edit_is_a_new_version_and_the_old_one_answers_meanwhile(staff_api):
    document = make_document(TEXT, title="Refunds")
    url = f"{DOCUMENTS}{document.pk}/"

    changed = staff_api.patch(url, {"content": TEXT.replace("30", "60")}).json()

    assert (changed["status"], changed["version"]) == ("queued", 1)
    assert "30 days" in search(staff_api)[0]["text"]
    process_queue()
    assert "60 days" in search(staff_api)[0]["text"]
    assert staff_api.get(url).json()["version"] == 2


def test_edit_embeds_only_the_chunks_that_changed(staff_api, monkeypatch):
    from rag.embedders.local import LocalEmbedder

    sections = [f"# Part {number}\n\nWords about matter {number}.\n\n" for number in range(5)]
    document = make_document("".join(sections), title="Parts")
    embedded: list[str] = []
    original = LocalEmbedder._embed_batch

    async def counting(self, texts):
        embedded.extend(texts)
        return await original(self, texts)

    monkeypatch.setattr(LocalEmbedder, "_embed_batch", counting)
    content = "".join(sections).replace("matter 3", "something else")
    staff_api.patch(f"{DOCUMENTS}{document.pk}/", {"content": content})
    process_queue()

    assert len(embedded) == 1
    assert "something else" in embedded[0]
    assert ChunkVector.objects.filter(chunk__live=True).count() == 5


def test_rollback_lets_the_earlier_version_answer_at_once(staff_api):
    document = make_document(TEXT, title="Refunds")
    url = f"{DOCUMENTS}{document.pk}/"
    staff_api.patch(url, {"content": TEXT.replace("30", "60")})
    process_queue()

    body = staff_api.post(f"{url}rollback/", {"version": 1}).json()

    assert body["version"] == 1
    assert "30 days" in search(staff_api)[0]["text"]
    assert search(staff_api)[0]["version"] == 1


def test_rollback_to_a_version_that_is_not_there_is_a_404(staff_api):
    url = f"{DOCUMENTS}{make_document(TEXT).pk}/rollback/"

    assert staff_api.post(url, {"version": 9}).json()["code"] == "version_not_found"


def test_rollback_to_a_version_that_was_never_ready_is_a_409(staff_api):
    document = make_document(TEXT)
    url = f"{DOCUMENTS}{document.pk}/"
    staff_api.patch(url, {"content": "Other words altogether."})

    assert staff_api.post(f"{url}rollback/", {"version": 2}).json()["code"] == "version_not_ready"


def test_spans_of_chunks_point_into_the_content(staff_api):
    url = f"{DOCUMENTS}{make_document(TEXT).pk}/"

    content = staff_api.get(f"{url}content/").json()["content"]
    chunks = staff_api.get(f"{url}chunks/").json()["results"]

    assert chunks
    assert all(content[slice(*chunk["span"])] == chunk["text"] for chunk in chunks)


def test_earlier_versions_are_for_those_who_keep_the_document(staff_api, user_api):
    document = make_document("The secret is 4711.", title="Notes")
    url = f"{DOCUMENTS}{document.pk}/"
    staff_api.patch(url, {"content": "The secret has been taken out."})
    process_queue()

    assert staff_api.get(f"{url}content/?version=1").json()["content"] == "The secret is 4711."
    assert user_api.get(f"{url}content/?version=1").status_code == 404
    assert user_api.get(f"{url}chunks/?version=1").status_code == 404
    assert [v["version"] for v in user_api.get(f"{url}versions/").json()["results"]] == [2]


def test_list_is_filtered_and_searched(staff_api):
    make_document("Alpha text.", title="Alpha", category="faq")
    make_document("Beta text.", title="Beta", category="guide")

    def titles(query):
        return [item["title"] for item in staff_api.get(f"{DOCUMENTS}?{query}").json()["results"]]

    assert titles("category=FAQ") == ["Alpha"]
    assert titles("search=bet") == ["Beta"]
    assert titles("ordering=title") == ["Alpha", "Beta"]
    assert titles("status=failed") == []
    assert staff_api.get(f"{DOCUMENTS}?status=odd").status_code == 400
