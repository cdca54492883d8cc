"""The clock: APScheduler over memory and over Redis, and what happens when Redis goes."""

import json
import pickle
import time
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.jobstores.base import JobLookupError
from django.db.models.functions import Now

from background_tasks import incidents
from background_tasks.clock import Clock, announced
from background_tasks.job_store import JSONJobStore
from background_tasks.models import TaskRun, TaskState
from background_tasks.schedule import Task
from background_tasks.scheduler import Scheduler
from common.redis import get_redis, key

PATIENCE_SECONDS = 30


def make_task(name="example", cron="* * * * * *", **values) -> Task:
    values = {"grace": timedelta(minutes=1), "summary": "", "attempts": 1, **values}
    return Task(name, cron, **values)


def work(run):
    return {}


class Listener:
    """Keeps what the clock said."""

    def __init__(self):
        self.heard: list[tuple[str, datetime]] = []

    def __call__(self, task, instants):
        self.heard += [(task, instant) for instant in instants]

    def wait(self, count: int = 1) -> list[tuple[str, datetime]]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.heard) < count:
            assert time.monotonic() < deadline, "the clock said nothing"
            time.sleep(0.02)
        return list(self.heard)


@pytest.fixture(params=["memory", "redis"])
def store(request, settings):
    # fakeredis serves the Redis store as well as a real one does.
    if request.param == "redis":
        use_redis_store(settings)
    return request.param


def use_redis_store(settings):
    """Persist jobs in whatever `get_redis` opens."""
    get_redis()
    settings.USE_FAKE_REDIS = False


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def clock(listener):
    clock = Clock(listener)
    yield clock
    clock.stop()


class TestTelling:
    def test_it_tells_each_instant_to_the_second(self, store, clock, listener):
        clock.keep([make_task()])

        heard = listener.wait(2)

        instants = [instant for _, instant in heard]
        assert all(instant.microsecond == 0 for instant in instants)
        assert instants[1] - instants[0] == timedelta(seconds=1)

    def test_a_task_that_is_off_has_no_job(self, store, clock):
        clock.keep([make_task(cron="0 2 * * *")])
        clock.keep([make_task(cron="off")])

        assert clock._scheduler.get_jobs() == []

    def test_a_dead_thread_is_noticed_and_replaced(self, store, clock, listener):
        clock.keep([make_task()])
        clock._scheduler._process_jobs = None
        clock._scheduler.wakeup()
        clock._scheduler._thread.join(PATIENCE_SECONDS)
        assert not clock.alive()

        clock.keep([make_task()])

        assert clock.alive()
        assert listener.wait()

    pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class TestRedis:
    @pytest.fixture(autouse=True)
    def _store(self, settings):
        use_redis_store(settings)

    def test_a_job_outlives_the_process(self, clock, listener):
        clock.keep([make_task(cron="0 2 * * *")])
        before = clock._scheduler.get_job("example").next_run_time
        clock.stop()

        clock.keep([make_task(cron="0 2 * * *")])

        assert clock._scheduler.get_job("example").next_run_time == before

    def test_an_instant_missed_while_down_is_told_after_the_restart(self, clock, listener):
        clock.keep([make_task(cron="0 2 * * *")])
        missed = clock._scheduler.get_job("example").next_run_time - timedelta(days=1)
        clock.stop()
        state = json.loads(get_redis().hget(key("jobs"), "example"))
        state["next"] = missed.timestamp()
        get_redis().hset(key("jobs"), "example", json.dumps(state))
        get_redis().zadd(key("job-times"), {"example": missed.timestamp()})

        clock.keep([make_task(cron="0 2 * * *")])

        assert listener.wait() == [("example", missed)]

    def test_another_cron_takes_the_old_one_s_place(self, clock):
        clock.keep([make_task(cron="0 2 * * *")])
        clock.keep([make_task(cron="0 5 * * *")])

        assert clock._scheduler.get_job("example").next_run_time.hour == 5

    def test_a_redis_that_came_back_empty_gets_its_jobs_again(self, clock, listener):
        clock.keep([make_task(cron="0 2 * * *")])
        get_redis().delete(key("jobs"), key("job-times"))

        clock.keep([make_task(cron="0 2 * * *")])

        assert clock._scheduler.get_job("example") is not None

    def test_what_redis_holds_is_never_unpickled(self, clock, tmp_path):
        class Evil:
            def __reduce__(self):
                return (tmp_path.joinpath("run").touch, ())

        get_redis().hset(key("jobs"), "example", pickle.dumps(Evil()))

        clock.keep([make_task(cron="0 2 * * *")])

        assert not (tmp_path / "run").exists()
        assert clock._scheduler.get_job("example") is not None

    def test_a_job_of_newer_code_is_left_in_the_store(self, clock):
        clock.keep([make_task("newer", cron="0 2 * * *")])
        clock.stop()

        clock.keep([make_task(cron="0 2 * * *")])

        assert {job.id for job in clock._scheduler.get_jobs()} == {"newer", "example"}

    def test_a_job_that_is_not_there_cannot_be_removed(self, clock):
        clock.keep([])

        with pytest.raises(JobLookupError):
            clock._scheduler.remove_job("nothing")

    def test_the_store_closes_no_client_that_others_use(self, clock):
        JSONJobStore().shutdown()

        assert get_redis().ping()

    def test_what_a_job_is_said_to_call_does_nothing(self):
        assert announced(cron="0 2 * * *") is None


