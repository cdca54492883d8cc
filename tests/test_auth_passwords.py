"""Passwords and addresses: changed, reset, proven."""

import pytest

from tests.factories import PASSWORD, as_user, bearer, link_token, make_family, make_user
from users.models import AuditEvent, OneTimeLink, OutgoingMail, User
from users.tokens import make_access

pytestmark = pytest.mark.django_db

NEW = "Quiet-Amber-Lantern-73"
CHANGE = {"old_password": PASSWORD, "new_password": NEW}


class TestChange:
    def test_every_other_device_ends_at_once(self, api, user, sent_mail):
        mine, other = make_family(user), make_family(user)
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {make_access(mine)}")
        assert api.post("/api/auth/password/change/", CHANGE).status_code == 204
        assert api.get("/api/auth/me/").status_code == 200
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {make_access(other)}")
        assert api.get("/api/auth/me/").status_code == 401
        user.refresh_from_db()
        assert user.check_password(NEW)
        assert "password" in sent_mail()[0].subject

    def test_a_wrong_old_password_changes_nothing(self, user, user_api):
        answer = user_api.post("/api/auth/password/change/", CHANGE | {"old_password": "wrong"})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["old_password"])
        user.refresh_from_db()
        assert user.check_password(PASSWORD)

    def test_the_new_one_is_held_to_the_rules(self, user_api):
        answer = user_api.post("/api/auth/password/change/", CHANGE | {"new_password": "short"})
        assert list(answer.json()["errors"]) == ["new_password"]

    def test_a_stolen_token_may_guess_five_times_a_minute(self, user_api):
        wrong = CHANGE | {"old_password": "wrong"}
        for _ in range(5):
            assert user_api.post("/api/auth/password/change/", wrong).status_code == 400
        refused = user_api.post("/api/auth/password/change/", CHANGE)
        assert refused.status_code == 429
        assert int(refused["Retry-After"]) <= 60

    def test_a_password_set_at_the_command_line_ends_every_device(self, user, user_api):
        user.set_password(NEW)
        user.save()
        assert user_api.get("/api/auth/me/").status_code == 401

    def test_it_voids_an_open_reset_link(self, user, user_api, api, sent_mail):
        api.post("/api/auth/password/reset/", {"email": user.email})
        token = link_token(sent_mail()[0])
        user_api.post("/api/auth/password/change/", CHANGE)
        body = {"uid": str(user.pk), "token": token, "new_password": "Other-Words-Here-19"}
        assert api.post("/api/auth/password/reset/confirm/", body).status_code == 400


class TestReset:
    @pytest.fixture
    def body(self, api, user, sent_mail):
        api.post("/api/auth/password/reset/", {"email": user.email.upper()})
        (message,) = sent_mail()
        assert message.to == [user.email]
        return {"uid": str(user.pk), "token": link_token(message), "new_password": NEW}

    def test_a_new_password_is_set_and_every_device_ends(self, api, user, body, sent_mail):
        access = bearer(user)
        assert api.post("/api/auth/password/reset/confirm/", body).status_code == 204
        user.refresh_from_db()
        assert user.check_password(NEW)
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        assert api.get("/api/auth/me/").status_code == 401
        assert "was changed" in sent_mail()[0].subject

    def test_the_link_works_once(self, api, body):
        api.post("/api/auth/password/reset/confirm/", body)
        again = api.post("/api/auth/password/reset/confirm/", body)
        assert again.json()["code"] == "invalid_link"

    def test_a_refused_password_does_not_spend_the_link(self, api, body):
        weak = api.post("/api/auth/password/reset/confirm/", body | {"new_password": "short"})
        assert weak.status_code == 400
        assert api.post("/api/auth/password/reset/confirm/", body).status_code == 204

    def test_it_proves_the_address(self, api, user, body):
        User.objects.filter(pk=user.pk).update(email_verified_at=None)
        api.post("/api/auth/password/reset/confirm/", body)
        user.refresh_from_db()
        assert user.email_verified

    def test_another_users_id_opens_nothing(self, api, body):
        other = body | {"uid": str(make_user().pk)}
        assert api.post("/api/auth/password/reset/confirm/", other).status_code == 400

    def test_it_voids_a_change_of_address_that_somebody_else_began(self, api, user, sent_mail):
        ask = {"new_email": "thief@example.org", "password": PASSWORD}
        as_user(user).post("/api/auth/email/change/", ask)
        thief = next(link_token(m) for m in sent_mail() if m.to == ["thief@example.org"])
        as_user(user).post("/api/auth/email/change/", ask | {"new_email": "late@example.org"})
        api.post("/api/auth/password/reset/", {"email": user.email})
        reset = next(link_token(m) for m in sent_mail() if "new password" in m.subject)
        as_user(user).post("/api/auth/email/change/", ask)  # its mail has not gone yet
        body = {"uid": str(user.pk), "token": reset, "new_password": NEW}
        assert api.post("/api/auth/password/reset/confirm/", body).status_code == 204
        spent = api.post("/api/auth/email/change/confirm/", {"token": thief})
        assert spent.status_code == 400
        assert {message.to[0] for message in sent_mail()} == {user.email}

    def test_a_token_of_another_purpose_opens_nothing(self, api, user, body):
        OneTimeLink.objects.update(purpose="verify_email")
        assert api.post("/api/auth/password/reset/confirm/", body).status_code == 400

    def test_an_hour_later_it_is_over(self, api, body):
        link = OneTimeLink.objects.get()
        assert (link.expires_at - link.created_at).total_seconds() == pytest.approx(3_600, abs=1)
        OneTimeLink.objects.update(expires_at=link.created_at)
        assert api.post("/api/auth/password/reset/confirm/", body).status_code == 400

    def test_unknown_and_known_addresses_do_the_same_work(
        self, api, user, django_assert_num_queries
    ):
        for email in (user.email, "nobody@example.com"):
            with django_assert_num_queries(1):
                answer = api.post("/api/auth/password/reset/", {"email": email})
            assert (answer.status_code, answer.content) == (202, b"")
        assert OutgoingMail.objects.count() == 2

    def test_nobody_is_mailed_about_an_unknown_address(self, api, sent_mail):
        api.post("/api/auth/password/reset/", {"email": "nobody@example.com"})
        assert sent_mail() == []
        assert not OutgoingMail.objects.exists()

    def test_a_deactivated_account_gets_no_link(self, api, sent_mail):
        user = make_user(is_active=False)
        api.post("/api/auth/password/reset/", {"email": user.email})
        assert sent_mail() == []

    def test_one_mailbox_gets_five_an_hour_from_however_many_places(self, api, user, sent_mail):
        for number in range(8):
            answer = api.post(
                "/api/auth/password/reset/",
                {"email": user.email},
                REMOTE_ADDR=f"198.51.100.{number}",
            )
            assert answer.status_code == 202
        assert len(sent_mail()) == 5


