"""What a strategy says at one place of a market, and the verdict on many such answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from bot.domain.position import ExitPlan, Position
from bot.domain.quote import Candle
from bot.strategies.asking import STRATEGY_FAILED, StrategyFault, ask_entry, ask_exit
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry, Strategy

# About an entry, and about each of some positions.
Answer = tuple[EntryIntent | NoEntry, tuple[ExitIntent | StrategyFault | None, ...]]


@dataclass(frozen=True)
class Trial:
    """One thing tried: how many comparisons were made and, when it failed, with which the first of them failed."""

    name: str
    passed: bool
    detail: str
    checked: int


def trial(name: str, wrong: Sequence[str], checked: int, told: str) -> Trial:
    """Held when nothing was found wrong and something was compared; otherwise the first that was wrong is told."""
    if not wrong:
        return Trial(name, checked > 0, told if checked else "nothing could be compared: too few candles", checked)
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return Trial(name, False, wrong[0] + more, checked)


def ask(strategy: Strategy, view: MarketView, positions: Sequence[Position]) -> Answer:
    """As the bot asks: whatever a strategy does, an answer comes of it."""
    return ask_entry(strategy, view), tuple(ask_exit(strategy, view, position) for position in positions)


def faults_in(answer: Answer) -> list[str]:
    """What went wrong in the strategy, a sentence each."""
    entry, wishes = answer
    found = [entry.reason] if isinstance(entry, NoEntry) and entry.rule == STRATEGY_FAILED else []
    return found + [wish.reason for wish in wishes if isinstance(wish, StrategyFault)]


def tells(answer: Answer) -> bool:
    """Whether there is a wish in it."""
    return isinstance(answer[0], EntryIntent) or any(wish is not None for wish in answer[1])


def in_words(answer: Answer) -> str:
    """Both parts in a few words."""
    entry, wishes = answer
    sells = next((wish.reason for wish in wishes if wish is not None), "keep")
    said = f"{entry.rule}: {entry.reason}" if isinstance(entry, NoEntry) else f"buy: {entry.reason}"
    return f"({said[:80]}; {sells[:60]})"


def position_at(symbol: str, last: Candle, factor: Decimal) -> Position:
    """One bought at so many times the last close."""
    price = last.close * factor
    return Position(
        account_id="check",
        symbol=symbol,
        quantity=Decimal(1),
        average_entry_price=price,
        opened_at=datetime(2026, 1, 1, tzinfo=UTC),
        highest_price=max(price, last.close),
        exit_plan=ExitPlan(),
    )
