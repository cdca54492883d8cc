"""Bars of a chart as rectangles, for a template to draw as SVG without any script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 160
GAP_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rectangle in the chart's own units, what it says, and the class that colours it."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart: its bars, its legend (class and name), and the value at its top."""

    title: str
    bars: tuple[Bar, ...]
    legend: tuple[tuple[str, str], ...]
    top: str
    first: str
    last: str
    width: int = WIDTH
    height: int = HEIGHT


def draw(
    title: str, days: Sequence[str], series: Mapping[str, Sequence[float]], *, unit: str = ""
) -> Chart:
    """The stacked bars of `series` (name: a value for each of `days`), on one scale."""
    totals = [sum(values) for values in zip(*series.values(), strict=True)]
    highest = max(totals, default=0)
    scale = HEIGHT / highest if highest else 0.0
    step = WIDTH / max(len(days), 1)
    bars = []
    for index, day in enumerate(days):
        y = float(HEIGHT)
        for number, (name, values) in enumerate(series.items()):
            height = values[index] * scale
            y -= height
            bars.append(
                Bar(
                    x=round(index * step + step * GAP_SHARE / 2, 1),
                    y=round(y, 1),
                    width=round(step * (1 - GAP_SHARE), 1),
                    height=round(height, 1),
                    kind=f"kind-{number}",
                    label=f"{day}, {name}: {show(values[index], unit)}",
                )
            )
    return Chart(
        title=title,
        bars=tuple(bars),
        legend=tuple((f"kind-{number}", name) for number, name in enumerate(series)),
        top=show(highest, unit),
        first=days[0] if days else "",
        last=days[-1] if days else "",
    )


def show(value: float, unit: str) -> str:
    """A value for people: no decimals where there are none, and its unit."""
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"
    return f"{text} {unit}".rstrip()
