"""The probes of what every process stands on: the database and Redis."""

from smtplib import SMTPException

from django.conf import settings
from django.core.mail import get_connection
from django.db import DatabaseError, InterfaceError, connection, transaction

from common.health import ProbeFailed
from common.identifiers import new_id
from common.models import IdempotencyRecord
from common.redis import RedisError, get_redis, key

LOCK_MILLISECONDS = 5_000
MAIL_SECONDS = 5
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def probe_database() -> str:
    """Its name, once it has answered a query."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError) as error:
        raise ProbeFailed("The database does not answer.") from error
    return database_name()


def database_name() -> str:
    """What people call the database in use."""
    return DATABASES.get(connection.vendor, connection.vendor)


def probe_redis() -> str:
    """Its name, once it has answered a ping."""
    try:
        get_redis().ping()
    except RedisError as error:
        raise ProbeFailed("Redis does not answer.") from error
    return redis_name()


def redis_name() -> str:
    """Redis, or the stand-in that runs inside this process."""
    return "in-process stand-in" if settings.USE_FAKE_REDIS else "Redis"


def probe_database_write() -> str:
    """Its name, once it has taken a row of ours; nothing of it stays."""
    row = IdempotencyRecord(user_id=new_id(), path="doctor", key="doctor", body_hash="-")
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            transaction.set_rollback(True)
    except (DatabaseError, InterfaceError) as error:
        raise ProbeFailed("The database does not take a row.") from error
    return database_name()


def probe_redis_lock() -> str:
    """Its name, once a lock could be taken, was held, and given back."""
    name = key("doctor", new_id())
    try:
        client = get_redis()
        taken = [bool(client.set(name, 1, nx=True, px=LOCK_MILLISECONDS)) for _ in range(2)]
        client.delete(name)
    except RedisError as error:
        raise ProbeFailed("Redis does not give out locks.") from error
    if taken != [True, False]:
        raise ProbeFailed("Redis gave the same lock out twice, or not at all.")
    return redis_name()


def probe_mail() -> str:
    """The way mail goes, once its server has taken our name and password."""
    backend = settings.EMAIL_BACKEND.rpartition(".EmailBackend")[0].rpartition(".")[2]
    if backend != "smtp":
        return f"{backend}, nothing to reach"
    try:
        with get_connection(timeout=MAIL_SECONDS):
            return f"SMTP at {settings.EMAIL_HOST}"
    except (OSError, SMTPException) as error:
        raise ProbeFailed("The mail server does not let us in.") from error
