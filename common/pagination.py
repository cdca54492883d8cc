"""Pages of a list: `?page=` from 1, `?page_size=` up to 100."""

from typing import Any

from django.core.paginator import InvalidPage
from rest_framework import pagination
from rest_framework.request import Request

from common.errors import Invalid, NotFound

MAX_PAGE_SIZE = 100
# Beyond this an OFFSET costs more than anybody's wish to see that page is worth.
MAX_PAGE = 100_000


class PageNumberPagination(pagination.PageNumberPagination):
    """`{"count", "next", "previous", "results"}`; a bad size is a 400, a page past the end 404."""

    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE

    def get_page_size(self, request: Request) -> int:
        """The size asked for; Invalid unless it is a whole number from 1 to 100."""
        return read_whole_number(request, "page_size", default=20, highest=MAX_PAGE_SIZE)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows of the page asked for."""
        number = read_whole_number(request, "page", default=1, highest=MAX_PAGE)
        paginator = self.django_paginator_class(queryset, self.get_page_size(request))
        try:
            self.page = paginator.page(number)
        except InvalidPage as error:
            raise NotFound("There is no such page.") from error
        self.request = request
        return list(self.page)


def read_whole_number(request: Request, name: str, *, default: int, highest: int) -> int:
    """The query parameter `name` as a number from 1 to `highest`."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= highest):
        raise Invalid(errors={name: [f"A whole number from 1 to {highest} is needed."]})
    return int(text)
