"""A hasher whose work can be counted."""

from collections.abc import Callable
from typing import ClassVar

from django.contrib.auth.hashers import MD5PasswordHasher


class CountingHasher(MD5PasswordHasher):
    """MD5, and how often it was asked."""

    algorithm = "counting"
    calls: ClassVar[int] = 0

    def encode(self, password: str, salt: str) -> str:
        """Count and hash."""
        type(self).calls += 1
        return super().encode(password, salt)


class RacingHasher(MD5PasswordHasher):
    """MD5, and something else that happens just while it works."""

    algorithm = "racing"
    meanwhile: ClassVar[list[Callable[[], object]]] = []

    def encode(self, password: str, salt: str) -> str:
        """Hash; what is waiting happens once."""
        encoded = super().encode(password, salt)
        if self.meanwhile:
            self.meanwhile.pop()()
        return encoded
