"""The audit log's one way in."""

from uuid import UUID

from common.clients import Client
from common.request_id import current_request_id
from users.models import AuditEvent


def record(
    event: str,
    *,
    user_id: UUID | None = None,
    actor_id: UUID | None = None,
    client: Client | None = None,
    **detail: str | int | bool | None,
) -> None:
    """Add an event: whose account it is about, who did it (the same person if not said)."""
    AuditEvent.objects.create(
        event=event,
        user_id=user_id,
        actor_id=actor_id or user_id,
        request_id=current_request_id(),
        address=client.address if client else "",
        detail=detail,
    )