@pytest.mark.django_db(transaction=True)
class TestScheduler:
    @pytest.fixture
    def run(self, settings):
        settings.BACKGROUND_TASKS_LEASE_SECONDS = 6
        started = []

        def start(*tasks):
            scheduler = Scheduler(tasks)
            started.append(scheduler)
            scheduler.start()
            return scheduler

        yield start
        for scheduler in started:
            scheduler.stop()

    def wait_for(self, met):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not met():
            assert time.monotonic() < deadline, "the scheduler did not get there"
            time.sleep(0.05)

    def succeeded(self):
        return TaskRun.objects.filter(state="succeeded")

    def task(self, **values) -> Task:
        return make_task(path=f"{__name__}.work", **values)

    def test_it_runs_what_the_clock_tells(self, run):
        run(self.task())

        self.wait_for(lambda: self.succeeded().count() >= 2)

    def test_without_redis_it_finds_the_instants_by_itself(self, run, settings, monkeypatch):
        settings.USE_FAKE_REDIS = False
        from redis.exceptions import ConnectionError as RedisDown

        def refuse(self, *args, **kwargs):
            raise RedisDown("refused")

        for name in ("add_job", "lookup_job", "get_due_jobs", "get_next_run_time"):
            monkeypatch.setattr(JSONJobStore, name, refuse)

        run(self.task())

        self.wait_for(lambda: self.succeeded().count() >= 2)

    def test_a_run_asked_for_by_hand_is_taken_at_once(self, run):
        from background_tasks import ledger

        scheduler = run(self.task(cron="off"))
        ledger.request_run("example")
        scheduler.wake()

        self.wait_for(lambda: self.succeeded().count() == 1)

    def test_a_task_of_newer_code_is_left_to_newer_code(self, run):
        from background_tasks import ledger

        ledger.request_run("newer")
        run(self.task())

        self.wait_for(lambda: self.succeeded().exists())
        assert TaskRun.objects.get(task="newer").state == "queued"

    def test_a_missed_instant_is_made_up_for_after_a_start(self, run):
        at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
        task = self.task(cron=f"{at.minute} {at.hour} * * *", grace=timedelta(hours=1), attempts=3)
        incidents.remember(task)
        TaskState.objects.update(since=Now() - timedelta(days=1))

        run(task)

        self.wait_for(lambda: self.succeeded().exists())
        assert self.succeeded().get().scheduled_for == at

    def test_it_stops_when_it_is_told(self, run):
        scheduler = run(self.task())
        self.wait_for(lambda: self.succeeded().exists())

        scheduler.stop()

        assert not scheduler.alive()
