"""How the API's documentation describes authentication."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from users.cookies import ACCESS_COOKIE


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Bearer tokens, so that Swagger's Authorize asks for one; or the access cookie."""

    target_class = "users.authentication.TokenAuthentication"
    name = ["bearerAuth", "cookieAuth"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        """The two ways, in the order in which they are looked at."""
        bearer = {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `access` token that `POST /api/auth/login/` answers with.",
        }
        cookie = {
            "type": "apiKey",
            "in": "cookie",
            "name": ACCESS_COOKIE,
            "description": "Set by a log-in with `cookie: true`; unsafe requests also need the "
            "`csrftoken` cookie's value in `X-CSRFToken`.",
        }
        return [bearer, cookie]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Either of them is enough; one object with both names would ask for both."""
        return [{name: []} for name in self.name]
