"""Registration, verification, log-in and the profile, as a client sees them."""

import pytest
from django.conf import settings
from django.test import override_settings

from tests.factories import PASSWORD, as_user, bearer, link_token, make_family, make_user
from users.models import AuditEvent, HeldName, OneTimeLink, TokenFamily, User

pytestmark = pytest.mark.django_db

ADA = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}


def log_in(api, name="ada", password=PASSWORD, **extra):
    return api.post("/api/auth/login/", {"username": name, "password": password}, **extra)


class TestLife:
    def test_an_account_goes_from_registration_to_logout(self, api, sent_mail):
        registered = api.post("/api/auth/register/", ADA)
        assert registered.status_code == 201
        verified = api.post("/api/auth/verify-email/", {"token": link_token(sent_mail()[0])})
        assert verified.json() == {"email": "ada@example.com", "email_verified": True}
        tokens = log_in(api).json()
        tokens |= api.post("/api/auth/token/refresh/", {"refresh": tokens["refresh"]}).json()
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
        assert api.get("/api/auth/me/").json()["username"] == "ada"
        left = api.post("/api/auth/logout/", {"refresh": tokens["refresh"]})
        assert left.status_code == 204
        assert api.get("/api/auth/me/").status_code == 401

    def test_paths_answer_without_the_slash(self, api):
        assert api.post("/api/auth/register", ADA).status_code == 201
        assert log_in(api).status_code == 200


class TestRegistration:
    def test_the_answer_has_these_fields_alone(self, api):
        answer = api.post("/api/auth/register/", ADA).json()
        user = User.objects.get()
        assert set(answer) == {"id", "username", "email", "date_joined"}
        assert answer["id"] == str(user.pk)
        assert answer["date_joined"].endswith("Z")

    def test_an_address_in_use_looks_the_same_and_makes_no_account(self, api, sent_mail):
        owner = make_user(email="Ada@Example.com")
        answer = api.post("/api/auth/register/", ADA)
        assert answer.status_code == 201
        assert set(answer.json()) == {"id", "username", "email", "date_joined"}
        assert User.objects.get() == owner
        (message,) = sent_mail()
        assert message.to == ["Ada@Example.com"]
        assert "already" in message.subject

    def test_an_address_in_use_costs_the_same_hash(self, api, settings):
        make_user(email="ada@example.com")
        settings.PASSWORD_HASHERS = ["tests.hashers.CountingHasher"]
        from tests.hashers import CountingHasher

        CountingHasher.calls = 0
        api.post("/api/auth/register/", ADA)
        assert CountingHasher.calls == 1

    def test_the_name_of_such_a_registration_is_taken_like_any_other(self, api):
        make_user(email="ada@example.com")
        api.post("/api/auth/register/", ADA)
        again = api.post("/api/auth/register/", ADA | {"email": "other@example.com"})
        assert again.status_code == 400
        assert again.json()["errors"] == {"username": ["This username is taken."]}

    @override_settings(EMAIL_VERIFICATION="mandatory")
    def test_the_held_name_answers_its_password_like_an_unverified_account(self, api):
        make_user(email="ada@example.com")
        api.post("/api/auth/register/", ADA)
        api.post("/api/auth/register/", ADA | {"username": "eve", "email": "eve@example.com"})
        held, real = log_in(api, "ada"), log_in(api, "eve")
        assert (held.status_code, held.json()) == (real.status_code, real.json())
        assert held.json()["code"] == "email_not_verified"
        assert log_in(api, "ada", "wrong").json()["code"] == "invalid_credentials"

    @pytest.mark.parametrize("spelling", ["ada", "ADA", "Ada", "ａｄａ", "ᴬda", "AD\uff21"])
    def test_a_name_is_taken_in_every_spelling(self, api, spelling):
        make_user(username="ada")
        answer = api.post("/api/auth/register/", ADA | {"username": spelling})
        assert answer.status_code == 400
        assert "username" in answer.json()["errors"]

    @pytest.mark.parametrize("spelling", ["ADA@EXAMPLE.COM", "Ada@Example.Com", " ada@example.com"])
    def test_an_address_is_in_use_in_every_spelling(self, api, spelling):
        make_user(email="ada@example.com")
        api.post("/api/auth/register/", ADA | {"email": spelling})
        assert User.objects.count() == 1

    def test_an_international_domain_is_one_in_both_forms(self, api):
        make_user(email="ada@bücher.example")
        api.post("/api/auth/register/", ADA | {"email": "ada@xn--bcher-kva.example"})
        assert User.objects.count() == 1

    @pytest.mark.parametrize(
        ("password", "reason"),
        [
            ("short1!", "too short"),
            ("password123", "too common"),
            ("qwertyuiop", "too common"),
            ("73519284650", "entirely numeric"),
            ("adalovelace", "too similar"),
        ],
    )
    def test_a_weak_password_is_refused_by_its_rule(self, api, password, reason):
        body = {"username": "adalovelace", "email": "ada@example.com", "password": password}
        answer = api.post("/api/auth/register/", body)
        assert answer.status_code == 400
        assert any(reason in line for line in answer.json()["errors"]["password"])

    def test_blanks_around_a_password_belong_to_it(self, api):
        api.post("/api/auth/register/", ADA | {"password": f" {PASSWORD} "})
        assert log_in(api).status_code == 401
        assert log_in(api, password=f" {PASSWORD} ").status_code == 200

    def test_the_password_is_stored_as_pbkdf2_at_djangos_cost(self, api, settings):
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
        from django.contrib.auth.hashers import PBKDF2PasswordHasher

        api.post("/api/auth/register/", ADA)
        algorithm, iterations, *_ = User.objects.get().password.split("$")
        assert (algorithm, int(iterations)) == ("pbkdf2_sha256", PBKDF2PasswordHasher.iterations)

    @pytest.mark.parametrize("name", ["email", "username", "password"])
    def test_each_field_is_needed(self, api, name):
        body = {key: value for key, value in ADA.items() if key != name}
        assert set(api.post("/api/auth/register/", body).json()["errors"]) == {name}


