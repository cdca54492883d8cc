"""A Redis of the tests' own, that may be stopped, paused and emptied at will."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.stand_ins.server import free_port

BINARY = "redis-server"


class RedisServer:
    """A running server at `url`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Begin, empty, and return when it answers."""
        options = ["--port", str(self._port), "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen([BINARY, *options], stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                assert self._process.poll() is None, "Redis did not start"
            else:
                client.close()
                return

    def kill(self) -> None:
        """End it without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Let it take connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        """Forget everything."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def heal(self) -> None:
        """Be there, and answer."""
        assert self._process is not None
        if self._process.poll() is None:
            self.resume()
        else:
            self.start()


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """A server, gone afterwards. Skips where there is no `redis-server`."""
    server = RedisServer(folder)
    try:
        server.start()
    except FileNotFoundError:
        pytest.skip("no redis-server on this machine")
    try:
        yield server
    finally:
        server.kill()
