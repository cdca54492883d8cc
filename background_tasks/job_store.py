"""Jobs in Redis, as JSON: what a job does comes from this code, never from what Redis holds."""

import json
from datetime import datetime
from typing import Any

from apscheduler.job import Job
from apscheduler.jobstores.redis import RedisJobStore
from apscheduler.util import datetime_to_utc_timestamp, utc_timestamp_to_datetime

from background_tasks.cron import parse_cron
from common.redis import get_redis, key

ANNOUNCE = "background_tasks.clock:announced"


class JSONJobStore(RedisJobStore):  # type: ignore[misc]
    """APScheduler's Redis store with the product's client, and without pickles.

    Whoever can write to Redis could run code in the worker that unpickles; here they can at
    most move a job's time.
    """

    def __init__(self) -> None:
        super().__init__(jobs_key=key("jobs"), run_times_key=key("job-times"))
        self.redis = get_redis()

    def lookup_job(self, job_id: str) -> Job | None:
        """The job; None also where Redis holds something that is none (it is then replaced)."""
        try:
            job: Job | None = super().lookup_job(job_id)
        except (ValueError, KeyError, TypeError):
            return None
        return job

    def add_job(self, job: Job) -> None:
        """Store a job that APScheduler has made."""
        self._write(job)

    def update_job(self, job: Job) -> None:
        """Store a job's next time."""
        self._write(job)

    def shutdown(self) -> None:
        """Nothing to close: the client is the process's."""

    def _write(self, job: Job) -> None:
        state = {
            "id": job.id,
            "cron": job.kwargs["cron"],
            "grace": job.misfire_grace_time,
            "next": datetime_to_utc_timestamp(job.next_run_time),
        }
        with self.redis.pipeline() as pipe:
            pipe.hset(self.jobs_key, job.id, json.dumps(state))
            pipe.zadd(self.run_times_key, {job.id: state["next"]})
            pipe.execute()

    def _reconstitute_job(self, job_state: bytes) -> Job:
        state = json.loads(job_state)
        job = Job.__new__(Job)
        job.__setstate__(_job_state(state))
        job._scheduler = self._scheduler  # noqa: SLF001 (as the store this one stands in for)
        job._jobstore_alias = self._alias  # noqa: SLF001
        return job


def _job_state(state: dict[str, Any]) -> dict[str, Any]:
    next_run_time: datetime = utc_timestamp_to_datetime(state["next"])
    return {
        "id": state["id"],
        "func": ANNOUNCE,
        "trigger": parse_cron(state["cron"]),
        "executor": "default",
        "args": (),
        "kwargs": {"cron": state["cron"]},
        "name": state["id"],
        "misfire_grace_time": state["grace"],
        "coalesce": False,
        "max_instances": 1,
        "next_run_time": next_run_time,
    }
