"""`manage.py serve`: bring the database and the documents up to date, then answer requests."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandParser, call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor


class Command(BaseCommand):
    """Migrations, the shipped documents, the web server.

    With one process all in this one: each start of Django costs more than the work of these
    steps when there is nothing to do, and a newcomer waits for the sum.
    """

    help = "Migrate, index the documents folder, and serve on http://BIND_ADDRESS:PORT."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--bind", default=settings.BIND_ADDRESS)
        parser.add_argument("--processes", type=int, default=settings.WEB_CONCURRENCY)
        parser.add_argument(
            "--only", action="store_true", help="serve; migrate and index nothing before"
        )
        parser.add_argument("--inherit", help="file numbers of the socket and the pipe of a worker")

    def handle(self, **options: Any) -> None:
        if options["inherit"]:
            from common.supervisor import work

            listening, beats = map(int, options["inherit"].split(","))
            work(listening, beats)
            return
        if not options["only"]:
            prepare()
        bind, port, processes = options["bind"], options["port"], options["processes"]
        self.stdout.write(f"Docent: http://{bind}:{port}/  (API: /api/docs/, stop with Ctrl-C)")
        self.stdout.flush()
        serve(bind=bind, port=port, processes=processes)


def serve(*, bind: str, port: int, processes: int) -> None:
    """Serve in this process, or in several that it looks after."""
    if processes == 1:
        from common.serving import serve as serve_here

        serve_here(bind=bind, port=port)
        return
    from common.supervisor import Supervisor

    Supervisor(bind=bind, port=port, processes=processes).run()


def prepare() -> None:
    """Migrate if there is anything to migrate, and run `SERVE_STEPS`."""
    if has_pending_migrations():
        call_command("migrate", interactive=False, verbosity=1)
    for name in settings.SERVE_STEPS:
        call_command(name)
    connections.close_all()


def has_pending_migrations() -> bool:
    """Whether `migrate` would do anything to the default database."""
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
