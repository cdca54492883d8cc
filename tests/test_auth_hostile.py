"""What somebody with the source in hand would try: no way in, no way up, and never a 500."""

import base64
import hashlib
import hmac
import json
import time
from uuid import uuid4

import jwt
import pytest
from rest_framework.test import APIClient

from common.keys import signing_keys
from tests.factories import PASSWORD, make_family, make_user
from users import tokens
from users.models import AuditEvent, TokenFamily, User
from users.tokens import make_access, make_refresh

pytestmark = pytest.mark.django_db

ME = "/api/auth/me/"
REFRESH = "/api/auth/token/refresh/"
REGISTER = "/api/auth/register/"
LOGIN = "/api/auth/login/"


@pytest.fixture
def family(user):
    """A live family."""
    return make_family(user)


@pytest.fixture
def lenient():
    """A client that shows a crash as the 500 that a real client would get."""
    return APIClient(raise_request_exception=False)


def b64(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def forge(of, *, headers=None, key=None, algorithm="HS256", drop=(), **changes):
    """A token as we would sign it, but for these differences."""
    claims = claims_of(make_access(of)) | changes
    for name in drop:
        del claims[name]
    key = signing_keys("jwt")[0] if key is None else key
    # By hand: PyJWT refuses to write some of what an attacker writes.
    header = {"alg": algorithm, "typ": "JWT"} | (headers or {})
    signed = f"{b64(header)}.{b64(claims)}"
    digests = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
    digest = digests.get(algorithm, hashlib.sha256)
    return f"{signed}.{b64(hmac.digest(key, signed.encode(), digest))}"


def show(token, client=None):
    client = client or APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client.get(ME)


def test_the_forger_can_make_a_token_that_is_taken(family):
    assert show(forge(family)).status_code == 200


NOW = int(time.time())
FORGED_CLAIMS = {
    "another issuer": {"iss": "evil"},
    "issuer in another case": {"iss": "Docent"},
    "issuers in a list": {"iss": ["docent"]},
    "no issuer": {"iss": None},
    "another audience": {"aud": "other-api"},
    "audiences in a list": {"aud": ["docent-api"]},
    "several audiences": {"aud": ["docent-api", "other"]},
    "no audience": {"aud": None},
    "a refresh token": {"token_type": "refresh"},
    "type in another case": {"token_type": "Access"},
    "type in a list": {"token_type": ["access"]},
    "no type": {"token_type": None},
    "an unknown type": {"token_type": "admin"},
    "expired": {"exp": NOW - 1},
    "expired long ago": {"exp": 0},
    "never expires": {"exp": None},
    "expiry as text": {"exp": str(NOW + 900)},
    "expiry as a fraction": {"exp": NOW + 900.5},
    "expiry beyond numbers": {"exp": 10**400},
    "expiry as truth": {"exp": True},
    "negative expiry": {"exp": -1},
    "not yet": {"nbf": NOW + 600},
    "not yet as text": {"nbf": "tomorrow"},
    "from the future": {"iat": NOW + 600},
    "issued as text": {"iat": "now"},
    "issued as a list": {"iat": [NOW]},
    "a number as subject": {"sub": 1},
    "subject as truth": {"sub": True},
    "subject as an object": {"sub": {"$ne": None}},
    "subject as a list": {"sub": []},
    "no subject": {"sub": None},
    "nobody as subject": {"sub": ""},
    "subject not an id": {"sub": "admin"},
    "injected subject": {"sub": "' OR 1=1 --"},
    "NUL in the subject": {"sub": "\0"},
    "a long subject": {"sub": "x" * 1_000},
    "somebody unknown": {"sub": str(uuid4())},
    "family as a number": {"family": 7},
    "no family": {"family": None},
    "family as an object": {"family": {}},
    "family not an id": {"family": "x"},
    "a family that never was": {"family": str(uuid4())},
    "family in capitals": {"family": "UPPER"},
    "family in braces": {"family": "BRACES"},
    "generation as text": {"generation": "0"},
    "generation as truth": {"generation": False},
    "generation as a fraction": {"generation": 0.0},
    "no generation": {"generation": None},
    "identity as a number": {"jti": 5},
    "no identity": {"jti": None},
}


@pytest.mark.parametrize("changes", FORGED_CLAIMS.values(), ids=FORGED_CLAIMS)
def test_a_well_signed_token_that_says_what_we_never_say_is_401(family, changes):
    special = {"UPPER": str(family.pk).upper(), "BRACES": f"{{{family.pk}}}"}
    changes = {key: special.get(str(value), value) for key, value in changes.items()}
    answer = show(forge(family, **changes))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "name",
    ["iss", "aud", "sub", "exp", "iat", "nbf", "jti", "token_type", "family", "generation"],
)
def test_a_token_without_a_claim_is_401(family, name):
    assert show(forge(family, drop=[name])).status_code == 401


