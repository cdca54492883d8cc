"""`POST /api/rag/explain/`."""

import pytest

from tests.factories import make_document, make_user

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/rag/explain/"
REFUNDS = "You may return goods within 30 days of delivery."


def explain(client, **body):
    response = client.post(URL, {"query": "return goods", **body})
    assert response.status_code == 200, response.json()
    return response.json()


def test_explanation_is_for_staff(user_api, api):
    assert user_api.post(URL, {"query": "x"}).status_code == 403
    assert api.post(URL, {"query": "x"}).status_code == 401


def test_candidate_has_both_scores_and_its_ranks(staff_api):
    make_document(REFUNDS, title="Refunds")

    [candidate] = explain(staff_api)["candidates"]

    assert (candidate["vector_rank"], candidate["lexical_rank"], candidate["fused_rank"]) == (
        1,
        1,
        1,
    )
    assert candidate["lexical_score"] is not None
    assert candidate["removed_by"] == ""


@pytest.mark.parametrize("query", ["My iPhone is new: how do I return goods?", "return goods"])
def test_confidence_is_that_of_the_search_for_an_answer(staff_api, query):
    """A name that only the preface holds is no reason to decline, here as there."""
    make_document(REFUNDS, title="Refunds")

    explained = explain(staff_api, query=query)
    answer = staff_api.post("/api/chat/messages/", {"content": query}).json()["bot_message"]

    assert explained["confidence"] == pytest.approx(answer["metadata"]["confidence"], abs=1e-3)


def test_filter_that_took_a_candidate_out_is_named(staff_api):
    make_document(REFUNDS, title="Refunds", category="faq", metadata={"team": "a"})
    make_document(REFUNDS + " Always.", title="Returns", category="policy", metadata={"team": "b"})

    by_category = explain(staff_api, category="faq")["candidates"]
    by_metadata = explain(staff_api, metadata={"team": "b"})["candidates"]

    assert {c["title"]: c["removed_by"] for c in by_category} == {
        "Refunds": "",
        "Returns": "category",
    }
    assert {c["title"]: c["removed_by"] for c in by_metadata} == {
        "Refunds": "metadata",
        "Returns": "",
    }


def test_near_copies_and_the_rest_are_named(staff_api):
    same = f"# Returning\n\n{REFUNDS}\n\n# Else\n\n"
    make_document(f"{same}Alpha.", title="One")
    make_document(f"{same}Beta.", title="Two")
    make_document("The desk takes what you return.", title="Desk")

    fates = [
        c["removed_by"] for c in explain(staff_api, top_k=1)["candidates"] if "ret" in c["text"]
    ]

    assert sorted(fates) == ["", "near_copy", "top_k"]


def test_hidden_document_says_why_it_is_missed(staff_api):
    document = make_document(REFUNDS, title="Refunds")
    staff_api.patch(f"/api/rag/documents/{document.pk}/", {"hidden": True})

    assert "It is hidden." in explain(staff_api, document_id=str(document.pk))["why_not"]


def test_returned_document_says_so(staff_api):
    document = make_document(REFUNDS, title="Refunds")

    [sentence] = explain(staff_api, document_id=str(document.pk))["why_not"]

    assert sentence.endswith("was returned.")


def test_private_documents_of_others_are_not_explained(staff_api):
    document = make_document(REFUNDS, title="Refunds", owner=make_user())

    assert explain(staff_api)["candidates"] == []
    body = {"query": "goods", "document_id": str(document.pk)}
    assert staff_api.post(URL, body).status_code == 404
