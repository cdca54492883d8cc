"""Who calls, as views hand it down."""

from uuid import UUID

from rest_framework.request import Request

from common.errors import Unauthenticated


def caller_id(request: Request) -> UUID:
    """The id of the user who calls; Unauthenticated for nobody."""
    user_id: UUID | None = request.user.pk
    if user_id is None:
        raise Unauthenticated
    return user_id