class TestVerification:
    def test_a_link_begins_with_the_public_url_whatever_the_host(self, api, sent_mail, settings):
        settings.PUBLIC_URL = "https://docent.example"
        settings.ALLOWED_HOSTS = ["*"]
        api.post("/api/auth/register/", ADA, HTTP_HOST="evil.example")
        (message,) = sent_mail()
        html = message.alternatives[0].content
        assert "https://docent.example/api/auth/verify-email/" in message.body
        assert "https://docent.example/api/auth/verify-email/" in html
        assert "evil" not in message.body + html

    def test_a_link_can_lead_to_the_front_end(self, api, sent_mail, settings):
        settings.VERIFY_EMAIL_URL = "https://app.example/verify?token={token}"
        api.post("/api/auth/register/", ADA)
        assert "https://app.example/verify?token=" in sent_mail()[0].body

    def test_only_the_hash_of_the_token_is_stored(self, api, sent_mail):
        api.post("/api/auth/register/", ADA)
        token = link_token(sent_mail()[0])
        row = OneTimeLink.objects.values().get()
        assert len(token) == 43  # 256 bits in base64
        assert token not in str(row)

    def test_a_token_works_once(self, api, sent_mail):
        api.post("/api/auth/register/", ADA)
        token = link_token(sent_mail()[0])
        assert api.post("/api/auth/verify-email/", {"token": token}).status_code == 200
        again = api.post("/api/auth/verify-email/", {"token": token})
        assert (again.status_code, again.json()["code"]) == (400, "invalid_link")

    def test_a_token_ends_after_a_day(self, api, sent_mail):
        api.post("/api/auth/register/", ADA)
        token = link_token(sent_mail()[0])
        link = OneTimeLink.objects.get()
        assert (link.expires_at - link.created_at).total_seconds() == pytest.approx(86_400, abs=1)
        OneTimeLink.objects.update(expires_at=link.created_at)
        assert api.post("/api/auth/verify-email/", {"token": token}).status_code == 400

    def test_a_new_link_voids_the_older_ones(self, api, sent_mail):
        api.post("/api/auth/register/", ADA)
        old = link_token(sent_mail()[0])
        assert (
            api.post("/api/auth/resend-verification/", {"email": ADA["email"]}).status_code == 202
        )
        new = link_token(sent_mail()[0])
        assert api.post("/api/auth/verify-email/", {"token": old}).status_code == 400
        assert api.post("/api/auth/verify-email/", {"token": new}).status_code == 200

    @pytest.mark.parametrize("email", ["nobody@example.com", "done@example.com"])
    def test_resend_says_nothing_and_mails_nobody_who_needs_no_link(self, api, sent_mail, email):
        make_user(email="done@example.com")
        answer = api.post("/api/auth/resend-verification/", {"email": email})
        assert (answer.status_code, answer.content) == (202, b"")
        assert sent_mail() == []

    @override_settings(EMAIL_VERIFICATION="mandatory")
    def test_an_unverified_account_is_told_so_only_after_a_right_password(self, api):
        make_user(username="ada", email_verified_at=None)
        assert log_in(api, password="wrong").json()["code"] == "invalid_credentials"
        refused = log_in(api)
        assert (refused.status_code, refused.json()["code"]) == (403, "email_not_verified")

    @override_settings(EMAIL_VERIFICATION="optional")
    def test_an_unverified_account_may_log_in_where_that_is_optional(self, api):
        make_user(username="ada", email_verified_at=None)
        assert log_in(api).json()["user"]["email_verified"] is False


