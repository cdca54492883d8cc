"""What can go wrong with scheduled work and with backups."""

from common.errors import ApplicationError, Conflict, Invalid, NotFound


class TaskNotFound(NotFound):
    """No task of this name stands in the schedule."""

    code = "task_not_found"
    message = "There is no such task."


class InvalidCron(Invalid):
    """A time that is not a cron expression."""

    code = "invalid_cron"


class RunNotRetryable(Conflict):
    """The run has not failed, so there is nothing to try again."""

    code = "run_not_retryable"
    message = "Only a run that failed or was missed can be tried again."


class LeaseLost(ApplicationError):
    """The run has been taken over by another worker: this one may write nothing more."""

    code = "lease_lost"
    message = "Another worker has taken this run over."


class RunStopped(ApplicationError):
    """The process is shutting down: the run goes back to the queue for another."""

    code = "run_stopped"
    message = "The run was stopped by a shutdown."


class BackupError(ApplicationError):
    """A backup could not be made, read or restored; the sentence says which part and why."""

    code = "backup_failed"
    message = "The backup failed."


class ArchiveDamaged(BackupError):
    """The archive is not what was written; `member` names the part where that shows."""

    code = "archive_damaged"

    def __init__(self, member: str, reason: str) -> None:
        super().__init__(f"{member}: {reason}")
        self.member = member


class DatabaseNotEmpty(BackupError):
    """There is data where a backup should be restored to."""

    code = "database_not_empty"


class NotVerified(BackupError):
    """What was restored is not what the archive holds."""

    code = "backup_not_verified"
