"""What a new password has to be, and the proof that its owner asks."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from common.clients import Client
from common.errors import Invalid
from users.models import User
from users.services import attempts, audit


def check_new_password(password: str, user: User, *, field: str) -> None:
    """Invalid, with every reason under `field`, for a password that the rules refuse."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(errors={field: error.messages}) from error


def prove_owner(user: User, password: str, *, field: str, client: Client) -> None:
    """Invalid unless this is the caller's password; RateLimited after too many tries."""
    attempts.count_password(user)
    if not user.check_password(password):
        audit.record("password_check_failed", user_id=user.pk, client=client)
        raise Invalid(errors={field: ["The password is not right."]})