class TestPages:
    def link(self, api, sent_mail):
        api.post("/api/auth/register/", ADA)
        return f"/api/auth/verify-email/{link_token(sent_mail()[0])}/"

    def test_opening_the_link_spends_nothing(self, api, sent_mail):
        link = self.link(api, sent_mail)
        for method in (api.get, api.head, api.options, api.get):
            method(link)
        assert User.objects.get().email_verified is False
        assert OneTimeLink.objects.get().spent_at is None

    def test_the_button_posts_without_a_script(self, api, sent_mail):
        link = self.link(api, sent_mail)
        page = api.get(link, HTTP_ACCEPT="text/html")
        assert b'<form method="post">' in page.content
        assert b"<script" not in page.content
        assert b"style=" not in page.content
        done = api.post(link, "", content_type="application/x-www-form-urlencoded")
        assert done.status_code == 200
        assert b"is verified" in done.content
        assert User.objects.get().email_verified is True

    def test_the_page_may_load_nothing_foreign_and_is_kept_nowhere(self, api, sent_mail):
        page = api.get(self.link(api, sent_mail))
        assert "default-src 'none'" in page["Content-Security-Policy"]
        assert page["Cache-Control"] == "no-store"
        assert page["Referrer-Policy"] == "no-referrer"
        assert page["Content-Type"].startswith("text/html")

    def test_a_spent_link_says_so_on_the_page(self, api, sent_mail):
        link = self.link(api, sent_mail)
        form = {"content_type": "application/x-www-form-urlencoded"}
        api.post(link, "", **form)
        again = api.post(link, "", **form)
        assert again.status_code == 400
        assert b"not valid any more" in again.content

    def test_a_limit_and_a_wrong_method_are_pages_too(self, api):
        form = {"content_type": "application/x-www-form-urlencoded"}
        link = f"/api/auth/verify-email/{'a' * 43}/"
        answers = [api.post(link, "", **form) for _ in range(31)]
        assert {answer.status_code for answer in answers[:30]} == {400}
        assert answers[30].status_code == 429
        assert b"Too many requests" in answers[30].content
        assert int(answers[30]["Retry-After"]) <= 60
        assert api.delete(link).status_code == 405
        other = api.post(link, {}, format="json", REMOTE_ADDR="198.51.100.9")
        assert other.status_code == 415

    @pytest.mark.parametrize("body", ["", "new_password=", "new_password=" + "a" * 257])
    def test_a_password_that_is_none_is_asked_again(self, api, user, body):
        link = f"/api/auth/password/reset/{user.pk}/{'a' * 43}/"
        again = api.post(link, body, content_type="application/x-www-form-urlencoded")
        assert again.status_code == 400
        assert b'type="password"' in again.content

    def test_a_password_is_set_on_the_page(self, api, sent_mail):
        user = make_user(email="ada@example.com")
        api.post("/api/auth/password/reset/", {"email": "ada@example.com"})
        (message,) = sent_mail()
        link = f"/api/auth/password/reset/{user.pk}/{link_token(message)}/"
        assert f"http://localhost:8000{link}" in message.body
        assert b'type="password"' in api.get(link).content
        form = {"content_type": "application/x-www-form-urlencoded"}
        weak = api.post(link, "new_password=short", **form)
        assert weak.status_code == 400
        assert b"too short" in weak.content
        done = api.post(link, "new_password=Quiet-Amber-Lantern-73", **form)
        assert done.status_code == 200
        user.refresh_from_db()
        assert user.check_password("Quiet-Amber-Lantern-73")


