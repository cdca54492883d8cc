"""Tokens: what is in them, how they rotate, and when they end."""

from datetime import timedelta

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from common.keys import signing_keys
from tests.factories import PASSWORD, bearer, make_family, make_user
from users import tokens
from users.errors import InvalidToken
from users.models import AuditEvent, TokenFamily
from users.tokens import make_access, make_refresh, read

pytestmark = pytest.mark.django_db

REFRESH = "/api/auth/token/refresh/"


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def refresh(api, token, path=REFRESH):
    return api.post(path, {"refresh": token})


def later(family, **ago):
    """As if the family had rotated that long ago."""
    TokenFamily.objects.filter(pk=family.pk).update(rotated_at=timezone.now() - timedelta(**ago))


class TestContent:
    def test_tokens_say_who_made_them_for_whom_and_what_they_are(self, user):
        family = make_family(user)
        for token, kind in ((make_access(family), "access"), (make_refresh(family), "refresh")):
            claims = claims_of(token)
            assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
            assert (claims["iss"], claims["aud"]) == ("docent", "docent-api")
            assert (claims["token_type"], claims["sub"]) == (kind, str(user.pk))
            assert claims["jti"]

    def test_an_access_token_lives_a_quarter_of_an_hour_and_a_refresh_token_a_week(self, user):
        family = make_family(user)
        for token, seconds in ((make_access(family), 900), (make_refresh(family), 604_800)):
            claims = claims_of(token)
            assert claims["exp"] - claims["iat"] == seconds

    def test_keys_have_256_bits_and_differ_by_purpose(self):
        keys = {signing_keys(purpose)[0] for purpose in ("jwt", "csrf", "jti")}
        assert {len(key) for key in keys} == {32}
        assert len(keys) == 3

    def test_no_token_is_stored(self, user):
        family = make_family(user)
        row = str(TokenFamily.objects.values().get())
        for token in (make_access(family), make_refresh(family)):
            assert token not in row
            assert claims_of(token)["jti"] not in row

    def test_no_token_outlives_its_family(self, user):
        end = timezone.now() + timedelta(minutes=1)
        family = make_family(user, expires_at=end)
        for token in (make_access(family), make_refresh(family)):
            assert claims_of(token)["exp"] == int(end.timestamp())

    def test_a_token_that_was_taken_before_ends_all_the_same(self, user, monkeypatch):
        token = make_access(make_family(user))
        assert read(token, "access").user_id == user.pk
        end = claims_of(token)["exp"]
        for second, lives in ((end - 0.01, True), (end, False), (end + 0.01, False)):
            monkeypatch.setattr(tokens.time, "time", lambda second=second: second)
            if lives:
                read(token, "access")
            else:
                with pytest.raises(InvalidToken):
                    read(token, "access")

    def test_a_token_that_was_taken_before_ends_with_its_key(self, user, settings):
        settings.JWT_SIGNING_KEYS = ["k" * 40]
        token = make_access(make_family(user))
        read(token)
        settings.JWT_SIGNING_KEYS = ["l" * 40]
        with pytest.raises(InvalidToken):
            read(token)


