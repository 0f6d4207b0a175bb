"""Choosing parameters without fooling oneself: they are chosen on one stretch and judged on the next.

The candles are cut into K + 1 stretches of equal time. Parameters are chosen on the first and judged on the second,
chosen on the second and judged on the third, and so on: what is shown as out of sample was never seen when choosing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from bot.backtest.candle_table import CandleTable
from bot.backtest.result import BacktestResult

Parameters = Mapping[str, str]
Run = Callable[[Mapping[str, CandleTable], Parameters], BacktestResult]


@dataclass(frozen=True)
class Stretch:
    """Parameters that did best on `chosen_on`, and how they did on `judged_on`, right after it."""

    parameters: Parameters
    chosen_on: BacktestResult
    judged_on: BacktestResult


def combinations(choices: Mapping[str, Sequence[str]]) -> list[Parameters]:
    """Every combination of the values, in the order in which they were given."""
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


def best_of(
    run: Run, tables: Mapping[str, CandleTable], choices: Sequence[Parameters]
) -> tuple[Parameters, BacktestResult]:
    """The parameters with the largest profit after fees; the first of them where several have the same."""
    results = [(parameters, run(tables, parameters)) for parameters in choices]
    return max(results, key=lambda one: one[1].master.profit)


def walk_forward(
    run: Run, tables: Mapping[str, CandleTable], choices: Sequence[Parameters], stretches: int
) -> list[Stretch]:
    """Raises ValueError for fewer than one stretch, or stretches without candles."""
    if stretches < 1:
        raise ValueError("a walk forward needs at least 1 stretch")
    parts = _cut(tables, stretches + 1)
    found = []
    for before, after in pairwise(parts):
        parameters, chosen_on = best_of(run, before, choices)
        found.append(Stretch(parameters, chosen_on, run(after, parameters)))
    return found


def _cut(tables: Mapping[str, CandleTable], count: int) -> list[dict[str, CandleTable]]:
    begin = min(int(table.opened_at[0]) for table in tables.values())
    end = max(int(table.closed_at[-1]) for table in tables.values())
    edges = [begin + (end - begin) * number // count for number in range(count + 1)]
    parts = []
    for first, last in pairwise(edges):
        part = {symbol: table.between(first, last) for symbol, table in tables.items()}
        part = {symbol: table for symbol, table in part.items() if len(table)}
        if not part:
            raise ValueError(f"{count} stretches are too many: one of them has no candles")
        parts.append(part)
    return parts
