"""Libraries without their optional parts; the memory of a serving process."""

import gc
import subprocess
import sys

import pytest

from common.lean import import_without
from common.memory import settle_memory

START = """
import os, sys, django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
django.setup()
print(*[name for name in ("requests", "pygments", "cryptography") if name in sys.modules])
import cryptography, requests
"""


def test_start_loads_no_library_that_is_only_installed() -> None:
    found = subprocess.run(
        [sys.executable, "-c", START], capture_output=True, text=True, timeout=60, check=True
    )

    assert found.stdout.split() == []


def test_hidden_module_can_be_imported_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wave", "sunau", "chunk"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    import_without("wave", ("colorsys",))

    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0.0)


def test_loaded_module_stays_when_it_is_to_be_hidden() -> None:
    import_without("json", ("gc",))

    assert sys.modules["gc"] is gc


async def _settle() -> int:
    await settle_memory()
    return gc.get_freeze_count()


def test_start_takes_what_is_loaded_out_of_the_collectors_sight() -> None:
    import asyncio

    threshold = gc.get_threshold()
    try:
        assert asyncio.run(_settle()) > 10_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)
