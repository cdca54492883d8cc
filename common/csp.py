"""What a page may load, by address: nothing but this server's own files, no inline script."""

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from common.middleware import Middleware

HEADER = "Content-Security-Policy"
STRICT = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# Swagger UI and ReDoc write style attributes, draw from data: URLs and fetch the schema.
EXPLORER = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ADMIN = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
POLICIES = (("/api/docs/", EXPLORER), ("/api/redoc/", EXPLORER), ("/admin/", ADMIN))


class ContentSecurityPolicyMiddleware(Middleware):
    """Adds the policy of the address to each response that does not carry one already."""

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """`response` with the header."""
        # Django's own page for an exception under DEBUG is one inline sheet of style and script.
        if not (settings.DEBUG and response.status_code == 500):
            response.headers.setdefault(HEADER, policy_for(request.path))
        return response


def policy_for(path: str) -> str:
    """The policy of the page at `path`."""
    return next((policy for prefix, policy in POLICIES if path.startswith(prefix)), STRICT)
