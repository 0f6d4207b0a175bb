"""What a trading strategy is: a pure decision over closed candles. Write one class, name it in the configuration.

A whole strategy, `my_rules/dip.py`, loaded with `strategy.plugin: my_rules/dip.py`:

    from decimal import Decimal
    from bot.market.indicators import closes, rsi
    from bot.strategies.interface import EntryIntent, ExitIntent, NoEntry, Parameter

    class BuyTheDip:
        name = "buy_the_dip"
        parameters = (
            Parameter("period", 14, 2, 100, "candles", "length of the RSI"),
            Parameter("oversold", Decimal(30), Decimal(5), Decimal(50), "RSI points", "buy below this"),
        )

        def __init__(self, values):
            self.period = values.integer("period")
            self.oversold = float(values.decimal("oversold"))
            self.candles_needed = 5 * self.period

        def entry(self, view):
            strength = rsi(closes(view.last(self.candles_needed)), self.period)[-1]
            if strength >= self.oversold:
                return NoEntry(f"RSI {strength:.1f} is not below {self.oversold:.1f}", rule="not_oversold")
            return EntryIntent(view.symbol, Decimal("0.5"), f"RSI {strength:.1f}", stop_loss_percent=Decimal(3))

        def exit(self, view, position):
            strength = rsi(closes(view.last(self.candles_needed)), self.period)[-1]
            return ExitIntent(view.symbol, f"RSI {strength:.1f} is back above 60") if strength > 60 else None

The rules for a strategy:
- It keeps nothing between calls. The same view gets the same answer in any order of calls, live and in a backtest.
- It reads only what it is given: no clock, no file, no network, no randomness. It does not know whether money is real.
  What it is given has no future: a view holds closed candles up to now and nothing else.
- It looks at no more than `candles_needed` candles, so that the answer does not depend on how long the history is.
- It decides *whether*; size, limits, fees and the number of positions are decided after it. Stops and targets run
  without it: when a strategy fails, positions are still guarded.

`python bot.py strategy check my_rules/dip.py` tries to prove a strategy wrong about each of these. More in
docs/strategies.md: indicators that are computed once a view (`view.indicators`), facts of the account
(`view.account`), and screens that make a backtest fast (`bot/strategies/screening.py`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import Protocol, TypeVar

from bot.domain.position import ExitPlan, Position
from bot.domain.quote import Candle
from bot.market.cached_indicators import CachedIndicators
from bot.strategies.parameters import Parameter, ParameterValues
from bot.strategies.percent import Percent

__all__ = [
    "AccountFacts", "EntryIntent", "ExitIntent", "MarketView", "NoEntry", "Parameter", "ParameterValues", "Strategy",
]  # fmt: skip


_Value = TypeVar("_Value")
# A rule is counted and listed: numbers belong into the sentence.
_RULE = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, kw_only=True)
class AccountFacts:
    """What the account that would trade has, in its quote currency. Whether that is real money is not said.

    None is not known: no equity when a holding has no price, no fee before the venue has told it (where each market has
    its own, it is asked for with the first order there). `open_positions` counts those that take a place,
    `max_positions` is the account's cap. The fee is percent of the notional.
    """

    cash_quote: Decimal
    open_positions: int
    max_positions: int
    equity_quote: Decimal | None = None
    taker_fee_percent: Decimal | None = None


@dataclass(frozen=True)
class MarketView:
    """One symbol as a strategy sees it: closed candles of one interval, oldest first. The forming one is never here.

    A venue leaves out intervals without a trade; `missing` counts them. `account` is None where no account is known,
    as when a market is only looked at. Raises ValueError for candles out of order.
    """

    symbol: str
    candles: Sequence[Candle]
    interval_minutes: int = 1
    account: AccountFacts | None = None

    def __post_init__(self) -> None:
        if self.interval_minutes < 1:
            raise ValueError(f"{self.symbol}: an interval is at least 1 minute")
        # A tuple of its own ends here: no window on a longer row, and nobody changes it later.
        object.__setattr__(self, "candles", tuple(self.candles))
        times = [candle.opened_at for candle in self.candles]
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError(f"{self.symbol}: candles must be oldest first, each once")

    @property
    def count(self) -> int:
        """How many candles there are."""
        return len(self.candles)

    @cached_property
    def indicators(self) -> CachedIndicators:
        """Indicators of these candles, each computed when it is first asked for."""
        return CachedIndicators(self.candles)

    def last(self, count: int) -> Sequence[Candle]:
        """The newest `count` candles, oldest first (fewer if there are not so many)."""
        return self.candles[-count:] if count > 0 else ()

    def missing(self, count: int) -> int:
        """How many intervals have no candle between the first and the last of the newest `count` candles."""
        newest = self.last(count)
        if len(newest) < 2:
            return 0
        span = newest[-1].opened_at - newest[0].opened_at
        return max(0, span // timedelta(minutes=self.interval_minutes) + 1 - len(newest))


@dataclass(frozen=True)
class EntryIntent:
    """A wish to buy. `confidence` (0 to 1) only orders several wishes of one cycle.

    The distances are percent of the entry price (2 means 2 %); None leaves that exit to the account's settings.
    `break_even_percent`: once the price has been so far above the entry, it is not sold below it.
    `max_hold_minutes`: it is sold after so long, at least 1.
    """

    symbol: str
    confidence: Decimal
    reason: str
    stop_loss_percent: Decimal | None = None
    take_profit_percent: Decimal | None = None
    trailing_stop_percent: Decimal | None = None
    break_even_percent: Decimal | None = None
    max_hold_minutes: int | None = None

    def __post_init__(self) -> None:
        _check_sentence(self.symbol, self.reason)
        if not isinstance(self.confidence, Decimal) or not 0 <= self.confidence <= 1:
            raise ValueError(f"{self.symbol}: confidence {self.confidence} is not a Decimal from 0 to 1")
        for distance in (self.stop_loss_percent, self.trailing_stop_percent):
            if distance is not None:
                Percent.of_stop(distance)
        for distance in (self.take_profit_percent, self.break_even_percent):
            if distance is not None:
                Percent.of_target(distance)
        if self.max_hold_minutes is not None and (type(self.max_hold_minutes) is not int or self.max_hold_minutes < 1):
            raise ValueError(f"{self.symbol}: max_hold_minutes is {self.max_hold_minutes!r}, not a number from 1 up")

    def exit_plan(self, account: ExitPlan) -> ExitPlan:
        """The plan for this entry: what the strategy asks for, and the account's own distance where it asks nothing."""
        return replace(
            account,
            stop_loss_percent=_or(self.stop_loss_percent, account.stop_loss_percent),
            take_profit_percent=_or(self.take_profit_percent, account.take_profit_percent),
            trailing_stop_percent=_or(self.trailing_stop_percent, account.trailing_stop_percent),
            break_even_percent=_or(self.break_even_percent, account.break_even_percent),
            max_hold_minutes=_or(self.max_hold_minutes, account.max_hold_minutes),
        )


