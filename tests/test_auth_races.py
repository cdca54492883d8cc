"""What happens between two steps of one call, made to happen there each time."""

import pytest
from django.db.models.signals import pre_save

from tests.factories import PASSWORD, as_user, link_token, make_user
from tests.hashers import RacingHasher
from users.models import HeldName, TokenFamily, User

pytestmark = pytest.mark.django_db

ADA = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
NEW = "Quiet-Amber-Lantern-73"


@pytest.fixture
def meanwhile(settings):
    """Has a function called once while the next password is hashed."""
    settings.PASSWORD_HASHERS = [
        "tests.hashers.RacingHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    yield RacingHasher.meanwhile.append
    RacingHasher.meanwhile.clear()


def insert(**fields):
    """A rival's account, without hashing."""
    return lambda: User.objects.bulk_create(
        [User(**fields, username_key=fields["username"], email_key=fields["email"])]
    )


def set_password_elsewhere(user):
    return lambda: User.objects.filter(pk=user.pk).update(password="racing$other$hash")


def test_a_name_that_is_taken_meanwhile_is_a_400(api, meanwhile):
    meanwhile(insert(username="ada", email="other@example.com"))
    answer = api.post("/api/auth/register/", ADA)
    assert answer.json()["errors"] == {"username": ["This username is taken."]}
    assert User.objects.count() == 1


def test_an_address_that_is_taken_meanwhile_looks_like_success(api, meanwhile):
    meanwhile(insert(username="other", email="ada@example.com"))
    assert api.post("/api/auth/register/", ADA).status_code == 201
    assert User.objects.get().username == "other"
    assert HeldName.objects.get().username_key == "ada"


@pytest.mark.django_db(transaction=True)
def test_a_log_in_with_a_password_that_is_changed_meanwhile_opens_nothing(api, meanwhile):
    user = make_user(username="ada")
    meanwhile(set_password_elsewhere(user))
    answer = api.post("/api/auth/login/", {"username": "ada", "password": PASSWORD})
    assert answer.json()["code"] == "invalid_credentials"
    assert not TokenFamily.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_log_in_of_an_account_that_is_closed_meanwhile_opens_nothing(api, meanwhile):
    user = make_user(username="ada")
    meanwhile(lambda: User.objects.filter(pk=user.pk).update(is_active=False))
    answer = api.post("/api/auth/login/", {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 401
    assert not TokenFamily.objects.exists()


def test_a_password_that_is_changed_meanwhile_is_not_overwritten(api, meanwhile, sent_mail):
    user = make_user()
    api.post("/api/auth/password/reset/", {"email": user.email})
    body = {"uid": str(user.pk), "token": link_token(sent_mail()[0]), "new_password": NEW}
    meanwhile(set_password_elsewhere(user))
    assert api.post("/api/auth/password/reset/confirm/", body).status_code == 409
    user.refresh_from_db()
    assert user.password == "racing$other$hash"


def test_a_username_that_is_taken_meanwhile_is_a_400(user):
    client = as_user(user)
    rival = [insert(username="grace", email="grace@example.com")]

    def take(**kwargs):
        if rival:
            rival.pop()()

    pre_save.connect(take, sender=User)
    try:
        answer = client.patch("/api/auth/me/", {"username": "grace"})
    finally:
        pre_save.disconnect(take, sender=User)
    assert answer.json()["errors"] == {"username": ["This username is taken."]}
