"""Lines over time: equity, and how far below its highest it is."""

from collections.abc import Sequence
from html import escape

from bot.diagnostics.report.axis import Axis, axis_of
from bot.diagnostics.report.chart import Panel

# A line of more points than a screen has looks the same and makes the page heavy.
MOST_POINTS = 800
# A plot's own units; it is stretched to the window.
_SIDE = 1000.0

Point = tuple[float, float]


def line_panel(
    lines: Sequence[tuple[str, Sequence[Point | None]]],
    *,
    hints: Sequence[str] = (),
    filled_to_zero: bool = False,
    tall: bool = True,
) -> Panel:
    """Lines of (place from 0 to 1, value); None breaks a line: nothing is drawn where nothing is known.

    Each line has the style class it is named by. `hints` are shown when a pointer rests on a point of the first line.
    """
    values = [point[1] for _, points in lines for point in points if point is not None]
    axis = axis_of(values, with_zero=filled_to_zero)
    shapes = [_stretched(name, points, axis, filled=filled_to_zero) for name, points in lines]
    shapes += _hints(lines[0][1], hints) if lines else []
    return Panel(axis, "".join(shapes), tall)


def thinned(points: Sequence[Point | None], *, most: int = MOST_POINTS) -> Sequence[Point | None]:
    """At most so many, keeping of each stretch its lowest and highest: a short fall is not lost."""
    if len(points) <= most:
        return points
    width = -(-len(points) * 2 // most)
    kept: list[Point | None] = [points[0]]
    for start in range(1, len(points) - 1, width):
        kept += _ends(points[start : min(start + width, len(points) - 1)])
    return [*kept, points[-1]]


def _ends(stretch: Sequence[Point | None]) -> list[Point | None]:
    known = [point for point in stretch if point is not None]
    if not known:
        return [None]
    ends: list[Point | None] = []
    ends += sorted({min(known, key=lambda point: point[1]), max(known, key=lambda point: point[1])})
    return [*ends, None] if len(known) < len(stretch) else ends


def _stretched(name: str, points: Sequence[Point | None], axis: Axis, *, filled: bool) -> str:
    inner = "".join(_stretch(name, part, axis, filled=filled) for part in _parts(points))
    box = f'viewBox="0 0 {_SIDE:g} {_SIDE:g}" preserveAspectRatio="none" x="0" y="0" width="100%" height="100%"'
    return f"<svg {box}>{inner}</svg>"


def _parts(points: Sequence[Point | None]) -> list[list[Point]]:
    parts: list[list[Point]] = [[]]
    for point in points:
        if point is not None:
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _stretch(name: str, points: Sequence[Point], axis: Axis, *, filled: bool) -> str:
    if len(points) == 1:
        # A lone point has no length; a short stroke shows that it is there.
        place, value = points[0]
        points = [(max(0.0, place - 0.004), value), (min(1.0, place + 0.004), value)]
    corners = " ".join(f"{place * _SIDE:.1f},{axis.from_top(value) / 100 * _SIDE:.1f}" for place, value in points)
    line = f'<polyline class="line {name}" points="{corners}"/>'
    if not filled:
        return line
    zero = axis.from_top(0.0) / 100 * _SIDE
    first, last = points[0][0] * _SIDE, points[-1][0] * _SIDE
    return f'<polygon class="area {name}" points="{first:.1f},{zero:.1f} {corners} {last:.1f},{zero:.1f}"/>{line}'


def _hints(points: Sequence[Point | None], hints: Sequence[str]) -> list[str]:
    if len(hints) != len(points) or len(points) > MOST_POINTS:
        return []
    width = 100.0 / max(1, len(points))
    return [
        f'<rect class="hint" x="{max(0.0, point[0] * 100 - width / 2):.2f}%" y="0" width="{width:.2f}%" '
        f'height="100%"><title>{escape(hint)}</title></rect>'
        for point, hint in zip(points, hints, strict=True)
        if point is not None
    ]
