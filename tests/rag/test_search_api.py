"""`/api/rag/search/`."""

import pytest

from rag.followups import contextualize
from rag.retrieval.spelling import mended
from rag.selectors.index import read_state
from rag.services.documents import change_document
from rag.types import Filters, Viewer
from tests.factories import make_document

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/rag/search/"


@pytest.fixture
def refunds():
    return make_document(
        "You may return goods within 30 days of delivery.",
        title="Refunds",
        category="policy",
        metadata={"team": "sales"},
    )


def test_search_finds_the_passage(user_api, refunds):
    body = user_api.get(URL, {"q": "return goods"}).json()

    assert body["query"] == "return goods"
    [result] = body["results"]
    assert result["document_id"] == str(refunds.pk)
    assert result["title"] == "Refunds"
    assert result["version"] == 1
    assert refunds.current_version.content[slice(*result["span"])] == result["text"]
    assert 0 < result["score"] <= 1


def test_post_takes_the_filters_in_the_body(user_api, refunds):
    found = user_api.post(URL, {"query": "return goods", "metadata": {"team": "sales"}}).json()
    missed = user_api.post(URL, {"query": "return goods", "metadata": {"team": "legal"}}).json()

    assert len(found["results"]) == 1
    assert missed["results"] == []


def test_category_is_taken_in_any_case(user_api, refunds):
    assert user_api.get(URL, {"q": "goods", "category": "POLICY"}).json()["results"]
    assert not user_api.get(URL, {"q": "goods", "category": "faq"}).json()["results"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": 7},
        {"query": "x" * 2_001},
        {"query": "x", "top_k": 0},
        {"query": "x", "top_k": 11},
        {"query": "x", "category": "no slug!"},
        {"query": "x", "metadata": {"a__b": "x"}},
        {"query": "x", "metadata": {"a": [1]}},
    ],
)
def test_bad_input_is_a_400(user_api, body):
    response = user_api.post(URL, body)

    assert response.status_code == 400
    assert response.json()["code"] == "invalid"


def test_search_needs_a_caller(api):
    assert api.get(URL, {"q": "x"}).status_code == 401


@pytest.mark.parametrize("query", ['"', "NEAR(", "*", "a AND", "-", "'; --", "rank:1", "🙂", "的"])
def test_no_query_is_syntax(user_api, refunds, query):
    assert user_api.get(URL, {"q": query}).status_code == 200


def test_typing_error_finds_what_was_meant(user_api, refunds):
    [result] = user_api.get(URL, {"q": "delivry of godos"}).json()["results"]
    exact = user_api.get(URL, {"q": "delivery of goods"}).json()["results"][0]
    assert result["score"] == exact["score"]


def test_words_of_somebody_elses_documents_mend_nothing(user_api, staff, refunds):
    make_document("The zeppeline flies.", owner=staff)
    question = contextualize("a zepeline", [])
    assert mended(question, Filters(viewer=Viewer())) is question


def test_word_of_a_document_that_was_hidden_since_mends_nothing(staff, refunds):
    def mend() -> str:
        filters = Filters(viewer=Viewer(), position=read_state().position)
        return mended(contextualize("late delivry", []), filters).text

    assert mend() == "late delivery"
    change_document(refunds, user_id=staff.pk, changes={"hidden": True})

    assert mend() == "late delivry"


def test_word_of_the_viewers_own_document_is_no_typing_error(user_api, user, refunds):
    make_document("A delivry is a dance.", title="Dance", owner=user)
    found = user_api.get(URL, {"q": "delivry"}).json()["results"]
    assert found[0]["title"] == "Dance"
