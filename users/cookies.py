"""Cookie mode: tokens that no script can read, and the proof that a page of ours sent a request.

The CSRF token is a signed double submit (OWASP): an HMAC over the family's id, in a cookie that
scripts can read and in a header that other sites cannot send. A cookie planted from a
neighbouring domain does not fit the family.
"""

import hashlib
import hmac
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from common.keys import signing_keys
from users.errors import CSRFFailed

ACCESS_COOKIE = "docent_access"
REFRESH_COOKIE = "docent_refresh"
CSRF_COOKIE = "csrftoken"
ACCESS_PATH = "/api/"
REFRESH_PATH = "/api/auth/"


def access_from_cookie(request: HttpRequest) -> str | None:
    """The access token that the browser sent, or None."""
    return request.COOKIES.get(ACCESS_COOKIE) or None


def refresh_from_cookie(request: HttpRequest) -> str | None:
    """The refresh token that the browser sent, or None."""
    return request.COOKIES.get(REFRESH_COOKIE) or None


def csrf_token(family_id: UUID) -> str:
    """The token that unsafe requests of this family must carry."""
    return _csrf_tokens(family_id)[0]


def _csrf_tokens(family_id: UUID) -> list[str]:
    return [
        hmac.new(key, str(family_id).encode(), hashlib.sha256).hexdigest()
        for key in signing_keys("csrf")
    ]


def check_csrf(request: HttpRequest, family_id: UUID) -> None:
    """CSRFFailed unless cookie and header both hold the family's token, and the origin is ours."""
    cookie = request.COOKIES.get(CSRF_COOKIE, "").encode()
    header = request.headers.get("X-CSRFToken", "").encode()
    known = (token.encode() for token in _csrf_tokens(family_id))
    fits = any(hmac.compare_digest(token, header) for token in known)
    if not (fits and hmac.compare_digest(cookie, header) and _origin_is_ours(request)):
        raise CSRFFailed


def _origin_is_ours(request: HttpRequest) -> bool:
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    ours = {f"{request.scheme}://{request.get_host()}", _origin(settings.PUBLIC_URL)}
    return origin in ours or origin in settings.CSRF_TRUSTED_ORIGINS


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def set_cookies(response: HttpResponseBase, *, access: str, refresh: str, family_id: UUID) -> None:
    """Hand the tokens over as cookies; scripts can read the CSRF token alone."""
    week = int(settings.JWT_REFRESH_LIFETIME.total_seconds())
    short = int(settings.JWT_ACCESS_LIFETIME.total_seconds())
    _set(response, ACCESS_COOKIE, access, path=ACCESS_PATH, age=short)
    _set(response, REFRESH_COOKIE, refresh, path=REFRESH_PATH, age=week)
    _set(response, CSRF_COOKIE, csrf_token(family_id), path="/", age=week, readable=True)


def _set(
    response: HttpResponseBase,
    name: str,
    value: str,
    *,
    path: str,
    age: int,
    readable: bool = False,
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=age,
        path=path,
        secure=not settings.DEBUG,
        httponly=not readable,
        samesite="Lax",
    )


def drop_cookies(response: HttpResponseBase) -> None:
    """Take the cookies back."""
    for name, path in ((ACCESS_COOKIE, ACCESS_PATH), (REFRESH_COOKIE, REFRESH_PATH)):
        response.delete_cookie(name, path=path, samesite="Lax")
    response.delete_cookie(CSRF_COOKIE, path="/", samesite="Lax")
