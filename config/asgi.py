"""The ASGI entry point: uvicorn config.asgi:application."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()

from background_tasks.serving import begin_tasks, end_tasks  # noqa: E402 (needs the apps)
from chat.streams.registry import drain_answers  # noqa: E402
from common.asgi import ServerApplication  # noqa: E402
from common.handler import APIHandler  # noqa: E402
from common.memory import settle_memory  # noqa: E402

application = ServerApplication(
    api=APIHandler(),
    pages=django_application,
    startup=(settle_memory, begin_tasks),
    shutdown=(drain_answers, end_tasks),
    terminating=(drain_answers,),
)
