"""Curves of several runs as one SVG that any page can hold: no fonts, no scripts, no network."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from typing import TypeGuard

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.plot.style import PALETTE

__all__ = ["Points", "color", "dash", "panel"]

# Steps, and what was seen there; None where it was NaN or infinite.
Points = tuple[Sequence[float], Sequence[float | None]]

Axis = Callable[[float], float]
_WIDE, _HIGH = 380, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 30, 26
# Curves of more points than this are thinned to the extremes of so many stretches.
_STRETCHES, _FEW = 200, 12
# Positive numbers whose largest is this many times their smallest are drawn by their logarithm.
_DECADES = 100.0
# So are steps, where the longest run has this many times those of the shortest.
_LONGER = 20.0
_DASHES = ("", "6 2.5", "1.5 2.5", "8 2.5 1.5 2.5")
# All but the last, which vanishes on white.
_COLORS = PALETTE[:-1]


def color(number: int) -> str:
    """The color of a run, by its number."""
    return _COLORS[number % len(_COLORS)]


def dash(number: int) -> str:
    """How its line is dashed, so that hue alone tells nothing."""
    return _DASHES[number % len(_DASHES)]


def panel(title: str, curves: Mapping[int, tuple[str, Points]]) -> str:
    """An SVG of one number over the steps of several runs, on common axes.

    Gaps stand where a number was not finite. Numbers that are positive and span more than two
    decades are drawn by their logarithm, which the title then says; steps are where one run is
    more than twenty times as long as another. A curve is of the class `run-NUMBER`, and names its
    run and its last value where the mouse rests on it.

    Args:
        title: what the numbers are.
        curves: number of a run -> (name of the run, its points).

    Raises:
        ConfigurationError: there is no curve, or none has a finite number.
        ShapeError: a curve's values are not as many as its steps.

    Example:
        >>> svg = panel("loss", {0: ("first", ([10, 20, 30], [3.0, None, 1.0]))})
        >>> svg.count("<path"), "first" in svg
        (1, True)
    """
    for name, (steps, values) in curves.values():
        if len(steps) != len(values):
            raise ShapeError(f"{name} has {len(values)} numbers for {len(steps)} steps")
    seen = [v for _, (_, values) in curves.values() for v in values if _finite(v)]
    if not seen:
        raise ConfigurationError(f"{title} has no finite number to draw")
    logarithmic = min(seen) > 0 and max(seen) > _DECADES * min(seen)
    down = _log_ticks(min(seen), max(seen)) if logarithmic else _ticks(min(seen), max(seen))
    along, across = _steps([steps for _, (steps, _) in curves.values() if steps])
    level = _scale(down[0], down[-1], _HIGH - _BOTTOM, _TOP, logarithmic=logarithmic)
    grid = "".join(_line(level(t), _number(t)) for t in down)
    grid += "".join(_mark(across(t), _number(t)) for t in along)
    drawn = "".join(
        _curve(number, name, points, across, level) for number, (name, points) in curves.items()
    )
    scale = ' <tspan class="tick">(log)</tspan>' if logarithmic else ""
    return (
        f'<svg class="panel" viewBox="0 0 {_WIDE} {_HIGH}" role="img" '
        f'aria-label="{escape(title)}"><text class="title" x="{_LEFT}" y="16">{escape(title)}'
        f"{scale}</text>{grid}{drawn}</svg>"
    )


def _steps(each: Sequence[Sequence[float]]) -> tuple[list[float], Axis]:
    """Ticks of the steps, and where a step is drawn."""
    lasts = [max(steps) for steps in each]
    first, last = min(min(steps) for steps in each), max(*lasts, 1)
    place = partial(_scale, start=_LEFT, end=_WIDE - _RIGHT)
    if first > 0 and last > _LONGER * min(lasts):
        ticks = _log_ticks(first, last)
        return [t for t in ticks if t <= last], place(ticks[0], last, logarithmic=True)
    return [t for t in _ticks(0, last, 5) if t <= last], place(0, last, logarithmic=False)


def _scale(low: float, high: float, start: float, end: float, *, logarithmic: bool) -> Axis:
    """Where between start and end a number stands."""
    of = math.log if logarithmic else float
    return lambda t: start + (end - start) * (of(t) - of(low)) / (of(high) - of(low))


def _line(y: float, label: str) -> str:
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>'
    )


def _mark(x: float, label: str) -> str:
    return (
        f'<text class="tick" x="{x:.1f}" y="{_HIGH - _BOTTOM + 15}" '
        f'text-anchor="middle">{label}</text>'
    )


def _curve(number: int, name: str, points: Points, across: Axis, level: Axis) -> str:
    steps, values = points
    parts, places, pen = [], [], "M"
    for step, value in _thinned(steps, values):
        if _finite(value):
            x, y = f"{across(step):.1f}", f"{level(value):.1f}"
            # A line of no length is a dot, so that a number between two gaps is seen.
            parts.append(f"{pen}{x} {y}" + ("h0" if pen == "M" else ""))
            places.append((x, y))
            pen = "L"
        else:
            pen = "M"
    known = [(s, v) for s, v in zip(steps, values, strict=True) if _finite(v)]
    if not known:
        return ""
    dots = places if len(places) <= _FEW else ()
    marks = "".join(f'<circle cx="{x}" cy="{y}" r="2.2" fill="{color(number)}"/>' for x, y in dots)
    told = f"{name}: {_number(known[-1][1])} at step {_number(known[-1][0])}"
    return (
        f'<g class="curve run-{number}"><title>{escape(told)}</title>'
        f'<path d="{"".join(parts)}" fill="none" stroke="{color(number)}" stroke-width="1.6" '
        f'stroke-linecap="round" stroke-linejoin="round" stroke-dasharray="{dash(number)}"/>'
        f"{marks}</g>"
    )


def _thinned(
    steps: Sequence[float], values: Sequence[float | None]
) -> list[tuple[float, float | None]]:
    """All points, or of many the first gap and the extremes of each stretch, in their order."""
    pairs = list(zip(steps, values, strict=True))
    if len(pairs) <= 2 * _STRETCHES:
        return pairs
    kept: list[int] = []
    size = math.ceil(len(pairs) / _STRETCHES)
    for start in range(0, len(pairs), size):
        rows = range(start, min(start + size, len(pairs)))
        known = sorted((v, i) for i in rows if _finite(v := pairs[i][1]))
        gap = [i for i in rows if not _finite(pairs[i][1])][:1]
        kept += sorted({*gap, *(i for _, i in (*known[:1], *known[-1:]))})
    return [pairs[i] for i in kept]


def _finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers, about `count` steps apart, that reach from below `low` to above `high`."""
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    rough = (high - low) / count
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * k for k in (1, 2, 2.5, 5, 10) if unit * k >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    every = math.ceil((last - first) / 5)
    return [10.0**k for k in range(first, last + every, every)]


def _number(value: float) -> str:
    """At most four digits, thousands set apart."""
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
