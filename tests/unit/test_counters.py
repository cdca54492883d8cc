"""The sliding window in one process."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import counters
from common.counters import Breaker, LocalCounter, take_in_redis


@given(
    st.lists(st.floats(0, 50), min_size=1, max_size=80),
    st.integers(1, 6),
    st.integers(1, 20),
)
def test_no_window_of_that_length_ever_holds_more(gaps, limit, seconds):
    counter, now, passed = LocalCounter(), 1_000.0, []
    for gap in gaps:
        now += gap
        if counter.take("x", limit, seconds, now).allowed:
            passed.append(now)
    for start in passed:
        assert sum(start <= at < start + seconds for at in passed) <= limit


@pytest.fixture(params=["local", "redis"])
def take(request):
    """Both counters keep one contract."""
    return LocalCounter().take if request.param == "local" else take_in_redis


def test_a_refused_call_takes_no_place(take):
    take("docent-test:x", 1, 60, 1_000.0)
    for second in range(1_001, 1_060):
        assert not take("docent-test:x", 1, 60, float(second)).allowed
    assert take("docent-test:x", 1, 60, 1_060.0).allowed


def test_a_count_tells_what_is_taken_and_when_a_place_is_free(take):
    first, second, third = (take("docent-test:y", 2, 60, 1_000.0 + n) for n in range(3))
    assert (first.allowed, first.taken, first.frees_at) == (True, 1, 1_060.0)
    assert (second.allowed, second.taken, second.frees_at) == (True, 2, 1_060.0)
    assert (third.allowed, third.taken, third.frees_at) == (False, 2, 1_060.0)


def test_simultaneous_calls_share_the_places():
    counter, barrier, allowed = LocalCounter(), threading.Barrier(20), []

    def call():
        barrier.wait()
        allowed.append(counter.take("x", 5, 60, 1.0).allowed)

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert allowed.count(True) == 5


def test_a_flood_of_names_does_not_free_one_that_is_under_attack(monkeypatch):
    monkeypatch.setattr(counters, "MAX_LOCAL_NAMES", 10)
    counter = LocalCounter()
    for number in range(100):
        allowed = counter.take("victim", 5, 60, 1.0).allowed
        counter.take(f"noise{number}", 5, 60, 1.0)
        assert allowed == (number < 5)
    assert len(counter._calls) == 10


def test_a_breaker_opens_again_after_its_time():
    breaker = Breaker(seconds=0)
    breaker.trip()
    assert breaker.is_open()
    slow = Breaker(seconds=1_000)
    assert slow.is_open()
    slow.trip()
    assert not slow.is_open()
    slow.reset()
    assert slow.is_open()
