"""What every test may ask for."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from rest_framework.test import APIClient

from chat.streams.registry import drain_answers, registry_in_use, reset_registry
from common.loop import close_threads, run
from common.rates import forget_counts
from rag.resilience.breaker import forget_breakers
from tests.factories import as_user, make_user
from tests.fakes import ScriptedGenerator
from users.models import User
from users.services.delivery import send_due


@pytest.fixture(autouse=True)
def fresh_redis() -> Iterator[None]:
    """No counts, keys or streams of an earlier test."""
    from django.conf import settings

    from common.redis import RedisError, get_redis

    forget_counts()
    try:
        client = get_redis()
        if names := list(client.scan_iter(match=f"{settings.REDIS_PREFIX}*", count=1000)):
            client.delete(*names)
    except RedisError:
        pass  # a test that takes Redis away puts it back in its own time
    yield
    forget_counts()


@pytest.fixture
def api() -> APIClient:
    """A client that nobody has logged in with."""
    return APIClient()


@pytest.fixture
def user(db: None) -> User:
    """An ordinary, verified user."""
    return make_user()


@pytest.fixture
def staff(db: None) -> User:
    """A member of staff."""
    return make_user(is_staff=True)


@pytest.fixture
def user_api(user: User) -> APIClient:
    """A client with a real access token of `user`."""
    return as_user(user)


@pytest.fixture
def staff_api(staff: User) -> APIClient:
    """A client with a real access token of `staff`."""
    return as_user(staff)


@pytest.fixture
def sent_mail(db: None) -> Callable[[], list[EmailMultiAlternatives]]:
    """Sends what is due, as the task does, and returns what has gone since the last call."""

    def collect() -> list[EmailMultiAlternatives]:
        send_due()
        messages, mail.outbox[:] = list(mail.outbox), []
        return messages

    return collect


@pytest.fixture
def scripted(settings: Any) -> Iterator[type[ScriptedGenerator]]:
    """Answers come from a script that the test writes."""
    ScriptedGenerator.reset()
    settings.RAG = {
        **settings.RAG,
        "GENERATOR": {"BACKEND": "tests.fakes.ScriptedGenerator", "OPTIONS": {}},
        # The script speaks without documents too.
        "GENERAL_ANSWERS": True,
    }
    yield ScriptedGenerator
    ScriptedGenerator.reset()


@pytest.fixture(autouse=True)
def no_answers_left() -> Iterator[None]:
    """No answer of one test goes on in the next, and no thread keeps its database open."""
    yield
    if registry_in_use():
        run(drain_answers())
        reset_registry()
    close_threads()
    # Adapters keep the breakers that they have; nobody else hears of an open one any more.
    forget_breakers()
