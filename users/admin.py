"""Accounts in the admin: a place to close one, end its devices, and read what happened."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from common.clients import client_of
from users.models import AuditEvent, ErasedAccount, OutgoingMail, TokenFamily, User
from users.services import administration, families
from users.services.accounts import erase_account

ROLE_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions")


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    """Accounts; roles are a superuser's to give, and staff are a superuser's to change."""

    list_display = ("username", "email", "is_verified", "role", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "date_joined")
    search_fields = ("username", "email", "id")
    ordering = ("-date_joined",)
    readonly_fields = ("id", "last_login", "date_joined", "email_verified_at")
    actions = ("deactivate", "end_sessions", "mail_reset_link")
    fieldsets = (
        (None, {"fields": ("id", "username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email", "email_verified_at")}),
        ("Role", {"fields": ("is_active", *ROLE_FIELDS)}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),
    )

    @admin.display(boolean=True, description="verified")
    def is_verified(self, user: User) -> bool:
        """Whether the address was proven."""
        return user.email_verified

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Staff who may edit accounts may not make anybody, themselves included, more."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else (*fields, *ROLE_FIELDS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff are changed by superusers alone: a new password is the way to a role."""
        return _may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for changes."""
        return _may_touch(request, obj) and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save, record, tell."""
        before = administration.standing_of(obj.pk)
        super().save_model(request, obj, form, change)
        if before is not None:
            administration.record_changes(obj, before, **_actor(request))

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 (Django's name)
        form_url: str = "",
    ) -> HttpResponse:
        """Django's form for a new password; what it did is recorded."""
        response = super().user_change_password(request, id, form_url)
        user = User.objects.filter(pk=UUID(id)).first()
        if request.method == "POST" and response.status_code == 302 and user is not None:
            administration.record_password_set(user, **_actor(request))
        return response

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Erase, as the owner would."""
        erase_account(obj.pk, actor_id=_actor(request)["actor_id"])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Erase each."""
        for user in queryset:
            self.delete_model(request, user)

    @admin.action(description="Deactivate and log out everywhere", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Close the accounts."""
        users = [user for user in queryset if _may_touch(request, user)]
        for user in users:
            administration.deactivate(user, **_actor(request))
        messages.success(request, f"{len(users)} accounts deactivated.")

    @admin.action(description="Log out everywhere", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """End their tokens."""
        users = [user for user in queryset if _may_touch(request, user)]
        ended = sum(administration.end_sessions(user, **_actor(request)) for user in users)
        messages.success(request, f"{ended} devices logged out.")

    @admin.action(description="Mail a link for a new password", permissions=["change"])
    def mail_reset_link(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Let the owners choose a new password."""
        users = [user for user in queryset if _may_touch(request, user)]
        for user in users:
            administration.mail_reset_link(user, **_actor(request))
        messages.success(request, f"{len(users)} links mailed.")


@admin.register(TokenFamily)
class TokenFamilyAdmin(ReadOnlyAdmin):
    """Devices; ending one is the only thing to do with it."""

    list_display = ("user", "created_at", "last_used_at", "address", "user_agent", "revoked_at")
    list_filter = ("revoked_reason", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "address")
    actions = ("end",)

    @admin.action(description="Log out", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[TokenFamily]) -> None:
        """End these."""
        ended = sum(
            families.end(
                family.user_id, family.pk, client=client_of(request), event="ended_by_admin"
            )
            for family in queryset.select_related("user")
            if _may_touch(request, family.user)
        )
        messages.success(request, f"{ended} devices logged out.")

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Whoever may change token families, though none is changed by hand."""
        return request.user.has_perm("users.change_tokenfamily")


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """What happened, to be read."""

    list_display = ("created_at", "event", "user_id", "actor_id", "address", "request_id")
    list_filter = ("event", "created_at")
    search_fields = ("=user_id", "=actor_id", "=request_id", "=address")
    show_full_result_count = False


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    """Mail that has not gone yet."""

    list_display = ("created_at", "kind", "attempts", "due_at")
    fields = ("kind", "created_at", "attempts", "due_at")


@admin.register(ErasedAccount)
class ErasedAccountAdmin(ReadOnlyAdmin):
    """Accounts that are gone for good."""

    list_display = ("user_id", "erased_at")


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    """Whether this administrator may act on that account."""
    return request.user.is_superuser or user is None or user.role == "user"


def _actor(request: HttpRequest) -> dict[str, Any]:
    return {"actor_id": request.user.pk, "client": client_of(request)}
