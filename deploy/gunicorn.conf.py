"""gunicorn for config.wsgi: the way without an event loop in the server.

    gunicorn -c deploy/gunicorn.conf.py config.wsgi

`manage.py serve` (uvicorn) is the first choice: a stream costs it no thread. Here each open stream
holds a thread, so that THREADS times WEB_CONCURRENCY bounds them; put a buffering proxy in front.
"""

import os

from prometheus_client import multiprocess

bind = f"{os.environ.get('BIND_ADDRESS', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = int(os.environ.get("THREADS", "64"))
# A stream may be silent for 15 s between heartbeats; this watches the worker, not the request.
timeout = 60
graceful_timeout = int(os.environ.get("SHUTDOWN_GRACE_SECONDS", "10"))
keepalive = 75
# Forked after the import, workers share the memory of the code and the embedder's weights.
preload_app = True
# Ours logs the route instead of the path, without query strings.
accesslog = None
errorlog = "-"
forwarded_allow_ips = ""


def post_worker_init(worker):
    """Start the worker's background tasks; a preloading master has imported, not started, them."""
    from background_tasks.scheduler import start_in_server

    start_in_server()
    # Streams hold the worker's threads until their answers end: tell these at once.
    from chat.streams.registry import begin_to_drain
    from common.termination import on_termination

    on_termination(begin_to_drain)


def worker_exit(server, worker):
    """Let answers that nobody follows end, and tasks stop at their next fence."""
    from background_tasks.scheduler import stop_in_server
    from chat.streams.registry import drain_answers
    from common.loop import run

    run(drain_answers())
    stop_in_server()


def child_exit(server, worker):
    """Take a dead worker's live gauges out of the metrics."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.mark_process_dead(worker.pid)
