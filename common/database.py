"""Statements written by hand: run, with values as either database gives and takes them."""

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, connections, models

T = TypeVar("T")
M = TypeVar("M", bound=models.Model)
Convert = Callable[[Any], Any]

KNOWN_STATEMENTS = 256
PLACES_AT_ONCE = 10
ROWS_AT_ONCE = 50

# What these columns hold goes to the database as it is.
PLAIN = (models.BooleanField, models.CharField, models.IntegerField, models.TextField)


def as_uuid(value: Any) -> UUID:
    """A column of UUIDs: PostgreSQL gives them as such, SQLite as 32 digits."""
    return value if isinstance(value, UUID) else UUID(value)


def as_json(value: Any) -> Any:
    """A column of JSON, which both give as text; None for NULL."""
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def stored_uuid(value: UUID) -> Any:
    """`value` for a column of UUIDs."""
    return value if connection.features.has_native_uuid_field else value.hex


def stored_json(value: Any) -> str:
    """`value` for a column of JSON."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class Statement:
    """A statement in Django's form (`%s` for each value, no other per cent sign), for any thread.

    On SQLite it goes straight to the connection: Django's cursor takes longer to hand a
    statement on than SQLite to run it. Transactions, the wrapping of errors and whoever listens
    to statements are Django's all the same.
    """

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._sqlite = sql.replace("%s", "?")

    def fetch_one(self, *values: Any) -> Any:
        """The first row, or None."""
        return self._run(values, lambda cursor: cursor.fetchone())

    def fetch_all(self, *values: Any) -> list[Any]:
        """Every row."""
        return self._run(values, lambda cursor: list(cursor.fetchall()))

    def run_many(self, rows: Sequence[Sequence[Any]]) -> None:
        """Once with each of `rows`."""
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.executemany(self.sql, rows)

    def run(self, *values: Any) -> int:
        """How many rows it changed."""
        return self._run(values, lambda cursor: int(cursor.rowcount))

    def _run(self, values: Sequence[Any], read: Callable[[Any], T]) -> T:
        here = connections[DEFAULT_DB_ALIAS]
        if here.vendor == "sqlite" and not here.execute_wrappers and not here.queries_logged:
            here.ensure_connection()
            here.validate_no_broken_transaction()
            with (
                here.wrap_database_errors,
                closing(here.connection.execute(self._sqlite, values)) as direct,
            ):
                return read(direct)
        with here.cursor() as cursor:
            cursor.execute(self.sql, values)
            return read(cursor)


@lru_cache(maxsize=KNOWN_STATEMENTS)
def statement(sql: str, places: int) -> Statement:
    """A statement whose `{marks}` are `places` values of an IN, made once."""
    return Statement(sql.replace("{marks}", ", ".join(["%s"] * places)))


def fill(values: Sequence[T]) -> list[T]:
    """`values`, the last repeated up to a multiple of ten.

    For an IN: so that few statements are made, and found again where they were prepared.
    """
    return [*values, *[values[-1]] * (-len(values) % PLACES_AT_ONCE)]


class Rows(Generic[M]):
    """Reads and stores a model's rows by statements written once, as the ORM itself would."""

    def __init__(self, model: type[M]) -> None:
        self.model = model
        self.fields = model._meta.concrete_fields  # noqa: SLF001 (Django documents it)
        self.names = [field.attname for field in self.fields]
        # Of the one kind of database that this process talks to.
        self._read: list[tuple[int, Convert]] | None = None
        self._inserts: dict[tuple[int, str], Statement] = {}
        self._stored: list[tuple[str, Convert | None]] | None = None

    def columns(self, alias: str) -> str:
        """The columns that `read` expects, in its order."""
        quote = connection.ops.quote_name
        return ", ".join(f"{alias}.{quote(str(field.column))}" for field in self.fields)

    def read(self, values: Sequence[Any]) -> M:
        """A row's values as an instance."""
        converted = list(values)
        for place, convert in self._get_read():
            converted[place] = convert(converted[place])
        return self.model.from_db(connection.alias, self.names, converted)

    def insert(self, *instances: M) -> None:
        """Store new instances by one statement, as `bulk_create` does: nobody is signalled."""
        self._get_insert(len(instances)).run(*self._values(instances, self._get_stored()))
        self._mark_stored(instances)

    def append(self, instances: Sequence[M]) -> None:
        """`insert` of many that get their numbers as keys from the database, in their order."""
        key = self.model._meta.pk.attname  # noqa: SLF001 (Django documents it)
        stored = [pair for pair in self._get_stored() if pair[0] != key]
        for start in range(0, len(instances), ROWS_AT_ONCE):
            part = instances[start : start + ROWS_AT_ONCE]
            rows = self._get_insert(len(part), key).fetch_all(*self._values(part, stored))
            # Which row is given back first is not promised, but the first stored has the first.
            for instance, number in zip(part, sorted(number for (number,) in rows), strict=True):
                instance.pk = number
        self._mark_stored(instances)

    @staticmethod
    def _values(instances: Sequence[M], stored: Sequence[tuple[str, Convert | None]]) -> list[Any]:
        return [
            getattr(instance, name) if convert is None else convert(getattr(instance, name))
            for instance in instances
            for name, convert in stored
        ]

    @staticmethod
    def _mark_stored(instances: Sequence[M]) -> None:
        for instance in instances:
            instance._state.adding = False  # noqa: SLF001 (Django documents it)
            instance._state.db = connection.alias  # noqa: SLF001

    def _get_insert(self, count: int, key: str = "") -> Statement:
        """Of `count` rows; where a `key` is named, the database makes it and gives it back."""
        if (count, key) not in self._inserts:
            quote = connection.ops.quote_name
            fields = [field for field in self.fields if field.attname != key]
            columns = ", ".join(quote(str(field.column)) for field in fields)
            row = f"({', '.join(['%s'] * len(fields))})"
            table = quote(self.model._meta.db_table)  # noqa: SLF001 (Django documents it)
            rows = ", ".join([row] * count)
            sql = f"INSERT INTO {table} ({columns}) VALUES {rows}"  # noqa: S608 (our own names)
            self._inserts[count, key] = Statement(f"{sql} RETURNING {quote(key)}" if key else sql)
        return self._inserts[count, key]

    def _get_stored(self) -> list[tuple[str, Convert | None]]:
        if self._stored is None:
            self._stored = [(field.attname, _storing(field)) for field in self.fields]
        return self._stored

    def _get_read(self) -> list[tuple[int, Convert]]:
        if self._read is None:
            found = [(place, _reading(field)) for place, field in enumerate(self.fields)]
            self._read = [(place, convert) for place, convert in found if convert is not None]
        return self._read