def _check_sentence(what: str, reason: object) -> None:
    if not isinstance(reason, str):
        raise ValueError(f"{what}: the reason is {reason!r:.80} and must be a sentence")


def _or(asked: _Value | None, otherwise: _Value | None) -> _Value | None:
    return otherwise if asked is None else asked


@dataclass(frozen=True)
class NoEntry:
    """Why a symbol is not bought now. `rule` is a fixed word to count by; `reason` is the sentence with numbers.

    Raises ValueError for a reason that is no text, and a rule that is no word (letters, digits and _, up to 60).
    """

    reason: str
    rule: str = "no_signal"

    def __post_init__(self) -> None:
        _check_sentence("NoEntry", self.reason)
        if not isinstance(self.rule, str) or not _RULE.fullmatch(self.rule):
            raise ValueError(f"NoEntry: rule {self.rule!r:.80} is not a word to count by, such as no_signal")


@dataclass(frozen=True)
class ExitIntent:
    """A wish to sell the whole position because of the market, beside its stops and targets."""

    symbol: str
    reason: str

    def __post_init__(self) -> None:
        _check_sentence(self.symbol, self.reason)


class Strategy(Protocol):
    """The shape of a strategy class; it need not inherit from anything. See the module's docstring."""

    @property
    def name(self) -> str:
        """The word for it in logs and records."""

    @property
    def parameters(self) -> Sequence[Parameter]:
        """What can be set, with ranges and defaults; a class attribute."""

    @property
    def candles_needed(self) -> int:
        """How many closed candles it looks at. With fewer it is not asked."""

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        """Buy this symbol now, or why not. Asked only about symbols that are not held."""

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        """Sell this position now, or None to leave it to its stops and targets."""
