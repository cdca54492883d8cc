"""For servers: HTTPS only, secure cookies, JSON logs; refuses to start unless it is safe to."""

from config.settings.base import *  # noqa: F403 (a settings module is a namespace)
from config.settings.base import BASE_DIR, TRUSTED_PROXIES, WEB_CONCURRENCY, env
from config.settings.logging import build_logging
from config.settings.safety import refuse_unsafe

EMAIL_VERIFICATION = env.str("EMAIL_VERIFICATION", "mandatory")
LOGGING = build_logging(
    log_format=env.str("LOG_FORMAT", "json"), level=env.str("LOG_LEVEL", "INFO")
)

# --- HTTPS -------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
# Probes and scrapers come from inside, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_INCLUDE_SUBDOMAINS", True)
SECURE_HSTS_PRELOAD = env.bool("HSTS_PRELOAD", True)
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"

# --- static files, compressed and named by their content ---------------------------------
STATIC_ROOT = env.path("STATIC_ROOT", BASE_DIR / "staticfiles")
WHITENOISE_USE_FINDERS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- what an operator sees ---------------------------------------------------------------
# Behind a proxy on the same machine everybody's peer is 127.0.0.1: name scrapers or a token.
METRICS_ALLOWED_ADDRESSES = env.list("METRICS_ALLOWED_ADDRESSES", [])

refuse_unsafe(globals(), processes=WEB_CONCURRENCY)
