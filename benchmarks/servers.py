"""The processes that are measured: the product on a database of its own, floors, the provider."""

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import Client

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
# Prints an access token that lives as long as the benchmark.
MAKE_TOKEN = """
import django, datetime
django.setup()
from django.utils import timezone
from users.models import TokenFamily, User
from users.tokens import make_access
user, _ = User.objects.get_or_create(username="bench", defaults={"email": "bench@example.com"})
end = timezone.now() + datetime.timedelta(days=1)
print(make_access(TokenFamily.objects.create(user=user, idle_at=end, expires_at=end)))
"""
PROVIDER_FIRST_TOKEN_SECONDS = 0.4
PROVIDER_TOKENS = 20
PROVIDER_TOKENS_PER_SECOND = 50.0


class Product:
    """How to run the product apart from the database and settings of whoever measures."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
            "READ_DOT_ENV": "false",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DEBUG": "false",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "ALLOWED_HOSTS": "127.0.0.1",
            "DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}",
            "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
            "LOG_LEVEL": "WARNING",
            "JWT_ACCESS_MINUTES": "600",
            # Everything is counted, nothing is refused.
            "THROTTLE_CHAT": "10000000/m",
            "CHAT_MAX_SESSIONS": "10000000",
            **environment,
        }

    def run(self, *command: str) -> str:
        """What a command prints that runs with the product's environment."""
        done = subprocess.run(
            [sys.executable, *command],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{command[:3]} failed:\n{done.stderr[-2000:]}")
        return done.stdout

    def measure(self, name: str) -> dict[str, float]:
        """One figure from inside the product (see `benchmarks.inside`)."""
        # A command may have said something before.
        last = self.run("-m", "benchmarks.inside", name).splitlines()[-1]
        found: dict[str, float] = json.loads(last)
        return found

    def set_up(self) -> str:
        """Migrate and take in the shipped documents; an access token."""
        self.run("manage.py", "migrate", "--verbosity", "0")
        self.run("manage.py", "populate_documents")
        return self.run("-c", MAKE_TOKEN).strip()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="docent-bench-") as name:
        yield Path(name)


@contextmanager
def running(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process, ended with the block."""
    process = subprocess.Popen(
        [sys.executable, *command],
        env=dict(environment) if environment is not None else None,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def provider(port: int, *, tokens_per_second: float = PROVIDER_TOKENS_PER_SECOND) -> list[str]:
    """The command of a provider whose answers take 0.8 seconds."""
    return [
        *("-m", "tests.stand_ins", "mistral", "--port", str(port)),
        *("--first-token-seconds", str(PROVIDER_FIRST_TOKEN_SECONDS)),
        *("--tokens", str(PROVIDER_TOKENS), "--tokens-per-second", str(tokens_per_second)),
    ]


def product(port: int) -> list[str]:
    """The command of the product as `make run` starts it."""
    return ["manage.py", "serve", "--port", str(port)]


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def wait_for(port: int, *, path: str = "/health/live/") -> float:
    """Seconds until a server answers; SystemExit when it does not."""
    began = time.perf_counter()
    while time.perf_counter() - began < START_SECONDS:
        client = Client("127.0.0.1", port)
        try:
            await client.request("GET", path)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            return time.perf_counter() - began
        finally:
            client.close()
    raise SystemExit(f"Nothing answers on port {port}.")
