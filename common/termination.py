"""Hears SIGTERM beside the web server, which goes on to do what it does with it."""

import signal
import threading
from collections.abc import Callable
from types import FrameType


def on_termination(callback: Callable[[], object]) -> bool:
    """Call `callback` when SIGTERM comes, before the server's own handler; whether it will.

    Only where a server has its handler in place already, and in the main thread: nothing is
    changed for a process that SIGTERM simply ends.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    former = signal.getsignal(signal.SIGTERM)
    if not callable(former):
        return False

    def handle(number: int, frame: FrameType | None) -> None:
        callback()
        former(number, frame)

    signal.signal(signal.SIGTERM, handle)
    return True
