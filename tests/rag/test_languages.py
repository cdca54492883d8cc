"""Questions and documents in other languages, scripts without blanks included."""

import pytest

from common import loop
from rag.models import Chunk
from rag.retrieval import retrieve
from rag.types import Question, Viewer
from tests.factories import make_document

pytestmark = pytest.mark.django_db(transaction=True)

DOCUMENTS = {
    "zh": ("退货政策", "您可以在收到商品后三十天内退货。运费由买方承担。"),
    "zh2": ("停车场", "停车场早上六点开放。访客使用门口的车位。"),
    "ja": ("返品", "商品は到着後三十日以内に返品できます。送料はお客様の負担です。"),
    "th": ("การคืนสินค้า", "คุณสามารถคืนสินค้าได้ภายในสามสิบวันหลังจากได้รับสินค้า"),
    "de": ("Rückgabe", "Waren können innerhalb von dreißig Tagen zurückgegeben werden."),
    "de2": ("Parken", "Der Parkplatz öffnet um sechs Uhr morgens für alle Besucher."),
    "ru": ("Возврат", "Товар можно вернуть в течение тридцати дней после получения."),
    "en": ("Returns", "You may return goods within thirty days of delivery."),
}
QUESTIONS = {
    "多少天内可以退货？": "退货政策",
    "停车场几点开放？": "停车场",
    "何日以内に返品できますか": "返品",
    "คืนสินค้าได้ภายในกี่วัน": "การคืนสินค้า",
    "Wann öffnet der Parkplatz für die Besucher?": "Parken",
    "Innerhalb von wie vielen Tagen kann ich Waren zurückgeben?": "Rückgabe",
    "В течение скольких дней можно вернуть товар?": "Возврат",
    "Within how many days may I return goods?": "Returns",
}


@pytest.fixture
def documents():
    for title, content in DOCUMENTS.values():
        make_document(content, title=title)


@pytest.mark.parametrize("question", QUESTIONS)
def test_question_finds_the_document_of_its_language(documents, question):
    found = loop.run(retrieve(Question(text=question, viewer=Viewer())))

    assert found.passages[0].title == QUESTIONS[question]


def test_english_chunks_keep_no_pieces_of_words(documents):
    assert Chunk.objects.get(document__title="Returns").grams == ""
    assert "退货" in Chunk.objects.get(document__title="退货政策").grams


def test_private_documents_are_hidden_from_the_pieces_too(documents):
    from tests.factories import make_user

    owner = make_user()
    make_document("保险箱的密码是四七一一。", title="密码", owner=owner)

    others = loop.run(retrieve(Question(text="保险箱的密码是什么？", viewer=Viewer())))
    own = loop.run(retrieve(Question(text="保险箱的密码是什么？", viewer=Viewer(user_id=owner.pk))))

    assert "密码" not in {passage.title for passage in others.passages}
    assert own.passages[0].title == "密码"
