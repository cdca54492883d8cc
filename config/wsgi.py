"""The WSGI entry point: gunicorn config.wsgi."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()

from background_tasks.serving import starting_tasks  # noqa: E402 (after Django is set up)

application = starting_tasks(django_application)
