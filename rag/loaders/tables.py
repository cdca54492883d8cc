"""Tables as Markdown rows."""

from collections.abc import Sequence


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table of `rows`, the first as its head; cells on one line."""
    cells = [[" ".join(cell.split()).replace("|", "/") for cell in row] for row in rows if row]
    if not any(cell for row in cells for cell in row):
        return []
    lines = [f"| {' | '.join(row)} |" for row in cells]
    lines.insert(1, f"|{' --- |' * len(cells[0])}")
    return lines
