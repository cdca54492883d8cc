"""Production settings: what they refuse, and what they set."""

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GOOD = {
    "SECRET_KEY": secrets.token_urlsafe(64),
    "ALLOWED_HOSTS": "docent.example",
    "PUBLIC_URL": "https://docent.example",
    "DATABASE_URL": "postgres://docent:docent@127.0.0.1:1/docent",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def start(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py with the production settings and nothing else in the environment."""
    return subprocess.run(
        [sys.executable, "manage.py", *(command or ("check",))],
        cwd=ROOT,
        env={
            "READ_DOT_ENV": "false",
            "DJANGO_SETTINGS_MODULE": "config.settings.production",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def without(name: str) -> dict[str, str]:
    """The good environment, less one variable."""
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        (without("SECRET_KEY"), "SECRET_KEY is not set"),
        (GOOD | {"SECRET_KEY": "short"}, "SECRET_KEY is too weak"),
        (GOOD | {"SECRET_KEY": "a" * 60}, "SECRET_KEY is too weak"),
        (GOOD | {"SECRET_KEY": "django-insecure-" + GOOD["SECRET_KEY"]}, "placeholder"),
        (GOOD | {"DEBUG": "true"}, "DEBUG is on"),
        (without("ALLOWED_HOSTS"), "ALLOWED_HOSTS is empty"),
        (GOOD | {"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS has a wildcard"),
        (GOOD | {"PUBLIC_URL": "http://docent.example"}, "PUBLIC_URL must begin with https://"),
        (GOOD | {"CORS_ALLOWED_ORIGINS": "http://a.example"}, "https:// origins only"),
        (without("REDIS_URL") | {"WEB_CONCURRENCY": "2"}, "there is no REDIS_URL"),
        (without("DATABASE_URL") | {"WEB_CONCURRENCY": "2"}, "2 on SQLite"),
    ],
)
def test_unsafe_environment_is_refused_in_words(environment, sentence) -> None:
    done = start(environment)
    assert done.returncode != 0
    assert sentence in done.stderr


def test_all_reasons_are_named_at_once() -> None:
    done = start({"DEBUG": "true"})
    assert "SECRET_KEY" in done.stderr
    assert "DEBUG" in done.stderr
    assert "ALLOWED_HOSTS" in done.stderr


def test_deployment_check_has_no_warning() -> None:
    done = start(GOOD | {"WEB_CONCURRENCY": "2"}, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr


def test_static_files_are_collected_under_names_by_content(tmp_path) -> None:
    done = start(GOOD | {"STATIC_ROOT": str(tmp_path)}, "collectstatic", "--noinput")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("docent.*.css"))
    assert list(tmp_path.glob("docent.*.css.gz"))
