"""Deadlines, retries, budgets and circuit breakers."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from common.loop import run
from common.redis import get_redis, key
from rag.errors import ProviderMalformed, ProviderRejected, ProviderTimeout, ProviderUnavailable
from rag.resilience.breaker import CircuitBreaker
from rag.resilience.deadline import each_within, hurry, time_limit
from rag.resilience.errors import CircuitOpen, ProviderBusy
from rag.resilience.gate import Gate
from rag.resilience.guard import Guard
from rag.resilience.perloop import PerLoop
from rag.resilience.retry import RetryBudget, RetryPolicy, with_retries
from rag.resilience.shared import RedisShare, Share
from tests.stand_ins.server import free_port


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Failing:
    """Fails with each of `errors`, then works."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def make_policy(waits: list[float], **more: object) -> RetryPolicy:
    """A policy that notes its waits instead of waiting, its jitter at the top."""

    async def note(seconds: float) -> None:
        waits.append(seconds)

    return RetryPolicy(**{"sleep": note, "jitter": lambda low, high: high, **more})


class TestDeadlines:
    def test_what_takes_longer_is_a_timeout(self):
        async def wait() -> None:
            async with time_limit(0.01):
                await asyncio.sleep(60)

        with pytest.raises(ProviderTimeout):
            run(wait())

    def test_time_of_the_consumer_is_not_the_providers(self):
        async def items() -> AsyncIterator[int]:
            yield 1
            yield 2

        async def slowly() -> list[int]:
            got = []
            async for item in each_within(items(), first=0.05, gap=0.05):
                await asyncio.sleep(0.1)
                got.append(item)
            return got

        assert run(slowly()) == [1, 2]

    def test_silence_between_items_is_a_timeout(self):
        async def items() -> AsyncIterator[int]:
            yield 1
            await asyncio.sleep(60)
            yield 2

        async def read() -> None:
            bounded = each_within(items(), first=5, gap=0.02)
            assert await anext(bounded) == 1
            with pytest.raises(ProviderTimeout):
                await anext(bounded)

        run(read())

    def test_hurry_ends_calls_in_tasks_of_the_block_too(self):
        async def ask() -> float:
            guard = Guard(f"test@{uuid4()}", seconds=60, total=60)
            with hurry(0.02), pytest.raises(ProviderTimeout):
                await asyncio.gather(guard.call(lambda: asyncio.sleep(60)))
            return guard.breaker._failures

        assert run(ask()) == 1


class TestRetries:
    def test_waits_double_up_to_the_longest(self):
        waits: list[float] = []
        work = Failing(*[ProviderUnavailable()] * 4)
        policy = make_policy(waits, attempts=5, first_wait=1.0, longest_wait=5.0)
        assert run(with_retries(work, policy=policy, budget=RetryBudget())) == "done"
        assert waits == [2.0, 4.0, 5.0, 5.0]

    def test_jitter_spreads_the_waits(self):
        policy = RetryPolicy(first_wait=1.0, longest_wait=8.0)
        waits = {round(policy.wait_before(3, ProviderUnavailable()), 6) for _ in range(50)}
        assert len(waits) > 40
        assert min(waits) >= 2.0
        assert max(waits) <= 4.0

    def test_wait_that_was_asked_for_is_honoured(self):
        waits: list[float] = []
        work = Failing(ProviderBusy(wait=7))
        assert run(with_retries(work, policy=make_policy(waits), budget=RetryBudget())) == "done"
        assert waits == [8.0]

    @pytest.mark.parametrize(
        "error", [ProviderBusy(wait=600), ProviderRejected(), CircuitOpen(wait=1)]
    )
    def test_what_a_retry_cannot_mend_is_raised_at_once(self, error):
        work = Failing(error)
        with pytest.raises(type(error)):
            run(with_retries(work, policy=make_policy([]), budget=RetryBudget()))
        assert work.calls == 1

    def test_wait_beyond_the_deadline_is_not_begun(self):
        work = Failing(ProviderBusy(wait=9))

        async def hurried() -> None:
            until = asyncio.get_running_loop().time() + 5
            await with_retries(work, policy=make_policy([]), budget=RetryBudget(), until=until)

        with pytest.raises(ProviderBusy):
            run(hurried())

    def test_budget_bounds_retries_over_many_calls(self):
        budget = RetryBudget(retries=3)
        calls = 0
        for _ in range(10):
            work = Failing(*[ProviderUnavailable()] * 9)
            with pytest.raises(ProviderUnavailable):
                run(with_retries(work, policy=make_policy([], attempts=9), budget=budget))
            calls += work.calls
        assert calls == 10 + 3

    def test_success_earns_back_a_tenth_of_a_retry(self):
        budget = RetryBudget(retries=1)
        assert budget.spend()
        for _ in range(9):
            budget.earn()
        assert not budget.spend()
        budget.earn()
        assert budget.spend()


