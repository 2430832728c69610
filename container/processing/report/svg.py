"""Charts as inline SVG: lines over two axes, columns, bars with names, points with intervals.

In: numbers and names (escaped here). Out: SVG text. Colours are the classes of page.py's style; text takes the page's.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 420, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 14, 14, 44
_NAME_WIDTH, _ROW = 206, 24
_NAME_LETTERS = 24


@dataclass(frozen=True)
class Line:
    """A series: points in order, a colour class, a name for the legend."""

    x: Sequence[float]
    y: Sequence[float]
    colour: str = "a"
    name: str = ""
    dots: bool = False


@dataclass(frozen=True)
class Axis:
    """What an axis says and spans."""

    label: str
    low: float = 0.0
    high: float = 1.0

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high end."""
        return (value - self.low) / ((self.high - self.low) or 1.0)

    def ticks(self) -> list[float]:
        """Round numbers from end to end, some five of them."""
        step = _step(self.low, self.high)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True)
class Bar:
    """A named value; its class colours it, its note stands behind it."""

    name: str
    value: float
    note: str
    colour: str = "a"


@dataclass(frozen=True)
class Point:
    """A named value with its interval, where there is one."""

    name: str
    value: float
    interval: tuple[float, float] | None
    note: str


def escape(text: object) -> str:
    """Text that comes from data, fit for HTML and SVG."""
    return html.escape(str(text), quote=True)


def span(values: Sequence[float], label: str) -> Axis:
    """An axis that holds all values with a little room, from and to round numbers."""
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    step = _step(low, high)
    return Axis(label, math.floor(low / step) * step, math.ceil(high / step) * step)


def _step(low: float, high: float) -> float:
    """The round number nearest above a fifth of the way."""
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough * (1 - 1e-9))