class TestRotation:
    @pytest.mark.parametrize("path", [REFRESH, "/api/auth/refresh/", "/api/auth/refresh"])
    def test_a_refresh_hands_out_a_new_pair(self, api, user, path):
        token = make_refresh(make_family(user))
        answer = refresh(api, token, path)
        assert answer.status_code == 200
        assert set(answer.json()) == {"access", "refresh"}
        assert answer.json()["refresh"] != token

    def test_a_second_tab_gets_the_same_successor(self, api, user):
        token = make_refresh(make_family(user))
        first, second = refresh(api, token).json(), refresh(api, token).json()
        assert first["refresh"] == second["refresh"]
        assert refresh(api, second["refresh"]).status_code == 200

    def test_the_grace_ends_after_ten_seconds(self, api, user):
        family = make_family(user)
        token = make_refresh(family)
        refresh(api, token)
        later(family, seconds=9)
        assert refresh(api, token).status_code == 200
        later(family, seconds=11)
        assert refresh(api, token).status_code == 401

    def test_a_token_two_generations_old_has_no_grace(self, api, user):
        token = make_refresh(make_family(user))
        successor = refresh(api, token).json()["refresh"]
        refresh(api, successor)
        assert refresh(api, token).status_code == 401

    def test_reuse_ends_the_family_with_its_access_tokens(self, api, user, sent_mail):
        family = make_family(user)
        token = make_refresh(family)
        pair = refresh(api, token).json()
        later(family, minutes=1)
        assert refresh(api, token).json()["code"] == "invalid_token"
        assert refresh(api, pair["refresh"]).status_code == 401
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
        assert api.get("/api/auth/me/").status_code == 401
        assert AuditEvent.objects.filter(event="refresh_token_reused").count() == 1
        assert "safety" in sent_mail()[0].subject

    def test_reuse_ends_no_other_family(self, api, user):
        family, other = make_family(user), make_family(user)
        token = make_refresh(family)
        refresh(api, token)
        later(family, minutes=1)
        refresh(api, token)
        assert refresh(api, make_refresh(other)).status_code == 200

    def test_a_refresh_of_an_expired_family_is_refused(self, api, user):
        family = make_family(user)
        token = make_refresh(family)
        TokenFamily.objects.update(expires_at=timezone.now())
        assert refresh(api, token).status_code == 401

    def test_a_refresh_for_an_erased_user_is_refused(self, api, user):
        token = make_refresh(make_family(user))
        user.delete()
        assert refresh(api, token).status_code == 401

    def test_a_refresh_for_a_deactivated_user_is_refused(self, api, user):
        token = make_refresh(make_family(user))
        user.is_active = False
        user.save()
        assert refresh(api, token).status_code == 401


class TestVerify:
    def test_good_tokens_are_good(self, api, user):
        family = make_family(user)
        for token, kind in ((make_access(family), "access"), (make_refresh(family), "refresh")):
            answer = api.post("/api/auth/token/verify/", {"token": token})
            assert (answer.status_code, answer.json()["token_type"]) == (200, kind)

    def test_ended_and_spent_tokens_are_not(self, api, user):
        family = make_family(user)
        spent = make_refresh(family)
        access = refresh(api, spent).json()["access"]
        assert api.post("/api/auth/token/verify/", {"token": spent}).status_code == 401
        TokenFamily.objects.live().revoke("test")
        assert api.post("/api/auth/token/verify/", {"token": access}).status_code == 401


class TestLogout:
    def test_a_logout_ends_the_access_token_too(self, api, user):
        family = make_family(user)
        access = make_access(family)
        assert api.post("/api/auth/logout/", {"refresh": make_refresh(family)}).status_code == 204
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        assert api.get("/api/auth/me/").status_code == 401

    def test_a_second_logout_is_as_good_as_the_first(self, api, user):
        token = make_refresh(make_family(user))
        codes = [api.post("/api/auth/logout/", {"refresh": token}).status_code for _ in "ab"]
        assert codes == [204, 204]

    def test_an_expired_access_token_does_not_stand_in_the_way(self, api, user):
        family = make_family(user)
        api.credentials(HTTP_AUTHORIZATION="Bearer gone")
        assert api.post("/api/auth/logout/", {"refresh": make_refresh(family)}).status_code == 204

    def test_the_access_token_alone_will_do(self, user, user_api):
        assert user_api.post("/api/auth/logout/", {}).status_code == 204
        assert not TokenFamily.objects.live().exists()

    def test_logout_all_by_refresh_token_ends_the_others(self, api, user):
        family, other = make_family(user), make_family(user)
        theirs = make_family(make_user())
        body = {"refresh": make_refresh(family)}
        assert api.post("/api/auth/logout-all/", body).status_code == 204
        assert list(TokenFamily.objects.live()) == [theirs]
        assert other.pk != theirs.pk

    @pytest.mark.parametrize("path", ["logout", "logout-all"])
    def test_nobody_is_401(self, api, path):
        assert api.post(f"/api/auth/{path}/", {}).status_code == 401