def _reading(field: Any) -> Convert | None:
    """How a value from the database becomes one of `field`; None: it is one already."""
    column = field.cached_col
    converters = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
    if not converters:
        return None
    if _is_plain_time(field):
        return _read_time

    def convert(value: Any) -> Any:
        for each in converters:
            value = each(value, column, connection)
        return value

    return convert


def _storing(field: Any) -> Convert | None:
    """How a value of `field` becomes one for the database; None: it is one already."""
    of = field.target_field if isinstance(field, models.ForeignKey) else field
    if isinstance(of, models.UUIDField):
        native = connection.features.has_native_uuid_field
        return None if native else _hex
    if isinstance(of, models.JSONField) and not of.null:
        return stored_json
    if isinstance(of, PLAIN):
        return None
    if _is_plain_time(field):
        return _store_time
    return lambda value: field.get_db_prep_save(value, connection)


def _is_plain_time(field: Any) -> bool:
    """Whether a column holds times as Django keeps them in SQLite: in UTC, without saying so."""
    if type(field) is not models.DateTimeField or connection.vendor != "sqlite":
        return False
    return connection.timezone is UTC


def _read_time(value: datetime | None) -> datetime | None:
    return None if value is None else value.replace(tzinfo=UTC)


def _store_time(value: datetime | None) -> str | None:
    return None if value is None else str(value.astimezone(UTC).replace(tzinfo=None))


def _hex(value: UUID | None) -> str | None:
    return None if value is None else value.hex
