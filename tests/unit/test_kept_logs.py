"""How long, and how many, events of ended answers are kept."""

from uuid import uuid4

from chat.streams.kept import FRAME_BYTES, KeptLogs
from chat.streams.log import EventLog


def make_log(size: int = 100) -> EventLog:
    log = EventLog(uuid4())
    log.add("message.completed", b"x" * size)
    log.close()
    return log


def test_log_is_found_until_its_time_is_over():
    kept, log = KeptLogs(), make_log()
    kept.put(log, ended_at=10.0)
    kept.drop_before(10.0)
    assert kept.get(log.message_id) is log
    kept.drop_before(10.5)
    assert kept.get(log.message_id) is None
    assert (len(kept), kept.bytes) == (0, 0)


def test_the_oldest_goes_first_when_there_are_too_many_bytes():
    kept = KeptLogs(max_bytes=3 * (100 + FRAME_BYTES))
    logs = [make_log() for _ in range(5)]
    for moment, log in enumerate(logs):
        kept.put(log, ended_at=float(moment))
    assert [kept.get(log.message_id) is not None for log in logs] == [False] * 2 + [True] * 3
    assert kept.bytes == 3 * (100 + FRAME_BYTES)


def test_forgetting_is_counted():
    kept, log = KeptLogs(), make_log()
    kept.put(log, ended_at=0.0)
    kept.pop(log.message_id)
    kept.pop(uuid4())
    assert (len(kept), kept.bytes) == (0, 0)
