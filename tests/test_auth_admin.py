"""Accounts in the admin: what each role may do there, and what is written down of it."""

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.urls import reverse

from tests.factories import PASSWORD, as_user, make_family, make_user
from users.models import AuditEvent, ErasedAccount, OutgoingMail, TokenFamily, User
from users.services import audit

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    """The browser of a superuser."""
    client.force_login(make_user(username="root", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def clerk(client):
    """The browser of staff who may edit accounts and devices."""
    clerk = make_user(username="clerk", is_staff=True)
    names = ["view_user", "change_user", "delete_user", "view_tokenfamily", "change_tokenfamily"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(clerk)
    return client


def page(user):
    return reverse("admin:users_user_change", args=[user.pk])


def form_of(user, **changes):
    fields = {"username": user.username, "email": user.email, "first_name": "", "last_name": ""}
    if user.is_active:
        fields["is_active"] = "on"
    return fields | changes


def act(browser, action, *rows):
    model = rows[0]._meta.model_name
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return browser.post(reverse(f"admin:users_{model}_changelist"), data)


@pytest.mark.parametrize(
    "model", ["user", "tokenfamily", "auditevent", "outgoingmail", "erasedaccount"]
)
def test_every_list_opens_and_can_be_searched(root, model, user):
    make_family(user)
    audit.record("logged_in", user_id=user.pk)
    ErasedAccount.objects.create(user_id=user.pk)
    OutgoingMail.objects.create(kind="password_changed", to="x@example.com")
    for query in ("", "?q=person"):
        assert root.get(reverse(f"admin:users_{model}_changelist") + query).status_code == 200


class TestAccounts:
    def test_deactivating_ends_every_token_and_is_told(self, root, user, user_api, sent_mail):
        act(root, "deactivate", user)
        user.refresh_from_db()
        assert user.is_active is False
        assert user_api.get("/api/auth/me/").status_code == 401
        event = AuditEvent.objects.get(event="account_deactivated")
        assert (event.user_id, event.actor_id) == (user.pk, User.objects.get(username="root").pk)
        assert "deactivated" in sent_mail()[0].subject

    def test_logging_out_everywhere_ends_every_token(self, root, user, user_api):
        act(root, "end_sessions", user)
        assert user_api.get("/api/auth/me/").status_code == 401

    def test_an_owner_is_mailed_a_link_for_a_new_password(self, root, user, sent_mail):
        act(root, "mail_reset_link", user)
        (message,) = sent_mail()
        assert message.to == [user.email]
        assert f"/api/auth/password/reset/{user.pk}/" in message.body
        assert AuditEvent.objects.filter(event="password_reset_started").exists()

    def test_a_new_role_is_written_down_and_told(self, root, user, sent_mail):
        root.post(page(user), form_of(user, is_staff="on"))
        event = AuditEvent.objects.get(event="role_changed")
        assert event.detail == {"old": "user", "new": "staff"}
        assert "role" in sent_mail()[0].subject

    def test_unticking_active_ends_every_token(self, root, user, user_api):
        form = form_of(user)
        del form["is_active"]
        root.post(page(user), form)
        assert user_api.get("/api/auth/me/").status_code == 401
        assert AuditEvent.objects.filter(event="account_deactivated").exists()

    def test_a_password_set_here_ends_every_token_and_is_told(
        self, root, user, user_api, sent_mail
    ):
        new = "Quiet-Amber-Lantern-73"
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        root.post(url, {"password1": new, "password2": new, "usable_password": "true"})
        user.refresh_from_db()
        assert user.check_password(new)
        assert user_api.get("/api/auth/me/").status_code == 401
        assert "password" in sent_mail()[0].subject

    def test_another_spelling_of_a_taken_name_is_refused(self, root, user):
        make_user(username="grace")
        answer = root.post(page(user), form_of(user, username="GRACE"))
        assert answer.status_code == 200
        assert b"taken" in answer.content

    def test_a_deletion_here_erases(self, root, user):
        root.post(reverse("admin:users_user_delete", args=[user.pk]), {"post": "yes"})
        assert not User.objects.filter(pk=user.pk).exists()
        assert ErasedAccount.objects.filter(user_id=user.pk).exists()

    def test_a_deletion_of_several_erases_each(self, root, user):
        other = make_user()
        data = {"action": "delete_selected", "post": "yes"}
        data["_selected_action"] = [str(user.pk), str(other.pk)]
        root.post(reverse("admin:users_user_changelist"), data)
        assert ErasedAccount.objects.count() == 2

    def test_an_account_can_be_made(self, root):
        form = {"username": "grace", "email": "grace@example.com", "usable_password": "true"}
        form |= {"password1": PASSWORD, "password2": PASSWORD}
        root.post(reverse("admin:users_user_add"), form)
        assert User.objects.get(username="grace").check_password(PASSWORD)


class TestStaff:
    def test_may_not_make_anybody_more(self, clerk, user):
        clerk.post(page(user), form_of(user, is_staff="on", is_superuser="on", groups=[]))
        user.refresh_from_db()
        assert user.role == "user"

    def test_may_not_make_themselves_more(self, clerk):
        me = User.objects.get(username="clerk")
        clerk.post(page(me), form_of(me, is_superuser="on"))
        me.refresh_from_db()
        assert me.is_superuser is False

    def test_may_not_touch_staff(self, clerk, sent_mail):
        root = make_user(username="root", is_staff=True, is_superuser=True)
        new = "Quiet-Amber-Lantern-73"
        url = reverse("admin:auth_user_password_change", args=[root.pk])
        refused = clerk.post(url, {"password1": new, "password2": new})
        assert refused.status_code == 403
        act(clerk, "deactivate", root)
        act(clerk, "end", make_family(root))
        clerk.post(page(root), form_of(root, email="mine@example.com"))
        clerk.post(reverse("admin:users_user_delete", args=[root.pk]), {"post": "yes"})
        root.refresh_from_db()
        assert root.is_active
        assert root.check_password(PASSWORD)
        assert root.email == "root@example.com"
        assert TokenFamily.objects.live().count() == 1

    def test_may_end_a_users_device(self, clerk, user):
        client = as_user(user)
        act(clerk, "end", TokenFamily.objects.get())
        assert client.get("/api/auth/me/").status_code == 401


class TestAuditLog:
    def test_it_can_be_read_and_not_changed(self, root, user):
        audit.record("logged_in", user_id=user.pk)
        event = AuditEvent.objects.get(event="logged_in")
        change = reverse("admin:users_auditevent_change", args=[event.pk])
        assert root.get(change).status_code == 200
        assert root.post(change, {"event": "x"}).status_code == 403
        delete = reverse("admin:users_auditevent_delete", args=[event.pk])
        assert root.post(delete, {"post": "yes"}).status_code == 403
        assert root.get(reverse("admin:users_auditevent_add")).status_code == 403
        assert AuditEvent.objects.get(event="logged_in") == event


def test_the_mail_list_shows_no_recipients_context(root):
    row = OutgoingMail.objects.create(
        kind="password_changed", to="x@example.com", context={"address": "198.51.100.77"}
    )
    shown = root.get(reverse("admin:users_outgoingmail_change", args=[row.pk]))
    assert b"198.51.100.77" not in shown.content


class TestCommands:
    def test_an_administrator_made_at_the_server_may_log_in_at_once(self, api, settings):
        settings.EMAIL_VERIFICATION = "mandatory"
        make = {"username": "root", "email": "root@example.com", "interactive": False}
        call_command("createsuperuser", **make)
        user = User.objects.get_by_natural_key("ROOT@example.com")
        user.set_password(PASSWORD)
        user.save()
        answer = api.post("/api/auth/login/", {"username": "root", "password": PASSWORD})
        assert answer.json()["user"]["role"] == "admin"

    def test_another_spelling_of_an_administrator_is_refused(self):
        make_user(username="root")
        with pytest.raises((CommandError, IntegrityError)):
            call_command(
                "createsuperuser", username="ROOT", email="r@example.com", interactive=False
            )

    def test_nobody_is_found_under_no_name(self):
        with pytest.raises(User.DoesNotExist):
            User.objects.get_by_natural_key(None)
