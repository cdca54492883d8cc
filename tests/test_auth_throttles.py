"""Limits: who is counted under what, what the answer says, and what holds without Redis."""

import socket

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.urls import path
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from common.rates import check_rate, forget_counts
from common.redis import get_redis
from common.throttling import ScopedThrottle
from tests.factories import PASSWORD, as_user, make_user
from users.models import AuditEvent

pytestmark = pytest.mark.django_db


def guess(api, name, address, password="wrong", **headers):
    body = {"username": name, "password": password}
    return api.post("/api/auth/login/", body, REMOTE_ADDR=address, **headers)


def addresses(count, network="198.51.100"):
    return [f"{network}.{number}" for number in range(1, count + 1)]


@pytest.fixture
def dead_redis(settings):
    """A Redis that is named and does not answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings.USE_FAKE_REDIS, settings.REDIS_URL = False, f"redis://127.0.0.1:{port}/0"
    get_redis.cache_clear()
    yield
    get_redis.cache_clear()


class TestLogIn:
    def test_the_sixth_attempt_at_an_account_in_a_minute_is_refused(self, api):
        make_user(username="ada")
        codes = [guess(api, "ada", place).status_code for place in addresses(6)]
        assert codes == [401] * 5 + [429]

    def test_the_sixth_attempt_from_an_address_is_refused(self, api):
        codes = [guess(api, f"person{n}", "198.51.100.1").status_code for n in range(6)]
        assert codes == [401] * 5 + [429]

    def test_an_unknown_account_is_counted_like_a_known_one(self, api):
        make_user(username="ada")
        known = [guess(api, "ada", place) for place in addresses(6)]
        unknown = [guess(api, "eve", place) for place in addresses(6, "203.0.113")]
        for a, b in zip(known, unknown, strict=True):
            assert (a.status_code, a["RateLimit"]) == (b.status_code, b["RateLimit"])

    def test_name_and_address_are_one_account_to_a_guesser(self, api):
        make_user(username="ada", email="ada@example.com")
        for place in addresses(5):
            guess(api, "ada", place)
        right = guess(api, "ada@example.com", "203.0.113.1", PASSWORD)
        assert right.status_code == 401

    def test_and_nothing_tells_that_they_belong_together(self, api):
        make_user(username="ada", email="ada@example.com")
        for place in addresses(5):
            guess(api, "ada", place)
        theirs = guess(api, "ada@example.com", "203.0.113.1")
        nobodys = guess(api, "eve@example.com", "203.0.113.2")
        assert (theirs.status_code, theirs.content) == (nobodys.status_code, nobodys.content)
        assert theirs["RateLimit"] == nobodys["RateLimit"]

    @pytest.mark.parametrize("spelling", ["ADA", "ａｄａ", " ada "])
    def test_another_spelling_is_the_same_account(self, api, spelling):
        make_user(username="ada")
        for place in addresses(5):
            guess(api, "ada", place)
        assert guess(api, spelling, "203.0.113.1").status_code == 429

    def test_a_flood_from_everywhere_does_not_lock_the_owner_out(self, api):
        make_user(username="ada")
        home = "192.0.2.44"
        assert guess(api, "ada", home, PASSWORD).status_code == 200
        for place in addresses(60):
            guess(api, "ada", place)
        assert guess(api, "ada", "203.0.113.9", PASSWORD).status_code == 429
        assert guess(api, "ada", home, PASSWORD).status_code == 200

    def test_a_known_address_may_not_guess_more_either(self, api):
        make_user(username="ada")
        guess(api, "ada", "192.0.2.44", PASSWORD)
        codes = [guess(api, "ada", "192.0.2.44").status_code for _ in range(5)]
        assert codes == [401] * 4 + [429]

    def test_the_minute_slides(self):
        for second in range(5):
            check_rate("login", "x", "5/m", now=1_000.0 + second)
        with pytest.raises(Exception, match="Too many") as refused:
            check_rate("login", "x", "5/m", now=1_059.0)
        assert refused.value.retry_after == 1
        check_rate("login", "x", "5/m", now=1_060.5)
        with pytest.raises(Exception, match="Too many"):
            check_rate("login", "x", "5/m", now=1_060.6)

    def test_the_admin_is_no_way_around(self, client):
        make_user(username="root", is_staff=True, is_superuser=True)
        form = {"username": "root", "password": "wrong"}
        for place in addresses(5):
            client.post("/admin/login/", form, REMOTE_ADDR=place)
        right = {"username": "root", "password": PASSWORD}
        client.post("/admin/login/", right, REMOTE_ADDR="203.0.113.1")
        assert "_auth_user_id" not in client.session

    def test_the_admin_lets_a_right_password_in(self, client):
        make_user(username="root", is_staff=True, is_superuser=True)
        client.post("/admin/login/", {"username": "ROOT", "password": PASSWORD})
        assert "_auth_user_id" in client.session
        assert AuditEvent.objects.get().event == "logged_in_by_form"


class TestForwardedAddresses:
    @pytest.mark.parametrize(
        "header",
        [
            "HTTP_X_FORWARDED_FOR",
            "HTTP_X_REAL_IP",
            "HTTP_FORWARDED",
            "HTTP_X_CLIENT_IP",
            "HTTP_TRUE_CLIENT_IP",
            "HTTP_CF_CONNECTING_IP",
            "HTTP_X_FORWARDED",
            "HTTP_X_CLUSTER_CLIENT_IP",
        ],
    )
    def test_no_header_makes_a_new_client(self, api, header):
        codes = [
            guess(api, f"person{n}", "198.51.100.1", **{header: f"203.0.113.{n}"}).status_code
            for n in range(6)
        ]
        assert codes == [401] * 5 + [429]

    def test_behind_one_proxy_only_the_last_hop_counts(self, api, settings):
        settings.TRUSTED_PROXIES = 1
        codes = [
            guess(
                api, f"person{n}", "10.0.0.1", HTTP_X_FORWARDED_FOR=f"203.0.113.{n}, 198.51.100.1"
            ).status_code
            for n in range(6)
        ]
        assert codes == [401] * 5 + [429]

    def test_behind_one_proxy_clients_are_told_apart(self, api, settings):
        settings.TRUSTED_PROXIES = 1
        codes = {
            guess(api, f"person{n}", "10.0.0.1", HTTP_X_FORWARDED_FOR=f"203.0.113.{n}").status_code
            for n in range(10)
        }
        assert codes == {401}

    def test_one_ipv6_network_is_one_client(self, api):
        codes = [guess(api, f"person{n}", f"2001:db8::{n:x}").status_code for n in range(6)]
        assert codes == [401] * 5 + [429]


class TestAnswers:
    def test_every_counted_answer_tells_what_is_left(self, api):
        answer = guess(api, "ada", "198.51.100.1")
        assert answer["RateLimit-Policy"] == '"login";q=5;w=60, "login-account";q=5;w=60'
        assert answer["RateLimit"].startswith('"login";r=4;t=')

    def test_a_refusal_says_when_to_come_back(self, api):
        answer = [guess(api, "ada", "198.51.100.1") for _ in range(6)][-1]
        body = answer.json()
        assert (answer.status_code, body["code"]) == (429, "throttled")
        assert answer["Content-Type"] == "application/problem+json"
        assert 1 <= int(answer["Retry-After"]) == body["retry_after"] <= 60
        assert '"login";r=0' in answer["RateLimit"]

    def test_an_answer_that_was_not_counted_says_nothing(self, user_api):
        assert "RateLimit" not in user_api.get("/api/auth/me/").headers

    def test_registration_is_limited_by_address(self, api):
        codes = [
            api.post(
                "/api/auth/register/", {"username": "x"}, REMOTE_ADDR="198.51.100.1"
            ).status_code
            for _ in range(11)
        ]
        assert codes == [400] * 10 + [429]

    @pytest.mark.parametrize("name", ["password/reset", "resend-verification"])
    def test_mail_is_limited_by_address(self, api, name):
        codes = [
            api.post(f"/api/auth/{name}/", {"email": f"a{n}@example.com"}).status_code
            for n in range(6)
        ]
        assert codes == [202] * 5 + [429]


class SearchProbe(APIView):
    """A view of one scope."""

    throttle_classes = (ScopedThrottle,)
    throttle_scope = "search"

    def get(self, request):
        """Nothing."""
        return Response({})


urlpatterns = [path("probe/", SearchProbe.as_view())]


@pytest.mark.urls("tests.test_auth_throttles")
class TestTiers:
    @pytest.mark.parametrize(
        ("fields", "quota"),
        [({}, 2), ({"is_staff": True}, 3), ({"is_superuser": True}, 3)],
    )
    def test_each_tier_has_its_own_quota(self, settings, fields, quota):
        settings.THROTTLES = settings.THROTTLES | {"search": {"user": "2/m", "staff": "3/m"}}
        client = as_user(make_user(**fields))
        codes = [client.get("/probe/").status_code for _ in range(quota + 1)]
        assert codes == [200] * quota + [429]

    def test_users_do_not_share_a_quota(self, settings):
        settings.THROTTLES = settings.THROTTLES | {"search": {"user": "1/m", "staff": "1/m"}}
        assert {as_user(make_user()).get("/probe/").status_code for _ in range(3)} == {200}

    @pytest.mark.parametrize("scope", ["chat", "search", "index"])
    def test_the_shipped_rates_give_staff_more(self, settings, scope):
        rates = settings.THROTTLES[scope]
        assert int(rates["staff"].split("/")[0]) > int(rates["user"].split("/")[0])


@pytest.mark.usefixtures("dead_redis")
class TestWithoutRedis:
    def test_log_in_works_and_is_still_limited(self, api):
        make_user(username="ada")
        assert guess(api, "ada", "192.0.2.1", PASSWORD).status_code == 200
        forget_counts()
        codes = [guess(api, "ada", place).status_code for place in addresses(6)]
        assert codes == [401] * 5 + [429]

    def test_registration_is_still_limited(self, api):
        codes = {api.post("/api/auth/register/", {}).status_code for _ in range(11)}
        assert codes == {400, 429}

    def test_a_scope_that_refuses_answers_503(self, settings):
        from common.errors import Unavailable

        assert settings.THROTTLES_WITHOUT_REDIS == {"try": "refuse"}
        with pytest.raises(Unavailable) as refused:
            check_rate("try", "x", "20/m")
        assert refused.value.retry_after == 5

    def test_an_authenticated_request_needs_no_redis(self, user_api: APIClient):
        assert user_api.get("/api/auth/me/").status_code == 200

    def test_tokens_refresh_and_end_without_redis(self, api, user):
        from tests.factories import make_family
        from users.tokens import make_refresh

        pair = api.post("/api/auth/refresh/", {"refresh": make_refresh(make_family(user))}).json()
        body = {"refresh": pair["refresh"]}
        assert api.post("/api/auth/logout/", body).status_code == 204
        assert api.post("/api/auth/refresh/", body).status_code == 401

    def test_redis_is_not_asked_again_for_each_call(self, monkeypatch):
        from common import rates

        asked = []
        real = rates.take_in_redis
        monkeypatch.setattr(
            rates, "take_in_redis", lambda *call: (asked.append(call), real(*call))[1]
        )
        for _ in range(5):
            check_rate("chat", "x", "30/m")
        assert len(asked) == 1


def test_the_headers_are_on_asynchronous_answers_too():
    post = async_to_sync(AsyncClient().post)
    login, kind = "/api/auth/login/", "application/json"
    assert post(login, {}, content_type=kind).status_code == 400
    answer = post(login, {"username": "ada", "password": "wrong"}, content_type=kind)
    assert answer["RateLimit"].startswith('"login";r=4;')