class TestKeys:
    OLD = "an-old-key-with-enough-0123456789-letters-and-digits"
    NEW = "the-new-key-with-enough-9876543210-letters-and-digits"

    @pytest.mark.parametrize("name", ["SECRET_KEY", "JWT_SIGNING_KEYS"])
    def test_old_keys_verify_until_their_tokens_expire(self, api, user, settings, name):
        def use(new, old):
            settings.JWT_SIGNING_KEYS = [new, *old] if name == "JWT_SIGNING_KEYS" else []
            settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = new, old

        use(self.OLD, [])
        access, token = bearer(user), make_refresh(make_family(user))
        use(self.NEW, [self.OLD])
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        assert api.get("/api/auth/me/").status_code == 200
        renewed = refresh(api, token).json()
        use(self.NEW, [])
        assert api.get("/api/auth/me/").status_code == 401
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {renewed['access']}")
        assert api.get("/api/auth/me/").status_code == 200

    @pytest.mark.parametrize(
        "key",
        [
            "short",
            "a" * 64,
            "abc" * 30,
            "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz-0123456789",
            "insecure-development-key-for-one-machine-only-0123456789",
            "changeme-changeme-changeme-0123456789-abcdefgh",
        ],
    )
    def test_nothing_starts_with_a_weak_key_outside_debug(self, settings, key):
        from django.apps import apps

        from users.checks import check_keys

        settings.SECRET_KEY = key
        with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
            apps.get_app_config("users").ready()
        assert [message.id for message in check_keys(None)] == ["users.E001"]

    def test_a_weak_signing_key_is_named_and_not_shown(self, settings):
        from users.checks import check_keys

        settings.JWT_SIGNING_KEYS = [self.NEW, "too-short-hunter2"]
        (message,) = check_keys(None)
        assert "JWT_SIGNING_KEYS[1]" in message.msg
        assert "hunter2" not in message.msg

    def test_a_development_key_is_fine_in_debug(self, settings):
        from users.checks import check_keys

        settings.DEBUG, settings.SECRET_KEY = True, "short"
        assert check_keys(None) == []

    @pytest.mark.parametrize(("url", "found"), [("http://x", ["users.W001"]), ("https://x", [])])
    def test_links_should_begin_with_https(self, settings, url, found):
        from users.checks import check_public_url

        settings.PUBLIC_URL = url
        assert [message.id for message in check_public_url(None)] == found

    def test_a_wrong_word_for_verification_is_an_error(self, settings):
        from users.checks import check_verification

        settings.EMAIL_VERIFICATION = "mandatroy"
        assert [message.id for message in check_verification(None)] == ["users.E002"]


