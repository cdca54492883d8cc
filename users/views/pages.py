"""The pages that links in mails lead to: plain forms, so that they work without scripts.

A GET looks nothing up and spends nothing: mail scanners follow every link that they see.
"""

from typing import Any, cast
from uuid import UUID

from django import forms
from django.http import HttpResponse, QueryDict
from django.template.loader import render_to_string
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import FormParser
from rest_framework.renderers import JSONRenderer, StaticHTMLRenderer
from rest_framework.request import Request

from common.errors import ApplicationError, Conflict, Invalid
from common.throttling import ScopedThrottle
from users.serializers.fields import MAX_PASSWORD_CHARS
from users.services import emails, passwords
from users.views.base import OpenView

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
PAGE = {(200, "text/html"): OpenApiTypes.STR}


class PasswordPageForm(forms.Form):
    """A new password, as typed."""

    new_password = forms.CharField(strip=False, max_length=MAX_PASSWORD_CHARS)


class LinkPage(OpenView):
    """A page with a button, and what comes of pressing it."""

    # Both, so that no Accept header of a browser or a scanner is refused.
    renderer_classes = (StaticHTMLRenderer, JSONRenderer)
    parser_classes = (FormParser,)
    title = ""
    explanation = ""
    button = ""
    done = ""
    asks_password = False

    def get_throttles(self) -> list[Any]:
        """Looking costs nothing; pressing is counted."""
        return [ScopedThrottle()] if self.request.method == "POST" else []

    throttle_scope = "confirm"

    def show(self, *, status: int = 200, **context: Any) -> HttpResponse:
        """The page."""
        names = ("title", "explanation", "button", "asks_password")
        context = {name: getattr(self, name) for name in names} | context
        html = render_to_string("users/link.html", context)
        return HttpResponse(html, status=status, headers=PAGE_HEADERS)

    def act(self, data: QueryDict, parts: dict[str, Any]) -> None:
        """What the button does, with the parts of the link."""
        raise NotImplementedError

    def press(self, request: Request, **parts: Any) -> HttpResponse:
        """Do it, and say what came of it."""
        try:
            self.act(cast(QueryDict, request.data), parts)
        except Invalid as error:
            reasons = [reason for field in error.errors.values() for reason in field]
            again = bool(reasons)
            return self.show(status=400, reasons=reasons or [str(error)], again=again)
        except Conflict as error:
            return self.show(status=409, reasons=[str(error)], again=True)
        return self.show(done=self.done)

    def handle_exception(self, exc: Exception) -> Any:
        """A person reads this: a limit or a fault as a page too, where there is a name for it."""
        response = super().handle_exception(exc)
        if not isinstance(exc, ApplicationError):
            return HttpResponse(status=response.status_code, headers=PAGE_HEADERS)
        page = self.show(status=response.status_code, reasons=[str(exc)], again=True)
        if "Retry-After" in response.headers:
            page["Retry-After"] = response["Retry-After"]
        return page


class VerifyEmailPage(LinkPage):
    """The link of the verification mail."""

    title = "Verify your e-mail address"
    explanation = "Press the button to confirm that this address is yours."
    button = "Verify"
    done = "Your e-mail address is verified. You can log in now."

    @extend_schema(
        tags=["Accounts"],
        summary="Page behind the verification link",
        description="A small page whose button posts; opening it spends nothing.",
        responses=PAGE,
    )
    def get(self, request: Request, token: str) -> HttpResponse:
        """The button."""
        return self.show()

    @extend_schema(exclude=True)
    def post(self, request: Request, token: str) -> HttpResponse:
        """The button was pressed."""
        return self.press(request, token=token)

    def act(self, data: QueryDict, parts: dict[str, Any]) -> None:
        """Verify."""
        emails.verify_email(parts["token"], client=self.client)


class EmailChangePage(LinkPage):
    """The link of the mail to a new address."""

    title = "Confirm your new e-mail address"
    explanation = "Press the button to use this address for your account from now on."
    button = "Confirm"
    done = "Your new e-mail address is in force."

    @extend_schema(
        tags=["Accounts"],
        summary="Page behind the e-mail change link",
        description="A small page whose button posts; opening it spends nothing.",
        responses=PAGE,
    )
    def get(self, request: Request, token: str) -> HttpResponse:
        """The button."""
        return self.show()

    @extend_schema(exclude=True)
    def post(self, request: Request, token: str) -> HttpResponse:
        """The button was pressed."""
        return self.press(request, token=token)

    def act(self, data: QueryDict, parts: dict[str, Any]) -> None:
        """Confirm."""
        emails.confirm_change(parts["token"], client=self.client)


class PasswordResetPage(LinkPage):
    """The link of the mail for a new password."""

    title = "Set a new password"
    explanation = "Choose a new password of at least ten characters."
    button = "Set password"
    done = "Your new password is set, and every device is logged out."
    asks_password = True

    @extend_schema(
        tags=["Accounts"],
        summary="Page behind the password reset link",
        description="A small page with a form; opening it spends nothing.",
        responses=PAGE,
    )
    def get(self, request: Request, uid: UUID, token: str) -> HttpResponse:
        """The form."""
        return self.show()

    @extend_schema(exclude=True)
    def post(self, request: Request, uid: UUID, token: str) -> HttpResponse:
        """The form was sent."""
        return self.press(request, uid=uid, token=token)

    def act(self, data: QueryDict, parts: dict[str, Any]) -> None:
        """Set the password."""
        form = PasswordPageForm(data)
        if not form.is_valid():
            raise Invalid(errors={"new_password": [str(e) for e in form.errors["new_password"]]})
        passwords.reset_password(
            user_id=parts["uid"],
            token=parts["token"],
            new_password=form.cleaned_data["new_password"],
            client=self.client,
        )
