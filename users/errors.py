"""What can go wrong with accounts and tokens."""

from common.errors import Forbidden, Invalid, NotFound, Unauthenticated


class InvalidCredentials(Unauthenticated):
    """No account answers to this pair, for whatever reason."""

    code = "invalid_credentials"
    message = "The username or password is not right."


class InvalidToken(Unauthenticated):
    """The token is not ours, not of this kind, over, or ended."""

    code = "invalid_token"
    message = "The token is not valid or has expired."


class EmailNotVerified(Forbidden):
    """The password is right; the address is still to be proven."""

    code = "email_not_verified"
    message = "Verify your e-mail address first; a new link can be sent to you."


class CSRFFailed(Forbidden):
    """A request authenticated by cookies came without proof that the page sent it."""

    code = "csrf_failed"
    message = "The CSRF token is missing or wrong."


class InvalidLink(Invalid):
    """The one-time token was never made, is spent, void or too old."""

    code = "invalid_link"
    message = "This link is not valid any more. Ask for a new one."


class SessionNotFound(NotFound):
    """The caller has no such device."""
