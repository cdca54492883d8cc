"""Accounts under simultaneous calls, with real threads on the real database."""

import threading
from collections import Counter

import pytest
from django.db import connection
from rest_framework.test import APIClient

from tests.factories import PASSWORD, make_family, make_user
from users.models import AuditEvent, OneTimeLink, TokenFamily, User
from users.services.links import Purpose, make_link
from users.tokens import make_access, make_refresh, read

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 8


def at_once(call, arguments):
    """The answers to `call` for each of `arguments`, all begun at one moment."""
    barrier = threading.Barrier(len(arguments))
    answers = [None] * len(arguments)

    def run(number, argument):
        try:
            barrier.wait()
            answers[number] = call(APIClient(), argument)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(arguments)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def post(path):
    return lambda api, body: api.post(path, body, REMOTE_ADDR=f"198.51.100.{id(body) % 250}")


class TestRegistration:
    def test_one_name_makes_one_account(self):
        bodies = [
            {"username": spelling, "email": f"ada{number}@example.com", "password": PASSWORD}
            for number, spelling in enumerate(["ada", "ADA", "Ada", "aDa", "ａｄａ", "adA"])
        ]
        answers = at_once(post("/api/auth/register/"), bodies)
        assert Counter(a.status_code for a in answers) == {201: 1, 400: 5}
        assert User.objects.count() == 1

    def test_one_address_makes_one_account_and_looks_the_same_to_all(self):
        bodies = [
            {"username": f"ada{number}", "email": email, "password": PASSWORD}
            for number, email in enumerate(["ada@example.com", "ADA@example.com"] * 3)
        ]
        answers = at_once(post("/api/auth/register/"), bodies)
        assert {a.status_code for a in answers} == {201}
        assert len({tuple(a.json()) for a in answers}) == 1
        assert User.objects.count() == 1


class TestRefresh:
    def test_simultaneous_refreshes_have_one_successor(self):
        family = make_family(make_user())
        body = {"refresh": make_refresh(family)}
        answers = at_once(post("/api/auth/refresh/"), [dict(body) for _ in range(THREADS)])
        assert {a.status_code for a in answers} == {200}
        assert len({a.json()["refresh"] for a in answers}) == 1
        family.refresh_from_db()
        assert (family.generation, family.revoked_at) == (1, None)

    def test_a_chain_refreshed_by_many_never_ends_by_mistake(self):
        family = make_family(make_user())
        token = make_refresh(family)
        for round_number in range(1, 6):
            bodies = [{"refresh": token} for _ in range(4)]
            answers = at_once(post("/api/auth/refresh/"), bodies)
            (token,) = {a.json()["refresh"] for a in answers}
            assert read(token).generation == round_number
        family.refresh_from_db()
        assert family.revoked_at is None

    def test_simultaneous_replays_are_one_event(self):
        family = make_family(make_user())
        body = {"refresh": make_refresh(family)}
        TokenFamily.objects.update(generation=5)
        answers = at_once(post("/api/auth/refresh/"), [dict(body) for _ in range(THREADS)])
        assert {a.status_code for a in answers} == {401}
        assert AuditEvent.objects.filter(event="refresh_token_reused").count() == 1


class TestLogIn:
    def test_five_of_any_number_of_simultaneous_guesses_are_looked_at(self):
        make_user(username="ada")
        body = {"username": "ada", "password": "wrong"}

        def guess(api, number):
            return api.post("/api/auth/login/", body, REMOTE_ADDR=f"198.51.100.{number}")

        answers = at_once(guess, list(range(20)))
        assert Counter(a.status_code for a in answers) == {401: 5, 429: 15}

    def test_five_of_any_number_from_one_address(self):
        def guess(api, number):
            body = {"username": f"person{number}", "password": "wrong"}
            return api.post("/api/auth/login/", body, REMOTE_ADDR="198.51.100.1")

        answers = at_once(guess, list(range(20)))
        assert Counter(a.status_code for a in answers) == {401: 5, 429: 15}

    def test_no_log_in_with_the_old_password_outlives_its_change(self):
        user = make_user(username="ada")
        family = make_family(user)

        def act(api, number):
            if number == 0:
                api.credentials(HTTP_AUTHORIZATION=f"Bearer {make_access(family)}")
                body = {"old_password": PASSWORD, "new_password": "Quiet-Amber-Lantern-73"}
                return api.post("/api/auth/password/change/", body)
            body = {"username": "ada", "password": PASSWORD}
            return api.post("/api/auth/login/", body, REMOTE_ADDR=f"198.51.100.{number}")

        change, *_ = at_once(act, list(range(5)))
        assert change.status_code == 204
        assert list(TokenFamily.objects.live()) == [family]


class TestLinks:
    def test_a_link_is_spent_once(self):
        user = make_user(email_verified_at=None)
        link = make_link(user, Purpose.VERIFY_EMAIL, email=user.email)
        body = {"token": link.rstrip("/").rpartition("/")[2]}
        answers = at_once(post("/api/auth/verify-email/"), [dict(body) for _ in range(THREADS)])
        assert Counter(a.status_code for a in answers) == {200: 1, 400: THREADS - 1}
        assert OneTimeLink.objects.get().spent_at is not None

    def test_one_of_two_passwords_wins_a_reset(self):
        user = make_user()
        link = make_link(user, Purpose.RESET_PASSWORD, email=user.email)
        token = link.rstrip("/").rpartition("/")[2]
        words = [f"Quiet-Amber-Lantern-{number}" for number in range(4)]
        bodies = [
            {"uid": str(user.pk), "token": token, "new_password": password} for password in words
        ]
        answers = at_once(post("/api/auth/password/reset/confirm/"), bodies)
        codes = [a.status_code for a in answers]
        assert codes.count(204) == 1
        assert set(codes) <= {204, 400, 409}
        user.refresh_from_db()
        assert user.check_password(words[codes.index(204)])


def test_two_deletions_erase_once():
    user = make_user()
    families = [make_family(user) for _ in range(4)]

    def delete(api, family):
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {make_access(family)}")
        return api.delete("/api/auth/me/", {"password": PASSWORD})

    answers = at_once(delete, families)
    assert {a.status_code for a in answers} <= {204, 401}
    assert not User.objects.exists()
    assert AuditEvent.objects.filter(event="account_deleted").count() == 1