class TestCookies:
    @pytest.fixture
    def browser(self, api):
        make_user(username="ada")
        body = {"username": "ada", "password": PASSWORD, "cookie": True}
        api.answer = api.post("/api/auth/login/", body)
        return api

    def proof(self, browser):
        return {"HTTP_X_CSRFTOKEN": browser.cookies["csrftoken"].value}

    def test_tokens_are_in_cookies_alone(self, browser):
        assert set(browser.answer.json()) == {"csrf_token", "user"}
        for name in ("docent_access", "docent_refresh"):
            cookie = browser.cookies[name]
            assert cookie["httponly"]
            assert cookie["secure"]
            assert cookie["samesite"] == "Lax"
            assert not cookie["domain"]

    def test_the_refresh_cookie_goes_to_the_account_paths_alone(self, browser):
        assert browser.cookies["docent_refresh"]["path"] == "/api/auth/"

    def test_secure_is_left_off_in_debug_alone(self, api, settings):
        settings.DEBUG = True
        make_user(username="ada")
        body = {"username": "ada", "password": PASSWORD, "cookie": True}
        api.post("/api/auth/login/", body)
        assert not api.cookies["docent_access"]["secure"]

    def test_a_safe_request_needs_no_proof(self, browser):
        assert browser.get("/api/auth/me/").status_code == 200

    def test_an_unsafe_request_needs_the_proof(self, browser):
        bare = browser.patch("/api/auth/me/", {"first_name": "Ada"})
        assert (bare.status_code, bare.json()["code"]) == (403, "csrf_failed")
        proven = browser.patch("/api/auth/me/", {"first_name": "Ada"}, **self.proof(browser))
        assert proven.status_code == 200

    def test_a_refresh_needs_the_proof_and_answers_in_cookies(self, browser):
        old = browser.cookies["docent_refresh"].value
        assert browser.post(REFRESH, {}).status_code == 403
        answer = browser.post(REFRESH, {}, **self.proof(browser))
        assert set(answer.json()) == {"csrf_token"}
        assert browser.cookies["docent_refresh"].value != old
        assert browser.get("/api/auth/me/").status_code == 200

    def test_a_logout_takes_the_cookies_back(self, browser):
        assert browser.post("/api/auth/logout/", {}).status_code == 403
        assert browser.post("/api/auth/logout/", {}, **self.proof(browser)).status_code == 204
        assert browser.cookies["docent_access"].value == ""
        assert browser.get("/api/auth/me/").status_code == 401
        assert not TokenFamily.objects.live().exists()

    def test_a_logout_works_when_the_access_cookie_has_expired(self, browser):
        proof = self.proof(browser)
        del browser.cookies["docent_access"]
        assert browser.post("/api/auth/logout/", {}, **proof).status_code == 204
        assert not TokenFamily.objects.live().exists()

    def test_a_logout_works_when_the_access_cookie_is_no_good(self, browser):
        browser.cookies["docent_access"] = "expired"
        assert browser.post("/api/auth/logout/", {}, **self.proof(browser)).status_code == 204
        assert not TokenFamily.objects.live().exists()

    def test_a_logout_everywhere_works_by_cookie(self, browser):
        make_family(TokenFamily.objects.get().user)
        assert browser.post("/api/auth/logout-all/", {}).status_code == 403
        assert browser.post("/api/auth/logout-all/", {}, **self.proof(browser)).status_code == 204
        assert not TokenFamily.objects.live().exists()

    def test_the_header_goes_before_the_cookie(self, browser):
        grace = make_user(username="grace")
        browser.credentials(HTTP_AUTHORIZATION=f"Bearer {bearer(grace)}")
        answer = browser.patch("/api/auth/me/", {"first_name": "Grace"})
        assert (answer.status_code, answer.json()["username"]) == (200, "grace")

    def test_a_bad_header_is_not_saved_by_a_good_cookie(self, browser):
        browser.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
        assert browser.get("/api/auth/me/").status_code == 401

    @pytest.mark.parametrize(
        "given", ["", "x", "a" * 64, "é", "another family's", "cookie only", "header only"]
    )
    def test_a_wrong_proof_is_refused(self, browser, given):
        token = browser.cookies["csrftoken"].value
        cookie = header = given
        if given == "another family's":
            from users.cookies import csrf_token

            cookie = header = csrf_token(make_family(make_user()).pk)
        elif given == "cookie only":
            cookie, header = token, ""
        elif given == "header only":
            cookie, header = "planted", token
        browser.cookies["csrftoken"] = cookie
        answer = browser.patch("/api/auth/me/", {}, HTTP_X_CSRFTOKEN=header)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")

    @pytest.mark.parametrize(
        ("origin", "status"),
        [
            ("http://testserver", 200),
            ("http://localhost:8000", 200),
            ("https://app.example", 200),
            ("https://evil.example", 403),
            ("null", 403),
            ("http://testserver.evil.example", 403),
            ("", 403),
        ],
    )
    def test_the_origin_must_be_ours_or_allowed(self, browser, settings, origin, status):
        settings.CSRF_TRUSTED_ORIGINS = ["https://app.example"]
        answer = browser.patch("/api/auth/me/", {}, HTTP_ORIGIN=origin, **self.proof(browser))
        assert answer.status_code == status

    def test_proof_outlives_a_change_of_key(self, browser, settings):
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = TestKeys.NEW
        assert browser.patch("/api/auth/me/", {}, **self.proof(browser)).status_code == 200