class TestBreaker:
    def make(self, **more: object) -> tuple[CircuitBreaker, Clock]:
        clock = Clock()
        return CircuitBreaker(f"test-{uuid4()}", clock=clock, **more), clock

    def fail(self, breaker: CircuitBreaker, times: int) -> None:
        for _ in range(times):
            run(breaker.admit())
            breaker.failed()

    def test_failures_in_a_row_open_it(self):
        breaker, _ = self.make()
        self.fail(breaker, 5)
        with pytest.raises(CircuitOpen) as raised:
            run(breaker.admit())
        assert (breaker.state, raised.value.wait) == ("open", 15.0)

    def test_success_between_failures_keeps_it_closed(self):
        breaker, _ = self.make()
        for _ in range(5):
            self.fail(breaker, 4)
            breaker.succeeded()
        assert breaker.state == "closed"

    def test_old_failures_are_forgotten(self):
        breaker, clock = self.make()
        self.fail(breaker, 4)
        clock.now += 31
        self.fail(breaker, 4)
        assert breaker.state == "closed"

    def test_one_probe_goes_through_when_it_is_half_open(self):
        breaker, clock = self.make()
        self.fail(breaker, 5)
        clock.now += 16
        assert breaker.state == "half_open"
        run(breaker.admit())
        with pytest.raises(CircuitOpen):
            run(breaker.admit())
        breaker.succeeded()
        run(breaker.admit())
        assert breaker.state == "closed"

    def test_failed_probe_opens_it_again(self):
        breaker, clock = self.make()
        self.fail(breaker, 5)
        clock.now += 16
        self.fail(breaker, 1)
        assert breaker.state == "open"

    def test_abandoned_probe_lets_another_through(self):
        breaker, clock = self.make()
        self.fail(breaker, 5)
        clock.now += 16
        run(breaker.admit())
        breaker.abandoned()
        run(breaker.admit())

    def test_refusal_for_good_does_not_open_it(self):
        async def refuse() -> None:
            raise ProviderRejected

        guard = Guard(f"test@{uuid4()}", seconds=1, total=1)
        for _ in range(9):
            with pytest.raises(ProviderRejected):
                run(guard.call(refuse))
        assert guard.breaker.state == "closed"

    def test_nonsense_opens_it(self):
        async def talk() -> None:
            raise ProviderMalformed

        policy = make_policy([])
        guard = Guard(f"test@{uuid4()}", seconds=60, total=60, policy=policy)
        for expected in (ProviderMalformed, CircuitOpen):
            with pytest.raises(expected):
                run(guard.call(talk))
        assert guard.breaker.state == "open"


