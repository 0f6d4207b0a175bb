"""What happens inside a bar: a path from its open to its close that touches its high and its low.

A minute bar becomes sixty ticks of a second; a coarse bar becomes minute bars. Both directions agree: folding the parts
together gives the bar again, prices and volume to the last lot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from paper_exchange.tape import Bar, Temper

SECONDS = 60
POINTS_PER_MINUTE = 3  # when a coarse bar is divided
NOISE = 0.18  # of the bar's range


@dataclass(frozen=True)
class MinuteTicks:
    """Sixty seconds: last price and spread in tick sizes, lots traded (0: no trade), whether the buyer took."""

    last: list[int]
    volume: list[int]
    bought: list[bool]
    spread: list[int]


def trades_in(bar: Bar) -> int:
    """How many trades a bar prints: more when it moves more."""
    return bar.minutes * min(SECONDS, 8 + int(12 * bar.volatility))


def price_path(bar: Bar, points: int, draw: Callable[[], float]) -> tuple[list[int], tuple[int, int]]:
    """`points` (4 or more) prices from open to close, and the places where the high and the low (in some order) are."""
    first, second = sorted((1 + int(draw() * (points - 3)), 1 + int(draw() * (points - 3))))
    if first == second:
        second += 1
    turns = (bar.high, bar.low) if draw() < 0.5 else (bar.low, bar.high)
    corners = ((0, bar.open), (first, turns[0]), (second, turns[1]), (points - 1, bar.close))
    noise = (bar.high - bar.low) * NOISE
    path = [bar.open]
    for (begin, price), (end, target) in pairwise(corners):
        step = (target - price) / (end - begin)
        for index in range(1, end - begin):
            value = round(price + step * index + noise * (draw() - 0.5))
            path.append(min(bar.high, max(bar.low, value)))
        path.append(target)
    return path, (first, second)


def split(total: int, weights: list[float]) -> list[int]:
    """`total` in whole parts by weight; the parts add up to it exactly."""
    scale = total / sum(weights)
    parts: list[int] = []
    reached = 0.0
    given = 0
    for weight in weights:
        reached += weight * scale
        parts.append(min(total, int(reached)) - given)
        given += parts[-1]
    parts[-1] += total - given
    return parts


def minute_ticks(bar: Bar, key: int, temper: Temper) -> MinuteTicks:
    """The seconds of a minute bar; `key` seeds what is random in them."""
    draw = Random(key).random
    path, turns = price_path(bar, SECONDS, draw)
    active = _active_seconds(trades_in(bar), (0, *turns, SECONDS - 1), draw)
    parts = iter(split(bar.volume, [0.1 + draw() for _ in active]))
    width = temper.spread * bar.open * (0.5 + 0.5 * bar.volatility)
    last: list[int] = []
    volume: list[int] = []
    bought: list[bool] = []
    spread: list[int] = []
    price = bar.open
    for second in range(SECONDS):
        traded = second in active
        if traded:
            rising = path[second] > price or (path[second] == price and draw() < 0.5)
            price = path[second]
        else:
            rising = bought[-1]
        last.append(price)
        volume.append(next(parts) if traded else 0)
        bought.append(rising)
        spread.append(max(1, round(width * (0.8 + 0.4 * draw()))))
    return MinuteTicks(last, volume, bought, spread)


def _active_seconds(count: int, needed: tuple[int, ...], draw: Callable[[], float]) -> set[int]:
    """`count` seconds of the minute, the needed ones among them."""
    active = set(needed)
    others = [second for second in range(SECONDS) if second not in active]
    for _ in range(min(count - len(active), len(others))):
        index = int(draw() * len(others))
        active.add(others[index])
        others[index] = others[-1]
        others.pop()
    return active


def divide(bar: Bar, key: int) -> list[Bar]:
    """The minute bars of a coarse bar."""
    if bar.minutes == 1:
        return [bar]
    draw = Random(key).random
    path, _ = price_path(bar, max(4, bar.minutes * POINTS_PER_MINUTE), draw)
    volumes = split(bar.volume, [0.2 + draw() for _ in range(bar.minutes)])
    bars: list[Bar] = []
    opened = bar.open
    for index, volume in enumerate(volumes):
        points = path[index * POINTS_PER_MINUTE : (index + 1) * POINTS_PER_MINUTE]
        high, low = max(opened, *points), min(opened, *points)
        bars.append(Bar(bar.start + index, 1, opened, high, low, points[-1], volume, bar.volatility))
        opened = points[-1]
    return bars
