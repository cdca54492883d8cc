"""Pictures of figures as SVG, drawn here: no library for a few bars and lines."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 70, 40
COLOURS = ("#7a7a7a", "#0b5fa5", "#c2571a")
TEXT = 'font-family="sans-serif" font-size="12" fill="#222"'


def bars(title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """Groups of bars, one group a label and one bar a series."""
    highest = max(value for values in series.values() for value in values) or 1.0
    step = (WIDTH - LEFT - RIGHT) / len(labels)
    width = step * 0.8 / len(series)
    parts = []
    for group, label in enumerate(labels):
        left = LEFT + group * step
        parts.append(_text(left + step * 0.4, HEIGHT - BOTTOM + 18, label, anchor="middle"))
        for place, values in enumerate(series.values()):
            value = values[group]
            top = _height(value / highest)
            x = left + place * width
            parts.append(
                f'<rect x="{x:.1f}" y="{top:.1f}" width="{width - 2:.1f}" '
                f'height="{HEIGHT - BOTTOM - top:.1f}" fill="{COLOURS[place]}"/>'
            )
            parts.append(_text(x + width / 2 - 1, top - 3, f"{value:.1f}", anchor="middle"))
    return _picture(title, list(series), parts)


def lines(title: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Lines over two logarithmic axes."""
    points = [point for values in series.values() for point in values]
    xs = [math.log10(x) for x, _ in points]
    ys = [math.log10(max(y, 1e-3)) for _, y in points]
    wide, high = max(max(xs) - min(xs), 1e-9), max(max(ys) - min(ys), 1e-9)
    parts = []
    for place, values in enumerate(series.values()):
        corners = []
        for x, y in values:
            across = LEFT + (math.log10(x) - min(xs)) / wide * (WIDTH - LEFT - RIGHT - 60)
            up = _height((math.log10(max(y, 1e-3)) - min(ys)) / high)
            corners.append(f"{across:.1f},{up:.1f}")
            parts.append(_text(across, up - 6, f"{y:.2f}"))
            parts.append(_text(across, HEIGHT - BOTTOM + 18, f"{x:,.0f}"))
        line = " ".join(corners)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{COLOURS[place]}" stroke-width="2"/>'
        )
    return _picture(title, list(series), parts)


def _height(share: float) -> float:
    return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)


def _text(x: float, y: float, words: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {TEXT}>{escape(words)}</text>'


def _picture(title: str, names: Sequence[str], parts: Sequence[str]) -> str:
    legend = []
    across = LEFT
    for colour, name in zip(COLOURS, names, strict=False):
        legend.append(f'<rect x="{across}" y="32" width="12" height="12" fill="{colour}"/>')
        legend.append(_text(across + 18, 42, name))
        across += 40 + 6 * len(name)
    axis = f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#999"/>'
    inside = "".join([_text(LEFT, 20, title), *legend, axis, *parts])
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
        f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="#fff"/>'
        f"{inside}</svg>\n"
    )
