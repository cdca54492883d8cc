"""The end of an account, its export, the audit log and the nightly clean-up."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import override_settings
from django.utils import timezone

from common import erasure, export
from tests.factories import PASSWORD, as_user, make_family, make_user
from users.models import (
    AuditEvent,
    ErasedAccount,
    HeldName,
    OneTimeLink,
    OutgoingMail,
    TokenFamily,
    User,
)
from users.models.audit import AppendOnlyError
from users.services import audit
from users.services.accounts import erase_account
from users.services.housekeeping import count_expired, purge_expired

pytestmark = pytest.mark.django_db

PROOF = {"password": PASSWORD}


@pytest.fixture
def registry(monkeypatch):
    """The registries of erasers and exporters, put back afterwards."""
    monkeypatch.setattr(erasure, "_erasers", dict(erasure._erasers))
    monkeypatch.setattr(export, "_exporters", dict(export._exporters))


class TestDeletion:
    def test_the_account_and_all_its_rows_go(self, user, user_api, sent_mail):
        make_family(user)
        assert user_api.delete("/api/auth/me/", PROOF).status_code == 204
        assert not User.objects.filter(pk=user.pk).exists()
        assert not TokenFamily.objects.exists()
        assert user_api.get("/api/auth/me/").status_code == 401
        (message,) = sent_mail()
        assert message.to == [user.email]
        assert "deleted" in message.subject

    def test_nothing_that_names_the_person_is_left_in_the_database(self, sent_mail):
        from django.apps import apps

        marker = "planted-marker"
        user = make_user(
            username=marker, email=f"{marker}@example.com", first_name=marker, last_name=marker
        )
        client = as_user(user)
        client.defaults["HTTP_USER_AGENT"] = marker
        client.post("/api/auth/password/reset/", {"email": user.email})
        client.post("/api/auth/email/change/", PROOF | {"new_email": f"{marker}@example.org"})
        client.patch("/api/auth/me/", {"username": f"{marker}-2"})
        client.get("/api/auth/me/export/")
        assert client.delete("/api/auth/me/", PROOF).status_code == 204
        sent_mail()
        left = [
            model.__name__
            for model in apps.get_models()
            if marker in str(list(model._base_manager.values()))
        ]
        assert left == []

    def test_it_takes_the_password(self, user, user_api):
        for body in ({}, {"password": "wrong"}):
            answer = user_api.delete("/api/auth/me/", body)
            assert (answer.status_code, list(answer.json()["errors"])) == (400, ["password"])
        assert User.objects.filter(pk=user.pk).exists()

    def test_every_app_is_asked_to_erase(self, user, user_api, registry):
        asked = []
        erasure.register_eraser("notes", asked.append)
        user_api.delete("/api/auth/me/", PROOF)
        assert asked == [user.pk]

    def test_an_eraser_that_fails_stops_the_deletion_as_a_whole(self, user, registry):
        def fail(user_id):
            raise RuntimeError(user_id)

        erasure.register_eraser("zzz", fail)
        with pytest.raises(RuntimeError):
            erase_account(user.pk)
        assert User.objects.filter(pk=user.pk).exists()

    def test_it_can_be_replayed_after_a_restore(self, user, registry):
        asked = []
        erasure.register_eraser("notes", asked.append)
        erase_account(user.pk)
        erase_account(user.pk)
        assert asked == [user.pk, user.pk]
        assert ErasedAccount.objects.get().user_id == user.pk

    def test_the_log_keeps_what_happened_and_not_where(self, user, user_api):
        user_api.get("/api/auth/me/export/")
        user_api.delete("/api/auth/me/", PROOF)
        events = AuditEvent.objects.filter(user_id=user.pk)
        assert set(events.values_list("event", flat=True)) == {"data_exported", "account_deleted"}
        assert set(events.values_list("address", flat=True)) == {""}


class TestExport:
    def test_it_holds_the_account_its_devices_and_events(self, user, user_api):
        answer = user_api.get("/api/auth/me/export/")
        data = answer.json()
        assert data["account"]["email"] == user.email
        assert data["devices"][0]["user_agent"] == "pytest"
        assert data["security_events"][0]["event"] == "data_exported"
        assert "attachment" in answer["Content-Disposition"]
        assert user.password not in answer.content.decode()

    def test_every_app_adds_its_part(self, user, user_api, registry):
        export.register_exporter("notes", lambda user_id: [str(user_id)])
        assert user_api.get("/api/auth/me/export/").json()["notes"] == [str(user.pk)]

    def test_it_holds_nothing_of_anybody_else(self, user_api):
        other = make_user(username="somebody-else")
        audit.record("logged_in", user_id=other.pk)
        assert b"somebody-else" not in user_api.get("/api/auth/me/export/").content


class TestAuditLog:
    def test_rows_are_added_and_never_changed(self, user):
        audit.record("logged_in", user_id=user.pk)
        event = AuditEvent.objects.get()
        event.event = "nothing_happened"
        for change in (
            event.save,
            event.delete,
            AuditEvent.objects.all().delete,
            lambda: AuditEvent.objects.update(event="x"),
            lambda: AuditEvent.objects.bulk_update([event], ["event"]),
        ):
            with pytest.raises(AppendOnlyError):
                change()
        assert AuditEvent.objects.get().event == "logged_in"

    def test_who_did_it_is_the_person_unless_said_otherwise(self, user, staff):
        audit.record("logged_in", user_id=user.pk)
        audit.record("account_deactivated", user_id=user.pk, actor_id=staff.pk)
        actors = dict(AuditEvent.objects.values_list("event", "actor_id"))
        assert actors == {"logged_in": user.pk, "account_deactivated": staff.pk}


class TestHousekeeping:
    def test_what_would_go_can_be_counted_first(self, user):
        make_family(user, idle_at=timezone.now() - timedelta(seconds=1))
        assert count_expired()["token_families"] == 1
        assert TokenFamily.objects.count() == 1

    def test_what_is_over_goes_and_what_lives_stays(self, user):
        now = timezone.now()
        live = make_family(user)
        make_family(user, idle_at=now - timedelta(seconds=1))
        make_family(user, expires_at=now - timedelta(seconds=1))
        make_family(user).user.token_families.exclude(pk=live.pk).revoke("test")
        self.link(user, now - timedelta(seconds=1))
        kept = self.link(user, now + timedelta(hours=1))
        HeldName.objects.create(username_key="old", created_at=now - timedelta(days=8))
        HeldName.objects.create(username_key="new")
        figures = purge_expired()
        assert list(TokenFamily.objects.all()) == [live]
        assert list(OneTimeLink.objects.all()) == [kept]
        assert HeldName.objects.get().username_key == "new"
        assert figures["token_families"] == 3
        assert (figures["one_time_links"], figures["held_names"]) == (1, 1)

    def test_old_events_expire(self, settings):
        old = timezone.now() - timedelta(days=settings.AUDIT_RETENTION_DAYS, seconds=1)
        AuditEvent.objects.create(event="old", created_at=old)
        AuditEvent.objects.create(event="new")
        assert purge_expired()["audit_events"] == 1
        assert AuditEvent.objects.get().event == "new"

    @pytest.mark.parametrize(("mode", "left"), [("mandatory", 2), ("optional", 3)])
    def test_accounts_that_never_proved_their_address_go_where_they_must(self, mode, left):
        old = timezone.now() - timedelta(days=8)
        make_user(date_joined=old)
        make_user(email_verified_at=None)
        make_user(email_verified_at=None, date_joined=old)
        with override_settings(EMAIL_VERIFICATION=mode):
            purge_expired()
        assert User.objects.count() == left

    def link(self, user, expires_at):
        return OneTimeLink.objects.create(
            user=user,
            purpose="verify_email",
            token_hash=uuid4().hex,
            email=user.email,
            expires_at=expires_at,
        )


def test_mail_of_an_erased_account_is_not_sent(user, sent_mail):
    OutgoingMail.objects.create(kind="reset_password", to=user.email.upper())
    erase_account(user.pk)
    assert [message.subject for message in sent_mail()] == ["Your account was deleted"]
