"""The tasks: one service call each; what it returns is what the ledger shows.

A task may run twice for one instant (its holder died in the middle), so each can be repeated,
and each counts its limits from the scheduled instant. It calls `run.fence` before each batch of
writes. Services are imported inside: a process pays for those that it runs.
"""

from dataclasses import asdict
from datetime import timedelta

from django.conf import settings

from background_tasks.runner import Figures, Run

# A round of the queue ends before the next begins.
QUEUE_SECONDS = 50


def backup(run: Run) -> Figures:
    """Write a backup, rehearse its restore, drop what is more than BACKUP_KEEP."""
    from background_tasks.backups.create import make_backup

    return make_backup(
        run=str(run.claim.run_id),
        attempt=run.claim.token,
        fence=run.fence,
        dry_run=run.dry_run,
    )


def chat_cleanup(run: Run) -> Figures:
    """Delete messages older than CHAT_RETENTION_DAYS and the sessions that this empties."""
    from chat.services.retention import purge_messages

    before = run.scheduled_for - timedelta(days=settings.CHAT_RETENTION_DAYS)
    return asdict(purge_messages(before=before, dry_run=run.dry_run, fence=run.fence))


def token_cleanup(run: Run) -> Figures:
    """Delete expired links and log-ins, names held for nobody, and old security events."""
    from users.services.housekeeping import count_expired, purge_expired

    run.fence()
    return count_expired() if run.dry_run else purge_expired()


def idempotency(run: Run) -> Figures:
    """Delete idempotency records past their hours."""
    from common.idempotency import count_expired, purge_expired

    run.fence()
    found = count_expired() if run.dry_run else purge_expired(now=run.scheduled_for)
    return {"records": found}


def outbox(run: Run) -> Figures:
    """Bring an external vector store in step with the documents."""
    from rag.services.outbox import count_pending, project_outbox

    run.fence()
    # Asked first: with nothing to do no embedder need be loaded.
    pending = count_pending()
    return {"changes": project_outbox() if pending and not run.dry_run else pending}


def reconcile(run: Run) -> Figures:
    """Compare an external vector store with the database, and mend it."""
    from rag.services.reconcile import reconcile_store

    run.fence()
    return reconcile_store(dry_run=run.dry_run)


def ingestion(run: Run) -> Figures:
    """Take up documents that wait, or whose worker died."""
    from rag.services.queue import count_waiting, process_queue

    run.fence()
    return {"documents": count_waiting() if run.dry_run else process_queue(seconds=QUEUE_SECONDS)}


def activity_report(run: Run) -> Figures:
    """Mail the figures of the day up to the scheduled instant to ADMINS."""
    from background_tasks.report.figures import measure_day
    from background_tasks.report.mail import send_report

    run.fence()
    return (
        measure_day(run.scheduled_for).values
        if run.dry_run
        else send_report(until=run.scheduled_for)
    )


def stuck_answers(run: Run) -> Figures:
    """Mark answers failed whose worker died."""
    from chat.services.sweeps import count_stuck_answers, fail_stuck_answers

    run.fence()
    return {"answers": count_stuck_answers() if run.dry_run else fail_stuck_answers()}


def mail(run: Run) -> Figures:
    """Send the accounts' mail that a dead process or a dead mail server left."""
    from users.services.delivery import count_due, send_due

    run.fence()
    return {"mails": count_due() if run.dry_run else send_due()}


def ledger_cleanup(run: Run) -> Figures:
    """Delete finished runs past BACKGROUND_TASKS_LEDGER_DAYS, those of sweeps past a day."""
    from background_tasks.ledger_retention import purge_runs

    keep = timedelta(days=settings.BACKGROUND_TASKS_LEDGER_DAYS)
    return purge_runs(
        before=run.scheduled_for - keep,
        sweeps_before=run.scheduled_for - timedelta(days=1),
        dry_run=run.dry_run,
        fence=run.fence,
    )
