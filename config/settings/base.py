"""What every environment shares. Each value that an operator may set is read here, by name."""

import json
import os
from pathlib import Path
from typing import Any

import dj_database_url

from config.settings.accounts import *  # noqa: F403 (its names are settings)
from config.settings.api import *  # noqa: F403 (the same)
from config.settings.doctor import DOCTOR_CHECKS as DOCTOR_CHECKS
from config.settings.environment import BASE_DIR as BASE_DIR
from config.settings.environment import env as env
from config.settings.logging import build_logging
from config.settings.rag import build_rag
from config.settings.tasks import read_task_times

# Read by numpy's and faiss's libraries when they load: several threads for one small product
# only wait for each other, at three times the processor time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# --- the process -------------------------------------------------------------------------
DEVELOPMENT_KEY = "insecure-development-key-for-one-machine-only-0123456789"
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", DEVELOPMENT_KEY)
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", [])
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", [])
PUBLIC_URL = env.str("PUBLIC_URL", "http://localhost:8000").rstrip("/")
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0)

# --- the embedded web server (`manage.py serve`) -----------------------------------------
PORT = env.int("PORT", 8000)
BIND_ADDRESS = env.str("BIND_ADDRESS", "127.0.0.1")
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", 1)
# Of a process, for answers; 0: as many as help (see common.loop).
DATABASE_THREADS = max(0, env.int("DATABASE_THREADS", 0))
# A process whose event loop has not turned for this long hangs, and is replaced.
WORKER_SILENCE_SECONDS = env.float("WORKER_SILENCE_SECONDS", 30.0)
SHUTDOWN_GRACE_SECONDS = env.int("SHUTDOWN_GRACE_SECONDS", 10)
# Commands that bring a machine up to date before it serves; each is quick when it is.
SERVE_STEPS: list[str] = env.list("SERVE_STEPS", ["populate_documents"])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "common",
    "users",
    "rag",
    "chat",
    "background_tasks",
]

MIDDLEWARE = [
    "common.request_id.RequestIDMiddleware",
    "common.access.AccessMiddleware",
    "common.csp.ContentSecurityPolicyMiddleware",
    "common.rate_headers.RateLimitHeadersMiddleware",
    "common.guard.RequestGuardMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "common.pages.ErrorResponsesMiddleware",
]

# What the API needs of that under ASGI: nothing that blocks, no sessions, no forms.
API_MIDDLEWARE = [
    "common.request_id.RequestIDMiddleware",
    "common.access.AccessMiddleware",
    "common.csp.ContentSecurityPolicyMiddleware",
    "common.rate_headers.RateLimitHeadersMiddleware",
    "common.guard.RequestGuardMiddleware",
    "common.security.SecurityHeadersMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "common.pages.ErrorResponsesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- the database ------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASE_URL = env.str("DATABASE_URL", f"sqlite:///{BASE_DIR / 'data' / 'db.sqlite3'}")
DATABASES = {"default": dj_database_url.parse(DATABASE_URL)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Opening the file costs more than a query; each thread keeps its connection.
    DATABASES["default"]["CONN_MAX_AGE"] = None
    DATABASES["default"]["OPTIONS"] = {
        # A writer that began as a reader cannot wait for its turn: take the lock at BEGIN.
        "transaction_mode": "IMMEDIATE",
        "timeout": env.int("SQLITE_TIMEOUT_SECONDS", 20),
        # FULL: a committed question survives a power cut, not only a crash of the process.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
            "PRAGMA cache_size=-16000; PRAGMA temp_store=MEMORY;"
        ),
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
        "min_size": env.int("DATABASE_POOL_MIN", 1),
        "max_size": env.int("DATABASE_POOL_MAX", 12),
        "timeout": env.int("DATABASE_POOL_TIMEOUT_SECONDS", 5),
        # Its waits between attempts double; begun anew at the next request, they stay short.
        "reconnect_timeout": 2,
    }

# --- Redis -------------------------------------------------------------------------------
REDIS_HOST = env.str("REDIS_HOST", "")
REDIS_URL = env.str("REDIS_URL", "")
REDIS_PORT = env.int("REDIS_PORT", 6379)
REDIS_DB = env.int("REDIS_DB", 0)
REDIS_PASSWORD = env.str("REDIS_PASSWORD", "")
USE_FAKE_REDIS = env.bool("USE_FAKE_REDIS", not (REDIS_URL or REDIS_HOST))
REDIS_PREFIX = env.str("REDIS_PREFIX", "docent:")
REDIS_TIMEOUT_SECONDS = env.float("REDIS_TIMEOUT_SECONDS", 0.5)

# --- mail --------------------------------------------------------------------------------
EMAIL_HOST = env.str("EMAIL_HOST", "")
EMAIL_PORT = env.int("EMAIL_PORT", 587)
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", True)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT_SECONDS", 10)
EMAIL_FILE_PATH = env.str("EMAIL_FILE_PATH", str(BASE_DIR / "mail"))
EMAIL_BACKEND = env.str(
    "EMAIL_BACKEND",
    f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend",
)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Docent <docent@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
_admins: list[str] = env.list("ADMINS", [])
ADMINS = [(address.split("@")[0], address) for address in _admins]