class TestLogIn:
    @pytest.mark.parametrize("name", ["ada", "ADA", "ａｄａ"])
    def test_by_username_in_any_spelling(self, api, name):
        make_user(username="ada")
        assert log_in(api, name).status_code == 200

    @pytest.mark.parametrize("field", ["email", "username"])
    def test_by_address_in_either_field(self, api, field):
        make_user(email="ada@example.com")
        body = {field: "ADA@example.com", "password": PASSWORD}
        assert api.post("/api/auth/login/", body).status_code == 200

    def test_the_answer_holds_tokens_and_the_user(self, api):
        make_user(username="ada")
        answer = log_in(api)
        assert set(answer.json()) == {"access", "refresh", "user"}
        assert answer.json()["user"]["role"] == "user"
        assert answer["Cache-Control"] == "no-store"
        assert not answer.cookies

    def test_every_wrong_pair_gets_the_same_answer(self, api):
        make_user(username="ada")
        make_user(username="gone", is_active=False)
        wrong = [log_in(api, "ada", "wrong"), log_in(api, "nobody"), log_in(api, "gone")]
        wrong.append(log_in(api, "nobody@example.com"))
        assert {answer.status_code for answer in wrong} == {401}
        assert len({answer.content for answer in wrong}) == 1
        assert wrong[0].json()["code"] == "invalid_credentials"

    @pytest.mark.parametrize("name", ["ada", "nobody", "nobody@example.com", "gone"])
    def test_every_wrong_pair_costs_one_hash(self, api, settings, name):
        settings.PASSWORD_HASHERS = ["tests.hashers.CountingHasher"]
        from tests.hashers import CountingHasher

        make_user(username="ada")
        make_user(username="gone", is_active=False)
        CountingHasher.calls = 0
        log_in(api, name, "wrong")
        assert CountingHasher.calls == 1

    def test_an_old_hash_is_upgraded_and_no_device_logged_out(self, api, settings):
        user = make_user(username="ada")
        family = make_family(user)
        settings.PASSWORD_HASHERS = [
            "tests.hashers.CountingHasher",
            "django.contrib.auth.hashers.MD5PasswordHasher",
        ]
        assert log_in(api).status_code == 200
        user.refresh_from_db()
        family.refresh_from_db()
        assert user.password.startswith("counting$")
        assert family.revoked_at is None

    def test_costs_at_most_five_queries(self, api, django_assert_max_num_queries):
        make_user(username="ada", last_login="2026-01-01T00:00:00Z")
        with django_assert_max_num_queries(5):
            assert log_in(api, REMOTE_ADDR="198.51.100.9").status_code == 200

    def test_an_authenticated_request_costs_one_query(self, user_api, django_assert_num_queries):
        with django_assert_num_queries(1):
            assert user_api.get("/api/auth/me/").status_code == 200

    def test_a_refresh_costs_at_most_six_queries(self, api, user, django_assert_max_num_queries):
        from users.tokens import make_refresh

        token = make_refresh(make_family(user))
        with django_assert_max_num_queries(6):
            api.post("/api/auth/refresh/", {"refresh": token})

    def test_what_was_typed_is_not_kept(self, api):
        log_in(api, "hunter2-as-a-name", "hunter2-as-a-word")
        assert "hunter2" not in str(list(AuditEvent.objects.values()))

    def test_it_is_written_down_with_address_and_request(self, api):
        user = make_user(username="ada")
        log_in(api, HTTP_X_REQUEST_ID="request-0001", REMOTE_ADDR="198.51.100.9")
        event = AuditEvent.objects.get(event="logged_in")
        assert (event.user_id, event.address) == (user.pk, "198.51.100.9")
        assert event.request_id == "request-0001"

    def test_the_owner_hears_of_a_device_that_is_new(self, api, sent_mail):
        make_user(username="ada")
        log_in(api, REMOTE_ADDR="198.51.100.1")
        log_in(api, REMOTE_ADDR="198.51.100.1")
        assert sent_mail() == []
        log_in(api, REMOTE_ADDR="203.0.113.5")
        (message,) = sent_mail()
        assert "new device" in message.subject
        assert "203.0.113.5" in message.body


