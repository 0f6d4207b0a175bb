"""Whose candles are read first when there is not time for all."""

from collections.abc import Collection, Mapping
from itertools import chain, zip_longest


def reading_order(asked_at: Mapping[str, float], *, first: Collection[str], sooner: Collection[str]) -> list[str]:
    """All symbols that are due, given when each was asked for last (monotonic seconds).

    Those of `first` come first: what is held is sold by its candles, too. Then by turns one of `sooner`, which move,
    and one of the others, so that movers never keep the others from their turn. Among equals the longest unasked first.
    """
    waiting = sorted(asked_at, key=lambda symbol: asked_at[symbol])
    held = [symbol for symbol in waiting if symbol in first]
    moving = [symbol for symbol in waiting if symbol in sooner and symbol not in first]
    others = [symbol for symbol in waiting if symbol not in sooner and symbol not in first]
    by_turns = chain.from_iterable(zip_longest(moving, others))
    return [*held, *(symbol for symbol in by_turns if symbol is not None)]
