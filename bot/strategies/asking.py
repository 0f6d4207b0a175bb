"""Asking a strategy, so that a bad one costs its own answer and nothing else.

A strategy may be anybody's code. What it raises, or returns of the wrong kind, becomes a `NoEntry` with rule
`strategy_failed` or a `StrategyFault`: the scan goes on with the next symbol, and a position keeps its stops.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from bot.domain.position import Position
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry, Strategy
from bot.supervision.heart import beat

TOO_FEW_CANDLES = "too_few_candles"
STRATEGY_FAILED = "strategy_failed"
LONGEST_REASON = 500
_Said = TypeVar("_Said", bound=EntryIntent | NoEntry | ExitIntent)


@dataclass(frozen=True)
class StrategyFault:
    """The strategy gave no answer about a held position; its price exits decide alone."""

    symbol: str
    reason: str


def ask_entry(strategy: Strategy, view: MarketView) -> EntryIntent | NoEntry:
    """The strategy's answer about a symbol that is not held. Raises nothing but `Fenced`, before it asks."""
    if view.count < strategy.candles_needed:
        return NoEntry(f"{view.count} of {strategy.candles_needed} candles", rule=TOO_FEW_CANDLES)
    beat(f"asking the strategy about an entry in {view.symbol}")
    try:
        answer: object = strategy.entry(view)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a hook: somebody else's code
        return NoEntry(_failure(strategy, error), rule=STRATEGY_FAILED)
    if isinstance(answer, NoEntry) or (isinstance(answer, EntryIntent) and answer.symbol == view.symbol):
        return _shortened(answer)
    return NoEntry(_wrong(strategy, answer, view), rule=STRATEGY_FAILED)


def ask_exit(strategy: Strategy, view: MarketView, position: Position) -> ExitIntent | StrategyFault | None:
    """The strategy's answer about a held position; None with too few candles: missing data is no exit signal.

    Raises nothing but `Fenced`, before it asks.
    """
    if view.count < strategy.candles_needed:
        return None
    beat(f"asking the strategy about its {view.symbol}")
    try:
        answer: object = strategy.exit(view, position)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a hook: somebody else's code
        return StrategyFault(view.symbol, _failure(strategy, error))
    if isinstance(answer, ExitIntent) and answer.symbol == view.symbol:
        return _shortened(answer)
    if answer is None:
        return None
    return StrategyFault(view.symbol, _wrong(strategy, answer, view))


def _failure(strategy: Strategy, error: BaseException) -> str:
    return _short(f"strategy {strategy.name} failed: {type(error).__name__}: {_words(str, error)}")


def _shortened(answer: _Said) -> _Said:
    return answer if len(answer.reason) <= LONGEST_REASON else replace(answer, reason=_short(answer.reason))


def _short(text: str) -> str:
    """Sentences are stored and shown by the thousand."""
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"


def _wrong(strategy: Strategy, answer: object, view: MarketView) -> str:
    return f"strategy {strategy.name} answered {_words(repr, answer):.80} about {view.symbol}"


def _words(how: Callable[[object], str], thing: object) -> str:
    """What it says of itself, which is somebody else's code too."""
    try:
        return how(thing)
    except (Exception, SystemExit):  # noqa: BLE001 - a hook: somebody else's code
        return "(it cannot be shown)"