def test_another_users_family_is_401(family):
    other = make_family(make_user())
    assert show(forge(family, sub=str(other.user_id))).status_code == 401


FORGED_HEADERS = {
    "none": {"alg": "none"},
    "None": {"alg": "None"},
    "NONE": {"alg": "NONE"},
    "nOnE": {"alg": "nOnE"},
    "no algorithm": {"alg": None},
    "empty algorithm": {"alg": ""},
    "lower case": {"alg": "hs256"},
    "RS256": {"alg": "RS256"},
    "ES256": {"alg": "ES256"},
    "EdDSA": {"alg": "EdDSA"},
    "a list": {"alg": ["HS256"]},
    "kid of a file": {"kid": "../../../../dev/null"},
    "kid that injects": {"kid": "x' UNION SELECT 'key' --"},
    "kid that runs": {"kid": "|id"},
    "kid as a number": {"kid": 1},
    "an innocent kid": {"kid": "1"},
    "jku": {"jku": "https://evil.example/jwks.json"},
    "x5u": {"x5u": "https://evil.example/cert.pem"},
    "jwk": {"jwk": {"kty": "oct", "k": "AAAA"}},
    "x5c": {"x5c": ["AAAA"]},
    "crit": {"crit": ["exp"]},
    "b64": {"b64": False, "crit": ["b64"]},
    "another type": {"typ": "at+jwt"},
    "encrypted": {"enc": "A256GCM"},
    "compressed": {"zip": "DEF"},
}


@pytest.mark.parametrize("headers", FORGED_HEADERS.values(), ids=FORGED_HEADERS)
def test_nothing_in_the_header_chooses_how_a_token_is_read(family, headers):
    answer = show(forge(family, headers=headers))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_the_right_key_with_another_algorithm_is_401(family, algorithm):
    assert show(forge(family, algorithm=algorithm)).status_code == 401


WRONG_KEYS = {
    "empty": b"",
    "NUL": b"\0",
    "a word": b"secret",
    "the root key": None,
    "the key for cookies": "csrf",
    "the key for identities": "jti",
}


@pytest.mark.parametrize("key", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_no_other_key_signs(family, settings, key):
    if key is None:
        key = settings.SECRET_KEY.encode()
    elif isinstance(key, str):
        key = signing_keys(key)[0]
    assert show(forge(family, key=key)).status_code == 401


def mangled(token):
    """Texts that are nearly tokens."""
    head, body, seal = token.split(".")
    return {
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{token}.x",
        "one part": head,
        "only dots": "..",
        "no header": f".{body}.{seal}",
        "header not JSON": f"{b64(b'{')}.{body}.{seal}",
        "header a list": f"{b64([])}.{body}.{seal}",
        "header a number": f"{b64(1)}.{body}.{seal}",
        "body a list": f"{head}.{b64([])}.{seal}",
        "body of others": f"{head}.{b64({'sub': 'admin'})}.{seal}",
        "deep body": f"{head}.{b64(b'[' * 1_000)}.{seal}",
        "cut": token[:-5],
        "padded": token + "==",
        "lengthened": token + "A",
        "a blank inside": token.replace(".", " .", 1),
        "unsigned none": f"{b64({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        "standard base64": f"{head}.{body}.{'+/' * 20}",
        "very long": "a" * 7_000,
        "not ASCII": "tökén",
        "a template": "{{7*7}}",
        "null": "null",
        "undefined": "undefined",
        "a session id": "0193f5c2-7a10-7c3e-9b7e-2f6d1a4c8e01",
    }


@pytest.mark.parametrize("name", sorted(mangled("a.b.c")))
def test_what_is_nearly_a_token_is_401_everywhere(family, lenient, name):
    token = mangled(make_access(family))[name]
    assert show(token, lenient).status_code == 401
    lenient.credentials()
    for path, field in ((REFRESH, "refresh"), ("/api/auth/token/verify/", "token")):
        assert lenient.post(path, {field: token}).status_code in (400, 401)
    assert TokenFamily.objects.live().count() == 1


AUTHORIZATIONS = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer  ",
    "Token {}",
    "Basic {}",
    "JWT {}",
    "{}",
    "Bearer{}",
    "Bearer {} {}",
    "Bearer {},Bearer {}",
    "Bearer, {}",
    'Bearer "{}"',
    "Bearer token={}",
    "bearer\u00a0{}",
    "Digest username=admin",
]