class TestSharing:
    """Two workers are two breakers of one name, each with its own share of Redis."""

    def pair(self) -> tuple[CircuitBreaker, CircuitBreaker]:
        name = f"test-{uuid4()}"
        return CircuitBreaker(name, share=RedisShare()), CircuitBreaker(name, share=RedisShare())

    async def look(self, breaker: CircuitBreaker) -> str:
        breaker._share._refreshed = float("-inf")
        breaker._share.refresh(breaker.name, breaker._adopt)
        await breaker._share.settle()
        return breaker.state

    def test_what_one_worker_opened_is_open_for_the_other(self):
        one, other = self.pair()

        async def play() -> str:
            for _ in range(5):
                one.failed()
            await one._share.settle()
            return await self.look(other)

        assert run(play()) == "open"

    def test_failures_of_all_workers_count_together(self):
        one, other = self.pair()

        async def play() -> tuple[str, str]:
            for breaker in (one, other, one, other, one):
                breaker.failed()
                await breaker._share.settle()
            return one.state, await self.look(other)

        assert run(play()) == ("open", "open")

    def test_one_worker_alone_is_the_probe(self):
        one, other = self.pair()

        async def play() -> None:
            for breaker in (one, other):
                breaker._open_until = 1.0
            await one.admit()
            with pytest.raises(CircuitOpen):
                await other.admit()

        run(play())

    def test_claim_is_given_back_though_news_came_while_it_was_made(self):
        class Late(Share):
            """Hears that the circuit is closed while it claims the probe."""

            given_back = False

            async def claim_probe(self, name: str, seconds: float) -> bool:
                breaker._adopt(None)
                return True

            def close(self, name: str) -> None:
                self.given_back = True

        share = Late()
        breaker = CircuitBreaker("test", share=share)
        breaker._open_until = 1.0
        run(breaker.admit())
        assert not share.given_back
        breaker.succeeded()
        assert share.given_back

    def test_what_one_worker_closed_is_closed_for_the_other(self):
        one, other = self.pair()

        async def play() -> str:
            for breaker in (one, other):
                breaker._open_until = 1.0
            await one.admit()
            one.succeeded()
            await one._share.settle()
            return await self.look(other)

        assert run(play()) == "closed"
        assert not get_redis().keys(key("breaker", one.name, "*"))


class TestSharingWithoutRedis:
    """The address of Redis leads nowhere."""

    @pytest.fixture
    def breaker(self, settings) -> CircuitBreaker:
        settings.USE_FAKE_REDIS = False
        settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
        return CircuitBreaker(f"test-{uuid4()}", share=RedisShare())

    def test_process_decides_by_itself_and_leaves_redis_alone_for_a_while(self, breaker, caplog):
        async def play() -> None:
            for _ in range(5):
                await breaker.admit()
                breaker.failed()
                await breaker._share.settle()
            breaker._open_until = 1.0
            await breaker.admit()

        run(play())
        assert breaker.state == "half_open"
        said = [
            record.message for record in caplog.records if "this process sees" in record.message
        ]
        assert len(said) == 1


class TestGate:
    def test_burst_goes_through_a_few_at_a_time(self):
        gate = Gate(slots=2, seconds=60)
        inside: list[int] = []
        most: list[int] = []

        async def enter(number: int) -> None:
            async with gate.slot():
                inside.append(number)
                most.append(len(inside))
                await asyncio.sleep(0)
                inside.remove(number)

        async def burst() -> None:
            await asyncio.gather(*(enter(number) for number in range(20)))

        run(burst())
        assert len(most) == 20
        assert max(most) == 2

    def test_slow_one_keeps_nobody_waiting(self):
        gate = Gate(slots=1, seconds=0.02)

        async def play() -> None:
            async with gate.slot(), asyncio.timeout(5), gate.slot():
                pass
            async with asyncio.timeout(5), gate.slot():
                pass

        run(play())
        assert gate._free._value == 1


class TestClientsOfLoops:
    def test_client_is_built_once_a_loop(self):
        built: list[object] = []

        def build() -> object:
            built.append(object())
            return built[-1]

        clients = PerLoop(build)

        async def get_twice() -> list[object]:
            return list(await asyncio.gather(clients.get(), clients.get()))

        first, second = run(get_twice())
        assert first is second
        assert asyncio.run(clients.get()) is not first
        assert len(built) == 2

    def test_failed_build_is_tried_again(self):
        outcomes = [ValueError("no"), "client"]

        def build() -> str:
            outcome = outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        clients = PerLoop(build)
        with pytest.raises(ValueError, match="no"):
            run(clients.get())
        assert run(clients.get()) == "client"
