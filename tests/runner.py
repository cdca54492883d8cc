"""`manage.py test [label]` runs the same suite as `pytest [path]`."""

from typing import Any


class PytestRunner:
    """Hands Django's test labels to pytest."""

    def __init__(self, verbosity: int = 1, failfast: bool = False, **kwargs: Any) -> None:
        self.verbosity = verbosity
        self.failfast = failfast

    def run_tests(self, test_labels: list[str], **kwargs: Any) -> int:
        """Run `test_labels` (dotted modules or paths; none: all); the number to exit with."""
        import pytest

        arguments = ["--verbose"] if self.verbosity > 1 else []
        arguments += ["--exitfirst"] if self.failfast else []
        return int(pytest.main([*arguments, *map(_as_path, test_labels)]))


def _as_path(label: str) -> str:
    return label if "/" in label or label.endswith(".py") else _module_path(label)


def _module_path(label: str) -> str:
    from pathlib import Path

    path = label.replace(".", "/")
    return path if Path(path).is_dir() else f"{path}.py"