@pytest.mark.parametrize("value", AUTHORIZATIONS)
def test_a_header_that_is_not_one_bearer_token_is_401(family, lenient, value):
    lenient.credentials(HTTP_AUTHORIZATION=value.replace("{}", make_access(family)))
    assert lenient.get(ME).status_code == 401


@pytest.mark.parametrize("value", ["bearer {}", "BEARER {}"])
def test_the_scheme_has_no_case(family, lenient, value):
    lenient.credentials(HTTP_AUTHORIZATION=value.replace("{}", make_access(family)))
    assert lenient.get(ME).status_code == 200


@pytest.mark.parametrize(
    "path", [f"{ME}?token={{}}", f"{ME}?access_token={{}}", f"{ME}?jwt={{}}", f"{ME}?access={{}}"]
)
def test_a_token_in_the_address_is_not_looked_at(api, family, path):
    assert api.get(path.format(make_access(family))).status_code == 401


@pytest.mark.parametrize(
    "name",
    ["HTTP_X_USER_ID", "HTTP_X_FORWARDED_USER", "HTTP_REMOTE_USER", "REMOTE_USER",
     "HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_ORIGINAL_URL", "HTTP_X_ACCESS_TOKEN"],
)  # fmt: skip
def test_no_other_header_says_who_calls(api, user, name):
    assert api.get(ME, **{name: str(user.pk)}).status_code == 401


class TestTypesOfTokens:
    def test_a_refresh_token_opens_nothing(self, family):
        assert show(make_refresh(family)).status_code == 401

    @pytest.mark.parametrize("path", [REFRESH, "/api/auth/logout/", "/api/auth/logout-all/"])
    def test_an_access_token_refreshes_and_ends_nothing(self, api, family, path):
        assert api.post(path, {"refresh": make_access(family)}).status_code == 401
        assert TokenFamily.objects.live().count() == 1

    def test_a_refresh_token_of_a_later_generation_is_refused_and_ends_nothing(self, api, family):
        ahead = TokenFamily.objects.get()
        ahead.generation = 9
        assert api.post(REFRESH, {"refresh": make_refresh(ahead)}).status_code == 401
        assert TokenFamily.objects.live().count() == 1

    def test_a_cookie_in_the_place_of_another_is_nothing(self, api, family):
        api.cookies["docent_access"] = make_refresh(family)
        assert api.get(ME).status_code == 401

    @pytest.mark.parametrize("value", ["", "x", "a.b.c", '"', "é", "a" * 5_000])
    def test_a_broken_cookie_is_401_or_nobody(self, lenient, value):
        lenient.cookies["docent_access"] = value
        assert lenient.get(ME).status_code == 401

    def test_cookies_of_one_and_csrf_token_of_another_do_not_mix(self, api, family):
        from users.cookies import csrf_token

        theirs = csrf_token(make_family(make_user()).pk)
        api.cookies["docent_access"] = make_access(family)
        api.cookies["csrftoken"] = theirs
        answer = api.patch(ME, {"first_name": "x"}, HTTP_X_CSRFTOKEN=theirs)
        assert answer.json()["code"] == "csrf_failed"


PRIVILEGES = {
    "is_staff": True,
    "is_superuser": True,
    "is_active": False,
    "role": "admin",
    "groups": [1],
    "user_permissions": [1],
    "id": str(uuid4()),
    "pk": str(uuid4()),
    "email_verified": True,
    "email_verified_at": "2026-01-01T00:00:00Z",
    "username_key": "root",
    "email_key": "root@example.com",
    "date_joined": "2001-01-01T00:00:00Z",
    "last_login": "2001-01-01T00:00:00Z",
    "__class__": "admin",
    "user": {"is_staff": True},
    "is_staff__in": [True],
}


@pytest.mark.parametrize("field", PRIVILEGES)
def test_no_field_of_a_registration_makes_anybody_more(api, field):
    body = {"username": "eve", "email": "eve@example.com", "password": PASSWORD}
    assert api.post(REGISTER, body | {field: PRIVILEGES[field]}).status_code == 201
    user = User.objects.get()
    assert (user.role, user.is_active, user.email_verified) == ("user", True, False)
    assert (user.username_key, user.email_key) == ("eve", "eve@example.com")
    assert str(user.pk) != PRIVILEGES["id"]
    assert user.date_joined.year > 2001


@pytest.mark.parametrize("field", PRIVILEGES)
def test_no_field_of_a_profile_makes_anybody_more(user, user_api, field):
    before = User.objects.values().get()
    user_api.patch(ME, {field: PRIVILEGES[field]})
    assert User.objects.values().get() == before


