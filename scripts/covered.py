"""Put together what the processes of a covered test run measured, and print the report.

make test COVERAGE=1 && python scripts/covered.py
"""

import glob
import sys
import tempfile
from pathlib import Path

import coverage
from coverage.exceptions import CoverageException


def readable(file: str) -> bool:
    """Whether the file can be combined: a process that a test killed may leave half of one."""
    with tempfile.TemporaryDirectory() as folder:
        trial = coverage.Coverage(data_file=f"{folder}/trial")
        try:
            trial.combine([file], strict=True, keep=True)
        except CoverageException:
            return False
    return True


def main() -> None:
    """Combine the readable files of this folder, say how many were not, and report."""
    broken = [file for file in glob.glob(".coverage.*") if not readable(file)]
    for file in broken:
        Path(file).unlink()
    if broken:
        sys.stdout.write(
            f"{len(broken)} processes were killed while they wrote what they measured: left out.\n"
        )
    measured = coverage.Coverage()
    measured.combine(strict=True)
    measured.save()
    measured.report(file=sys.stdout)


if __name__ == "__main__":
    main()
