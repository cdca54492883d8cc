"""What can go wrong, named for what happened. HTTP is left to `common.problems`."""

from collections.abc import Mapping, Sequence


class ApplicationError(Exception):
    """A fault that a caller can be told of: a stable `code`, a sentence for people."""

    code = "error"
    message = "Something went wrong."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)


class Invalid(ApplicationError):
    """The input does not fit; `errors` says which field and why."""

    code = "invalid"
    message = "The request is not valid."

    def __init__(
        self, message: str | None = None, *, errors: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        super().__init__(message)
        self.errors = {field: list(reasons) for field, reasons in (errors or {}).items()}


class Malformed(ApplicationError):
    """The request cannot be read at all: broken JSON, bad encoding, too deep."""

    code = "malformed"
    message = "The request could not be read."


class TooLarge(ApplicationError):
    """The request has more bytes than this address takes."""

    code = "too_large"
    message = "The request is too large."


class Unauthenticated(ApplicationError):
    """Nobody is known to be calling, or the proof does not hold."""

    code = "not_authenticated"
    message = "Authentication is needed."


class Forbidden(ApplicationError):
    """The caller is known and may not do this."""

    code = "permission_denied"
    message = "You may not do this."


class NotFound(ApplicationError):
    """There is no such thing, as far as the caller may know."""

    code = "not_found"
    message = "Not found."


class Conflict(ApplicationError):
    """The thing is in a state that does not allow this."""

    code = "conflict"
    message = "This does not fit the present state."


class Unprocessable(ApplicationError):
    """Well formed, and still not something that can be done."""

    code = "unprocessable"
    message = "The request cannot be processed."


class RateLimited(ApplicationError):
    """Too many calls; `retry_after` is the wait in whole seconds."""

    code = "throttled"
    message = "Too many requests. Try again later."

    def __init__(self, message: str | None = None, *, retry_after: int = 60) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(ApplicationError):
    """Something this needs is not working now; `retry_after` in whole seconds."""

    code = "unavailable"
    message = "The service is not available at the moment."

    def __init__(self, message: str | None = None, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after