def plot(lines: Sequence[Line], x: Axis, y: Axis, title: str, diagonal: str = "") -> str:
    """Lines over two axes. `diagonal`: "up" draws the line from corner to corner for comparison."""
    parts = [_frame(x, y)]
    if diagonal == "up":
        low, high = max(x.low, y.low), min(x.high, y.high)
        (x1, y1), (x2, y2) = (_place(value, value, x, y) for value in (low, high))
        parts.append(f'<line class="guide" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    for line in lines:
        points = [_place(a, b, x, y) for a, b in zip(line.x, line.y, strict=True)]
        text = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline class="line {line.colour}" points="{text}"/>')
        if line.dots:
            parts += [f'<circle class="dot {line.colour}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in points]
    return _svg(_WIDTH, _HEIGHT, title, "".join(parts)) + _legend(lines)


def columns(series: Sequence[Line], x: Axis, y_label: str, title: str) -> str:
    """Columns of equal width across the x axis, series over one another."""
    y = Axis(y_label, 0.0, span([0.0, *(value for line in series for value in line.y)], "").high)
    parts = [_frame(x, y)]
    for line in series:
        width = (_WIDTH - _LEFT - _RIGHT) / len(line.y)
        for index, value in enumerate(line.y):
            top = _place(0, value, x, y)[1]
            height = _HEIGHT - _BOTTOM - top
            if height > 0:
                left = _LEFT + index * width
                parts.append(
                    f'<rect class="fill {line.colour}" x="{left:.1f}" y="{top:.1f}" width="{width - 1:.1f}" '
                    f'height="{height:.1f}"/>'
                )
    return _svg(_WIDTH, _HEIGHT, title, "".join(parts)) + _legend(series)


def bars(items: Sequence[Bar], title: str, marks: Sequence[float] = ()) -> str:
    """A bar for each name, the longest value or mark full width; `marks` are drawn as lines across."""
    width, room = 640, 90
    most = max([*(item.value for item in items), *marks, 1e-12]) or 1.0
    inner = width - _NAME_WIDTH - room
    parts = []
    for index, item in enumerate(items):
        y = index * _ROW
        length = inner * max(item.value, 0.0) / most
        parts.append(
            f"{_name(item.name, y)}"
            f'<rect class="fill solid {item.colour}" x="{_NAME_WIDTH}" y="{y + 5}" width="{length:.1f}" '
            'height="14" rx="2"/>'
            f'<text x="{_NAME_WIDTH + length + 6:.1f}" y="{y + 16}">{escape(item.note)}</text>'
        )
    height = len(items) * _ROW + 4
    for mark in marks:
        x = _NAME_WIDTH + inner * mark / most
        parts.append(f'<line class="guide" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height}"/>')
    return _svg(width, height, title, "".join(parts), wide=True)


def points(items: Sequence[Point], title: str, guide: float | None = None) -> str:
    """A dot and its interval for each name, on one common axis."""
    width, room = 640, 185
    held = [value for item in items for value in (item.value, *(item.interval or ()))]
    axis = span([*held, *([guide] if guide is not None else [])], "")
    inner, height = width - _NAME_WIDTH - room, len(items) * _ROW + 24

    def place(value: float) -> float:
        return _NAME_WIDTH + inner * axis.place(value)

    parts = []
    if guide is not None:
        parts.append(f'<line class="guide" x1="{place(guide):.1f}" y1="0" x2="{place(guide):.1f}" y2="{height - 20}"/>')
    for index, item in enumerate(items):
        y = index * _ROW + 12
        parts.append(_name(item.name, y - 12))
        if item.interval is not None:
            low, high = (place(value) for value in item.interval)
            parts.append(f'<line class="line a" x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}"/>')
        parts.append(f'<circle class="dot a" cx="{place(item.value):.1f}" cy="{y}" r="4.5"/>')
        parts.append(f'<text x="{width - room + 14}" y="{y + 4}">{escape(item.note)}</text>')
    for value in axis.ticks():
        parts.append(
            f'<text class="quiet" x="{place(value):.1f}" y="{height - 4}" text-anchor="middle">{tick(value)}</text>'
        )
    return _svg(width, height, title, "".join(parts), wide=True)


def tick(value: float) -> str:
    """A number on an axis."""
    return "0" if abs(value) < 1e-12 else f"{value:.4g}"


def _name(text: str, y: float) -> str:
    short = text if len(text) <= _NAME_LETTERS else text[: _NAME_LETTERS - 1] + "…"
    full = f"<title>{escape(text)}</title>"
    return f'<text x="{_NAME_WIDTH - 8}" y="{y + 16}" text-anchor="end">{escape(short)}{full}</text>'


def _place(a: float, b: float, x: Axis, y: Axis) -> tuple[float, float]:
    left = _LEFT + (_WIDTH - _LEFT - _RIGHT) * x.place(a)
    return left, _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * y.place(b)


def _frame(x: Axis, y: Axis) -> str:
    parts = []
    for value in x.ticks():
        left, _ = _place(value, y.low, x, y)
        parts.append(
            f'<line class="grid" x1="{left:.1f}" y1="{_TOP}" x2="{left:.1f}" y2="{_HEIGHT - _BOTTOM}"/>'
            f'<text class="quiet" x="{left:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{tick(value)}</text>'
        )
    for value in y.ticks():
        _, top = _place(x.low, value, x, y)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" y1="{top:.1f}" x2="{_WIDTH - _RIGHT}" y2="{top:.1f}"/>'
            f'<text class="quiet" x="{_LEFT - 6}" y="{top + 4:.1f}" text-anchor="end">{tick(value)}</text>'
        )
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x.label)}</text>'
        f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{escape(y.label)}</text>'
    )
    return "".join(parts)


def _legend(lines: Sequence[Line]) -> str:
    named = [line for line in lines if line.name]
    items = "".join(f'<span><i class="{line.colour}"></i>{escape(line.name)}</span>' for line in named)
    return f'<div class="legend">{items}</div>' if items else ""


def _svg(width: float, height: float, title: str, body: str, *, wide: bool = False) -> str:
    kind = ' class="wide"' if wide else ""
    return (
        f'<svg{kind} viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}" font-size="12">'
        f"{body}</svg>"
    )
