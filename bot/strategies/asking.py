"""Asking a strategy, so that a bad one costs its own answer and nothing else.

A strategy may be anybody's code. What it raises, or returns of the wrong kind, becomes a `NoEntry` with rule
`strategy_failed` or a `StrategyFault`: the scan goes on with the next symbol, and a position keeps its stops.
"""

from dataclasses import dataclass

from bot.domain.position import Position
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry, Strategy
from bot.supervision.heart import beat

TOO_FEW_CANDLES = "too_few_candles"
STRATEGY_FAILED = "strategy_failed"


@dataclass(frozen=True)
class StrategyFault:
    """The strategy gave no answer about a held position; its price exits decide alone."""

    symbol: str
    reason: str


def ask_entry(strategy: Strategy, view: MarketView) -> EntryIntent | NoEntry:
    """The strategy's answer about a symbol that is not held. Raises nothing but `Fenced`, before it asks."""
    if len(view.candles) < strategy.candles_needed:
        return NoEntry(f"{len(view.candles)} of {strategy.candles_needed} candles", rule=TOO_FEW_CANDLES)
    beat(f"asking the strategy about an entry in {view.symbol}")
    try:
        answer: object = strategy.entry(view)
    except Exception as error:  # noqa: BLE001 - a hook: somebody else's code
        return NoEntry(_failure(strategy, error), rule=STRATEGY_FAILED)
    if isinstance(answer, NoEntry) or (isinstance(answer, EntryIntent) and answer.symbol == view.symbol):
        return answer
    return NoEntry(_wrong(strategy, answer, view), rule=STRATEGY_FAILED)


def ask_exit(strategy: Strategy, view: MarketView, position: Position) -> ExitIntent | StrategyFault | None:
    """The strategy's answer about a held position; None with too few candles: missing data is no exit signal.

    Raises nothing but `Fenced`, before it asks.
    """
    if len(view.candles) < strategy.candles_needed:
        return None
    beat(f"asking the strategy about its {view.symbol}")
    try:
        answer: object = strategy.exit(view, position)
    except Exception as error:  # noqa: BLE001 - a hook: somebody else's code
        return StrategyFault(view.symbol, _failure(strategy, error))
    if answer is None or (isinstance(answer, ExitIntent) and answer.symbol == view.symbol):
        return answer
    return StrategyFault(view.symbol, _wrong(strategy, answer, view))


def _failure(strategy: Strategy, error: Exception) -> str:
    return f"strategy {strategy.name} failed: {type(error).__name__}: {error}"


def _wrong(strategy: Strategy, answer: object, view: MarketView) -> str:
    return f"strategy {strategy.name} answered {answer!r:.80} about {view.symbol}"