# --- chat --------------------------------------------------------------------------------
CHAT_MAX_MESSAGE_CHARS = env.int("CHAT_MAX_MESSAGE_CHARS", 8_000)
CHAT_MAX_SESSION_MESSAGES = env.int("CHAT_MAX_SESSION_MESSAGES", 1_000)
CHAT_MAX_SESSIONS = env.int("CHAT_MAX_SESSIONS", 500)
CHAT_RETENTION_DAYS = env.int("CHAT_RETENTION_DAYS", 30)
# What the model sees of the conversation before the question, newest first.
CHAT_HISTORY_TOKENS = env.int("CHAT_HISTORY_TOKENS", 1_500)
# What becomes of the turns that do not fit: "drop" them, or "summarise" them in one turn.
CHAT_HISTORY_OLDER = env.str("CHAT_HISTORY_OLDER", "drop")
CHAT_ANSWER_SECONDS = env.float("CHAT_ANSWER_SECONDS", 120.0)
CHAT_MAX_RUNNING = env.int("CHAT_MAX_RUNNING", 1_500)
# How long the events of an answer can be taken up again.
CHAT_EVENTS_SECONDS = env.int("CHAT_EVENTS_SECONDS", 900)
CHAT_STREAM_HEARTBEAT_SECONDS = env.float("CHAT_STREAM_HEARTBEAT_SECONDS", 15.0)
# An answer whose worker has not been heard of for so long is failed by the sweep.
CHAT_STUCK_SECONDS = env.float("CHAT_STUCK_SECONDS", 30.0)
# How long answers may go on once the server is told to end. Less than its grace: those that
# are ended then have to tell their clients so.
CHAT_SHUTDOWN_SECONDS = env.float("CHAT_SHUTDOWN_SECONDS", 8.0)

# --- retrieval ---------------------------------------------------------------------------
RAG = build_rag(env)
DOCUMENTS_DIR = Path(env.str("DOCUMENTS_DIR", str(BASE_DIR / "documents")))

# --- background tasks and backups --------------------------------------------------------
BACKGROUND_TASKS_AUTOSTART = env.bool("BACKGROUND_TASKS_AUTOSTART", True)
BACKGROUND_TASKS_TIMES = read_task_times()
BACKGROUND_TASKS_THREADS = env.int("BACKGROUND_TASKS_THREADS", 4)
BACKGROUND_TASKS_LEASE_SECONDS = env.float("BACKGROUND_TASKS_LEASE_SECONDS", 60)
BACKGROUND_TASKS_LEDGER_DAYS = env.int("BACKGROUND_TASKS_LEDGER_DAYS", 90)
# Money for a million tokens in and out, by model: {"mistral-small-latest": [0.1, 0.3]}
TOKEN_PRICES: dict[str, list[float]] = json.loads(env.str("TOKEN_PRICES", "{}"))
BACKUP_DIR = Path(env.str("BACKUP_DIR", str(BASE_DIR / "backups")))
BACKUP_KEEP = env.int("BACKUP_KEEP", 8)
BACKUP_ENCRYPTION_KEY = env.str("BACKUP_ENCRYPTION_KEY", "")
BACKUP_ENCRYPTION_OLD_KEYS: list[str] = env.list("BACKUP_ENCRYPTION_OLD_KEYS", [])
# A django-storages class ("storages.backends.s3.S3Storage") and its options as JSON.
BACKUP_STORAGE = env.str("BACKUP_STORAGE", "")
BACKUP_STORAGE_OPTIONS: dict[str, Any] = json.loads(env.str("BACKUP_STORAGE_OPTIONS", "{}"))

# --- languages, time, static files, logs -------------------------------------------------
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
LOGGING = build_logging(
    log_format=env.str("LOG_FORMAT", "plain"), level=env.str("LOG_LEVEL", "INFO")
)
SENTRY_DSN = env.str("SENTRY_DSN", "")
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "")

# --- what an operator sees ---------------------------------------------------------------
# Scrapers show this token, or come from one of these addresses; anybody else gets a 404.
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
METRICS_ALLOWED_ADDRESSES: list[str] = env.list("METRICS_ALLOWED_ADDRESSES", ["127.0.0.1", "::1"])
# Functions that read numbers from the database when Prometheus asks.
METRICS_SOURCES = [
    "common.health.measure_dependencies",
    "background_tasks.selectors.measure_tasks",
    "chat.measures.measure_answers",
    "rag.selectors.measures.measure_documents",
]
# Probes by name; a needed one that is down makes the process not ready.
HEALTH_CHECKS: dict[str, dict[str, Any]] = {
    "database": {"PROBE": "common.probes.probe_database", "NEEDED": True},
    "redis": {"PROBE": "common.probes.probe_redis", "NEEDED": False},
    "providers": {"PROBE": "rag.checks.probe_circuits", "NEEDED": False},
    "tasks": {"PROBE": "background_tasks.probes.probe_tasks", "NEEDED": False},
    "backup": {"PROBE": "background_tasks.probes.probe_backup", "NEEDED": False},
}

# --- the pages ---------------------------------------------------------------------------
# The box on the start page that answers a question from the public documents.
START_PAGE_ASK = env.bool("START_PAGE_ASK", True)
# What the page says its address is; empty where nobody said: then the one that was asked.
START_PAGE_URL = env.str("PUBLIC_URL", "").rstrip("/")
CSRF_FAILURE_VIEW = "common.problems.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