ODD_NAMES = [
    "", "  ", "ab", "a" * 151, "a b", "a@b", "ada@example.com", "a/b", "../etc", "<script>",
    "ad\u200ba", "ad\u202ea", "ada\u0000", "ada\r\nBcc: x@y.z", "ad\u115fa",
    "\u3164\u3164\u3164", "ada\ufeff", "ada\u00ad", "adа\u0300\u0301", "😀😀😀",
    "{{7*7}}", "%00ada", "'; --", "\ufdfa" * 20,
    None, 5, 5.5, True, [], {}, ["ada"], {"$ne": ""},
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES, ids=[ascii(name)[:24] for name in ODD_NAMES])
def test_an_odd_username_is_a_400(lenient, name):
    body = {"username": name, "email": "ada@example.com", "password": PASSWORD}
    assert lenient.post(REGISTER, body).status_code == 400
    assert not User.objects.exists()


ODD_ADDRESSES = [
    "", "ada", "@", "ada@", "@example.com", "ada@example", "ada@@example.com", "a b@example.com",
    "ada@example.com, eve@example.com", "ada@example.com\nBcc: eve@example.com", "ada@example..com",
    "ada@example.com\u0000", "ada@[127.0.0.1", "a" * 250 + "@example.com", "<ada@example.com>",
    "ada@exa\u202emple.com", "ada@-example.com", None, 5, True, [], {}, ["ada@example.com"],
]  # fmt: skip


@pytest.mark.parametrize("email", ODD_ADDRESSES, ids=[ascii(email)[:24] for email in ODD_ADDRESSES])
@pytest.mark.parametrize("path", [REGISTER, "/api/auth/password/reset/"])
def test_an_odd_address_is_a_400(lenient, path, email):
    body = {"username": "ada", "email": email, "password": PASSWORD}
    assert lenient.post(path, body).status_code == 400
    assert not User.objects.exists()


ODD_PASSWORDS = [None, 5, True, [], {}, ["x"], "", "a" * 257, "a" * 100_000, "pass\u0000word-long"]


@pytest.mark.parametrize("password", ODD_PASSWORDS, ids=[ascii(p)[:16] for p in ODD_PASSWORDS])
@pytest.mark.parametrize("path", [REGISTER, LOGIN])
def test_an_odd_password_is_a_400(lenient, path, password):
    body = {"username": "ada", "email": "ada@example.com", "password": password}
    assert lenient.post(path, body).status_code == 400


ODD_IDENTIFIERS = [
    "' OR '1'='1",
    "ada'--",
    "*",
    "%",
    "\ud7ff",
    "ﷺ" * 200,
    "a" * 254,
    "@",
    "@@",
    "\\",
]


