"""What a list of statements says of transactions."""

from collections.abc import Iterable, Iterator


def outside_transactions(statements: Iterable[str]) -> Iterator[str]:
    """Those that ran in none: a write among them is a commit of its own."""
    inside = False
    for sql in statements:
        inside = inside or sql.startswith("BEGIN")
        if not inside:
            yield sql
        inside = inside and sql != "COMMIT"
