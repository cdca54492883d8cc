"""Who may log in, with what passwords and tokens."""

from datetime import timedelta

from config.settings.environment import env

AUTH_USER_MODEL = "users.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
JWT_ACCESS_LIFETIME = timedelta(minutes=env.int("JWT_ACCESS_MINUTES", 15))
JWT_REFRESH_LIFETIME = timedelta(days=env.int("JWT_REFRESH_DAYS", 7))
# However busy: after this long a device has to log in again.
JWT_SESSION_LIFETIME = timedelta(days=env.int("JWT_SESSION_DAYS", 90))
# The first signs, all verify; none: keys derived from SECRET_KEY and its fallbacks.
JWT_SIGNING_KEYS: list[str] = env.list("JWT_SIGNING_KEYS", [])
JWT_ISSUER = env.str("JWT_ISSUER", "docent")
JWT_AUDIENCE = env.str("JWT_AUDIENCE", "docent-api")
EMAIL_VERIFICATION = env.str("EMAIL_VERIFICATION", "optional")
AUTHENTICATION_BACKENDS = ["users.backends.AccountBackend"]
# The admin's own; `csrftoken` is the API's (users/cookies.py).
CSRF_COOKIE_NAME = "docent_admin_csrf"
# Where links in mails lead, with {uid} and {token}; empty: the product's own pages.
VERIFY_EMAIL_URL = env.str("VERIFY_EMAIL_URL", "")
CHANGE_EMAIL_URL = env.str("CHANGE_EMAIL_URL", "")
RESET_PASSWORD_URL = env.str("RESET_PASSWORD_URL", "")
UNVERIFIED_ACCOUNT_DAYS = env.int("UNVERIFIED_ACCOUNT_DAYS", 7)
AUDIT_RETENTION_DAYS = env.int("AUDIT_RETENTION_DAYS", 365)
# background: from a thread as soon as it is committed; sweep: by the task alone.
ACCOUNT_MAIL_DELIVERY = env.str("ACCOUNT_MAIL_DELIVERY", "background")