@pytest.mark.parametrize("name", ODD_IDENTIFIERS, ids=[ascii(n)[:16] for n in ODD_IDENTIFIERS])
def test_an_odd_identifier_is_one_more_wrong_pair(lenient, name):
    make_user(username="ada")
    answer = lenient.post(LOGIN, {"username": name, "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


BODIES = {
    "nothing": b"",
    "not JSON": b"username=ada",
    "cut off": b'{"username": "ada"',
    "a list": b"[]",
    "a text": b'"ada"',
    "null": b"null",
    "a number": b"1",
    "too large a number": b'{"username": 1e400}',
    "NaN": b'{"username": NaN}',
    "deep": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "deep list": b"[" * 100_000,
    "not UTF-8": b'{"username": "\xff\xfe"}',
    "UTF-16": '{"username": "ada"}'.encode("utf-16"),
    "a lone surrogate": b'{"username": "\\ud800", "password": "\\udfff"}',
    "NUL": b'{"username": "a\\u0000"}',
    "NUL in a key": b'{"user\\u0000name": "a"}',
    "prototype": b'{"__proto__": {"is_staff": true}}',
    "too long": b'{"username": "' + b"a" * 1_100_000 + b'"}',
}
PATHS = [
    "register", "login", "token/refresh", "refresh", "token/verify", "verify-email",
    "resend-verification", "password/reset", "password/reset/confirm", "email/change/confirm",
    "logout", "logout-all",
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_cannot_be_read_is_a_4xx_on_every_path(lenient, body):
    for path in PATHS:
        answer = lenient.generic(
            "POST", f"/api/auth/{path}/", body, content_type="application/json"
        )
        assert 400 <= answer.status_code < 500, path
        assert answer["Content-Type"] == "application/problem+json"
        assert set(answer.json()) >= {"type", "title", "status", "code", "detail"}
        assert "Traceback" not in answer.content.decode()


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/xml", "application/x-yaml", "", "application/json; charset=utf-7x", "a/b/c"],
)  # fmt: skip
def test_another_content_type_logs_nobody_in(lenient, content_type):
    make_user(username="ada")
    body = b"username=ada&password=" + PASSWORD.encode()
    answer = lenient.generic("POST", LOGIN, body, content_type=content_type)
    assert answer.status_code in (400, 415)
    assert not answer.cookies


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_another_method_is_405(lenient, path, method):
    answer = lenient.generic(method, f"/api/auth/{path}/")
    assert answer.status_code == 405
    assert "POST" in answer["Allow"]


CLOSED = [
    ("GET", "me"), ("PATCH", "me"), ("DELETE", "me"), ("GET", "me/export"), ("GET", "me/sessions"),
    ("DELETE", "me/sessions/00000000-0000-4000-8000-000000000000"),
    ("POST", "password/change"), ("POST", "email/change"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_nobody_gets_401_before_anything_else(lenient, method, path):
    answer = lenient.generic(method, f"/api/auth/{path}/", b"{", content_type="application/json")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


ODD_PATHS = [
    "me/sessions/1/", "me/sessions/../", "me/sessions/%00/", "me/sessions/x' OR 1=1/",
    "me/sessions/" + "a" * 3_000 + "/", "verify-email/%00/", "verify-email/" + "a" * 3_000 + "/",
    "password/reset/x/y/", "me/sessions/?page=-1", "me/sessions/?page=x",
    "me/sessions/?page_size=1000000", "me/sessions/?page=99999999999999999999",
    "me/sessions/?page=0", "me/sessions/?page_size=%00", "../../etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("path", ODD_PATHS, ids=[path[:24] for path in ODD_PATHS])
def test_an_odd_address_line_is_a_4xx(user_api, path):
    user_api.raise_request_exception = False
    assert 400 <= user_api.get(f"/api/auth/{path}").status_code < 500


ODD_TOKENS = [
    "",
    "x",
    "a" * 43,
    "a" * 129,
    "../",
    "é" * 43,
    "\u202e",
    "' OR 1=1 --",
    None,
    5,
    [],
    {},
]


@pytest.mark.parametrize("token", ODD_TOKENS, ids=[ascii(token)[:12] for token in ODD_TOKENS])
@pytest.mark.parametrize("path", ["verify-email", "email/change/confirm", "password/reset/confirm"])
def test_an_odd_one_time_token_is_a_400(lenient, path, token):
    body = {"uid": str(uuid4()), "token": token, "new_password": PASSWORD}
    assert lenient.post(f"/api/auth/{path}/", body).status_code == 400


@pytest.mark.parametrize("uid", ["", "1", "MQ", None, [], {}, 1, True, "x" * 500])
def test_an_odd_uid_is_a_400(lenient, uid):
    body = {"uid": uid, "token": "a" * 43, "new_password": PASSWORD}
    assert lenient.post("/api/auth/password/reset/confirm/", body).status_code == 400


@pytest.mark.parametrize("cookie", ["yes please", 5, None, [], {}])
def test_an_odd_wish_for_cookies_is_a_400(lenient, cookie):
    make_user(username="ada")
    body = {"username": "ada", "password": PASSWORD, "cookie": cookie}
    assert lenient.post(LOGIN, body).status_code == 400


def test_a_token_that_was_replayed_after_logout_is_401(api, family):
    access, refresh = make_access(family), make_refresh(family)
    api.post("/api/auth/logout/", {"refresh": refresh})
    assert show(access).status_code == 401
    assert api.post(REFRESH, {"refresh": refresh}).status_code == 401


def test_nothing_secret_is_logged(api, caplog, sent_mail):
    caplog.set_level("DEBUG")
    body = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
    api.post(REGISTER, body)
    pair = api.post(LOGIN, body).json()
    api.post(LOGIN, body | {"password": "wrong-Hunter2"})
    api.post(REFRESH, {"refresh": pair["refresh"]})
    message = sent_mail()[0]
    link = next(word for word in message.body.split() if word.startswith("http"))
    api.get(link.removeprefix("http://localhost:8000"))
    logged = caplog.text + str(list(AuditEvent.objects.values()))
    for secret in (PASSWORD, "Hunter2", pair["access"], pair["refresh"], link.split("/")[-2]):
        assert secret not in logged


def test_every_error_has_the_one_shape(lenient):
    for path, status in ((ME, 401), ("/api/auth/nothing/", 404)):
        answer = lenient.get(path)
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"


def test_reading_a_token_never_raises_anything_else(family):
    for text in mangled(make_access(family)).values():
        with pytest.raises(tokens.InvalidToken):
            tokens.read(text)