class TestEmailChange:
    ASK = {"new_email": "new@example.org", "password": PASSWORD}

    def test_the_new_address_is_in_force_once_confirmed(self, api, user, user_api, sent_mail):
        old = user.email
        assert user_api.post("/api/auth/email/change/", self.ASK).status_code == 202
        messages = {message.to[0]: message for message in sent_mail()}
        assert set(messages) == {old, "new@example.org"}
        assert user_api.get("/api/auth/me/").json()["email"] == old
        token = link_token(messages["new@example.org"])
        answer = api.post("/api/auth/email/change/confirm/", {"token": token})
        assert answer.json() == {"email": "new@example.org", "email_verified": True}
        told = {message.to[0] for message in sent_mail()}
        assert told == {old, "new@example.org"}
        again = api.post("/api/auth/email/change/confirm/", {"token": token})
        assert again.status_code == 400

    def test_it_takes_the_password(self, user_api, sent_mail):
        answer = user_api.post("/api/auth/email/change/", self.ASK | {"password": "wrong"})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["password"])
        assert sent_mail() == []

    def test_an_address_in_use_answers_the_same_and_stays_its_owners(self, user_api, sent_mail):
        owner = make_user(email="New@example.org")
        answer = user_api.post("/api/auth/email/change/", self.ASK)
        assert (answer.status_code, answer.content) == (202, b"")
        subjects = {message.to[0]: message.subject for message in sent_mail()}
        assert "already" in subjects["New@example.org"]
        owner.refresh_from_db()
        assert owner.email == "New@example.org"

    def test_an_address_that_was_taken_meanwhile_is_refused(self, api, user_api, sent_mail):
        user_api.post("/api/auth/email/change/", self.ASK)
        token = next(link_token(m) for m in sent_mail() if m.to == ["new@example.org"])
        make_user(email="NEW@example.org")
        answer = api.post("/api/auth/email/change/confirm/", {"token": token})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_link")

    def test_reset_links_to_the_old_address_are_void(self, api, user, user_api, sent_mail):
        api.post("/api/auth/password/reset/", {"email": user.email})
        reset = link_token(sent_mail()[0])
        user_api.post("/api/auth/email/change/", self.ASK)
        change = next(link_token(m) for m in sent_mail() if m.to == ["new@example.org"])
        api.post("/api/auth/email/change/confirm/", {"token": change})
        body = {"uid": str(user.pk), "token": reset, "new_password": NEW}
        assert api.post("/api/auth/password/reset/confirm/", body).status_code == 400

    def test_the_page_confirms_too(self, api, user, user_api, sent_mail):
        user_api.post("/api/auth/email/change/", self.ASK)
        token = next(link_token(m) for m in sent_mail() if m.to == ["new@example.org"])
        link = f"/api/auth/email/change/confirm/{token}/"
        assert b"Confirm" in api.get(link).content
        user.refresh_from_db()
        assert user.email != "new@example.org"
        api.post(link, "", content_type="application/x-www-form-urlencoded")
        user.refresh_from_db()
        assert user.email == "new@example.org"

    def test_ones_own_address_is_no_change(self, user, user_api):
        answer = user_api.post("/api/auth/email/change/", self.ASK | {"new_email": user.email})
        assert list(answer.json()["errors"]) == ["new_email"]


def test_each_change_is_written_down(user, sent_mail):
    client = as_user(user)
    client.post("/api/auth/password/change/", CHANGE)
    client.post("/api/auth/email/change/", {"new_email": "n@example.org", "password": NEW})
    events = set(AuditEvent.objects.filter(user_id=user.pk).values_list("event", flat=True))
    assert events == {"password_changed", "email_change_requested"}