class TestProfile:
    def test_a_profile_can_be_changed(self, user, user_api):
        body = {"username": "Grace", "first_name": "Grace", "last_name": "Hopper"}
        answer = user_api.patch("/api/auth/me/", body).json()
        assert {key: answer[key] for key in body} == body
        user.refresh_from_db()
        assert user.username_key == "grace"

    def test_a_new_username_is_told_to_the_owner(self, user_api, sent_mail):
        user_api.patch("/api/auth/me/", {"username": "grace"})
        assert "username" in sent_mail()[0].subject

    def test_a_taken_username_is_refused(self, user_api):
        make_user(username="grace")
        answer = user_api.patch("/api/auth/me/", {"username": "GRACE"})
        assert answer.json()["errors"] == {"username": ["This username is taken."]}

    def test_another_spelling_of_ones_own_name_is_fine(self):
        ada = as_user(make_user(username="ada"))
        assert ada.patch("/api/auth/me/", {"username": "ADA"}).status_code == 200

    @pytest.mark.parametrize(
        "field",
        ["id", "email", "email_verified", "email_verified_at", "is_staff", "is_superuser", "role",
         "is_active", "groups", "user_permissions", "password", "date_joined", "last_login"],
    )  # fmt: skip
    def test_no_field_of_a_request_changes_what_is_not_a_profile(self, user, user_api, field):
        before = User.objects.values().get(pk=user.pk)
        value = "2020-01-01T00:00:00Z" if field in ("date_joined", "last_login") else True
        answer = user_api.patch("/api/auth/me/", {field: value})
        assert answer.status_code == 200
        assert User.objects.values().get(pk=user.pk) == before

    @pytest.mark.parametrize("field", ["is_staff", "is_superuser", "role", "is_active"])
    def test_registration_gives_no_role(self, api, field):
        api.post("/api/auth/register/", ADA | {field: "admin" if field == "role" else True})
        user = User.objects.get()
        assert (user.role, user.is_active) == ("user", True)

    @pytest.mark.parametrize(
        ("fields", "role"),
        [({}, "user"), ({"is_staff": True}, "staff"), ({"is_superuser": True}, "admin")],
    )
    def test_the_role_is_told(self, fields, role):
        assert as_user(make_user(**fields)).get("/api/auth/me/").json()["role"] == role


class TestDevices:
    def test_a_device_is_listed_with_what_it_is(self, api):
        make_user(username="ada")
        access = log_in(api, HTTP_USER_AGENT="Browser 1", REMOTE_ADDR="198.51.100.9").json()
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {access['access']}")
        page = api.get("/api/auth/me/sessions/").json()
        assert page["count"] == 1
        (device,) = page["results"]
        assert device["user_agent"] == "Browser 1"
        assert device["address"] == "198.51.100.9"
        assert device["current"] is True
        assert set(device) >= {"id", "created_at", "last_used_at"}

    def test_ending_a_device_ends_its_access_token(self, user, user_api):
        other = make_family(user)
        from users.tokens import make_access

        access = make_access(other)
        assert user_api.delete(f"/api/auth/me/sessions/{other.pk}/").status_code == 204
        user_api.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        assert user_api.get("/api/auth/me/").status_code == 401

    def test_somebody_elses_device_does_not_exist(self, user_api):
        theirs = make_family(make_user())
        answer = user_api.delete(f"/api/auth/me/sessions/{theirs.pk}/")
        nothing = user_api.delete("/api/auth/me/sessions/0193f5c2-0000-7000-8000-000000000000/")
        assert answer.status_code == nothing.status_code == 404
        assert answer.content == nothing.content
        theirs.refresh_from_db()
        assert theirs.revoked_at is None

    def test_logout_all_ends_every_device(self, user, user_api, sent_mail):
        others = [bearer(user), bearer(user)]
        assert user_api.post("/api/auth/logout-all/", {}).status_code == 204
        assert not TokenFamily.objects.live().exists()
        for access in others:
            user_api.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
            assert user_api.get("/api/auth/me/").status_code == 401
        assert "everywhere" in sent_mail()[0].subject

    def test_deactivation_ends_every_token_for_good(self, user, user_api):
        user.is_active = False
        user.save()
        assert user_api.get("/api/auth/me/").status_code == 401
        user.is_active = True
        user.save()
        assert user_api.get("/api/auth/me/").status_code == 401

    def test_deactivation_by_a_bare_update_counts_at_once(self, user, user_api):
        User.objects.filter(pk=user.pk).update(is_active=False)
        assert user_api.get("/api/auth/me/").status_code == 401


def test_names_held_for_nobody_hold_no_address(api):
    make_user(email="ada@example.com")
    api.post("/api/auth/register/", ADA)
    assert "example.com" not in str(HeldName.objects.values().get())


def test_settings_are_the_documented_ones():
    assert settings.JWT_ACCESS_LIFETIME.total_seconds() == 900
    assert settings.JWT_REFRESH_LIFETIME.days == 7
