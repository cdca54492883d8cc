"""For the suite: fast hashing, mail in memory, no scheduler; real services when named."""

import os

# The suite must not depend on what an operator wrote down on this machine.
os.environ["READ_DOT_ENV"] = "false"

from config.settings.base import *  # noqa: F403 (a settings module is a namespace)
from config.settings.base import BASE_DIR, DATABASES, RAG

SECRET_KEY = "test-key-that-is-long-enough-for-hs256-and-used-nowhere-else"  # noqa: S105 (public)
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
BACKGROUND_TASKS_AUTOSTART = False
# Workers of one run (pytest -n) share no key, no file and no database.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
REDIS_PREFIX = f"docent-test{WORKER}:"
WHITENOISE_AUTOREFRESH = True
BACKUP_DIR = BASE_DIR / "data" / f"test-backups{WORKER}"
TEST_RUNNER = "tests.runner.PytestRunner"
# Threads cannot see what a test has not committed; tests send with the sweep.
ACCOUNT_MAIL_DELIVERY = "sweep"
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Threads and processes share it, as they do in production: it must be a file.
    DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "data" / "test.sqlite3"}
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON;"
    )
# Tests work the queue off themselves, when they want it done.
RAG = {**RAG, "PROCESS_IN_BACKGROUND": False}
