"""Bars: what each day or each symbol has made."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bot.diagnostics.report.axis import Axis, axis_of
from bot.diagnostics.report.chart import Panel


@dataclass(frozen=True)
class Bar:
    """One bar; `value` None = not known, which leaves a hatched gap and is no zero. `hint` names it exactly."""

    name: str
    value: float | None
    hint: str


def bars_panel(bars: Sequence[Bar], *, tall: bool = True) -> Panel:
    """Upright bars from left to right, gains above zero and losses below."""
    axis = axis_of([bar.value for bar in bars if bar.value is not None], with_zero=True)
    width = 100.0 / max(1, len(bars))
    shapes = [_upright(bar, place * width, width, axis) for place, bar in enumerate(bars)]
    return Panel(axis, "".join(shapes), tall)


def _upright(bar: Bar, left: float, width: float, axis: Axis) -> str:
    gap = width * 0.15
    place = f'x="{left + gap:.3f}%" width="{width - 2 * gap:.3f}%"'
    hint = f"<title>{escape(bar.hint)}</title>"
    if bar.value is None:
        return f'<rect class="unknown" {place} y="0" height="100%">{hint}</rect>'
    top, bottom = sorted((axis.from_top(bar.value), axis.from_top(0.0)))
    kind = "loss" if bar.value < 0 else "gain"
    # A day that made next to nothing is still a day that is known.
    return f'<rect class="bar {kind}" {place} y="{top:.3f}%" height="{max(0.4, bottom - top):.3f}%">{hint}</rect>'


def list_of_bars(bars: Sequence[Bar]) -> str:
    """Lying bars under each other, each after its name and before its figure: for symbols, parts and the like."""
    known = [bar.value for bar in bars if bar.value is not None]
    axis = axis_of(known, with_zero=True)
    return '<div class="lying">' + "".join(_lying(bar, axis) for bar in bars) + "</div>"


def _lying(bar: Bar, axis: Axis) -> str:
    shape = ""
    zero = axis.percent(0.0)
    if bar.value is not None:
        left, right = sorted((axis.percent(bar.value), zero))
        kind = "loss" if bar.value < 0 else "gain"
        shape = f'<rect class="bar {kind}" x="{left:.3f}%" width="{max(0.3, right - left):.3f}%" y="20%" height="60%"/>'
    return (
        f'<span class="name">{escape(bar.name)}</span><svg class="strip" aria-hidden="true">{shape}'
        f'<line class="zero" x1="{zero:.2f}%" x2="{zero:.2f}%" y1="0" y2="100%"/></svg>'
        f'<span class="figure">{escape(bar.hint)}</span>'
    )
