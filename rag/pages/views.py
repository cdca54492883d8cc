"""The start page: what this is, what runs behind it, and a box to try it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from common.errors import ApplicationError
from common.problems import describe
from common.throttling import enforce
from rag.pages.answers import Shown, answer_publicly
from rag.pages.facts import running_now

MAX_QUESTION_CHARS = 500
# Questions that the shipped documents answer; the last one they do not.
EXAMPLES = (
    "How long does an access token live?",
    "How do I make a backup?",
    "Can I stop an answer that is still being written?",
    "Who won the football world cup?",
)


@never_cache
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """The page; with `?q=` an answer from the public documents stands on it."""
    question = " ".join(request.GET.get("q", "").split())
    context = {
        "question": question,
        "ask": settings.START_PAGE_ASK,
        "examples": EXAMPLES,
        "facts": running_now(),
        "max_chars": MAX_QUESTION_CHARS,
        "url": settings.START_PAGE_URL or request.build_absolute_uri("/").rstrip("/"),
    }
    if not (question and settings.START_PAGE_ASK):
        return render(request, "start.html", context)
    try:
        context["answer"] = _answer(request, question)
    except ApplicationError as error:
        status, body, headers = describe(error)
        page = render(request, "start.html", context | {"trouble": body["detail"]}, status=status)
        for name, value in headers.items():
            page[name] = value
        return page
    return render(request, "start.html", context)


def _answer(request: HttpRequest, question: str) -> Shown:
    enforce(request, "try")
    return answer_publicly(question[:MAX_QUESTION_CHARS])
