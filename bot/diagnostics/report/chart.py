"""What every picture of the page shares: a column of marks, a plot of percentages beside it, words below.

Nothing is scaled with the window but the plot itself: words keep their size on a phone. Positions are attributes, not
styles, so that the page can forbid every style but its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bot.diagnostics.report.axis import Axis, mark_texts


@dataclass(frozen=True)
class Panel:
    """One plot: its axis and the shapes in it (SVG, already escaped). `tall` is for what the page is about."""

    axis: Axis
    shapes: str
    tall: bool = True


def figure(title: str, panels: Sequence[Panel], words_below: Sequence[str], *, said: str) -> str:
    """A picture of one or more plots over the same words, with `said` as what it shows for those who cannot see it."""
    drawn = "".join(_panel(panel) for panel in panels)
    below = "".join(f"<span>{escape(word)}</span>" for word in words_below)
    return (
        f'<figure role="img" aria-label="{escape(said)}"><figcaption>{escape(title)}</figcaption>{drawn}'
        f'<div class="below" aria-hidden="true">{below}</div></figure>'
    )


def _panel(panel: Panel) -> str:
    size = "tall" if panel.tall else "low"
    words, lines = [], []
    for mark, text in zip(panel.axis.marks, mark_texts(panel.axis), strict=True):
        top = panel.axis.from_top(mark)
        words.append(f'<text x="100%" y="{top:.2f}%" dy="{_drop(top)}">{escape(text)}</text>')
        kind = "zero" if mark == 0 else "mark"
        lines.append(f'<line class="{kind}" x1="0" x2="100%" y1="{top:.2f}%" y2="{top:.2f}%"/>')
    return (
        f'<div class="panel {size}"><svg class="words" aria-hidden="true">{"".join(words)}</svg>'
        f'<svg class="plot" aria-hidden="true">{"".join(lines)}{panel.shapes}</svg></div>'
    )


def _drop(top: float) -> str:
    """So that the highest and the lowest word are not cut off."""
    return "0.8em" if top < 3 else "-0.1em" if top > 97 else "0.32em"


def words_of(names: Sequence[str], *, most: int = 4) -> Sequence[str]:
    """A few of the names, evenly spread, the first and the last among them."""
    if len(names) <= most:
        return names
    return [names[round(place * (len(names) - 1) / (most - 1))] for place in range(most)]
