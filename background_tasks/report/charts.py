"""Bar charts as PNG, drawn here: mail clients show neither SVG nor scripts."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 560, 120
BAR = (37, 99, 235)
LAST_BAR = (14, 42, 120)
BASELINE = (148, 163, 184)
WHITE = (255, 255, 255)
# Twice the size, so that it is sharp on screens with two dots for each point.
SCALE = 2

Picture = NDArray[np.uint8]


def draw_bars(values: Sequence[float], *, mark_last: bool = False) -> bytes:
    """A PNG with a bar for each value, the highest as high as the chart."""
    width, height = WIDTH * SCALE, HEIGHT * SCALE
    picture: Picture = np.full((height, width, 3), WHITE, dtype=np.uint8)
    top = max([*values, 1])
    slot = width / max(1, len(values))
    for number, value in enumerate(values):
        left, right = int(number * slot + slot * 0.15), int((number + 1) * slot - slot * 0.15)
        bar = round((height - 4) * value / top)
        color = LAST_BAR if mark_last and number == len(values) - 1 else BAR
        if bar:
            picture[height - 2 - bar : height - 2, left:right] = color
    picture[-2:] = BASELINE
    return encode_png(picture)


def encode_png(picture: Picture) -> bytes:
    """An array of shape (height, width, 3) as PNG (RFC 2083)."""
    height, width, _ = picture.shape
    lines = np.zeros((height, 1 + width * 3), dtype=np.uint8)
    lines[:, 1:] = picture.reshape(height, -1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
