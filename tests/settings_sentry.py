"""The test settings with a Sentry DSN that leads nowhere."""

from config.settings.test import *  # noqa: F403 (a settings module is a namespace)

SENTRY_DSN = "https://key@sentry.invalid/1"
ROOT_URLCONF = "tests.test_pages"
