"""One machine, nothing to set up: DEBUG on, a development key, verification of e-mail optional."""

from config.settings.base import *  # noqa: F403 (a settings module is a namespace)
from config.settings.base import WEB_CONCURRENCY, env
from config.settings.safety import refuse_unsafe_pairs

DEBUG = env.bool("DEBUG", True)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])

refuse_unsafe_pairs(globals(), processes=WEB_CONCURRENCY)
