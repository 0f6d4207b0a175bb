"""Trades of a bot that ran and of a backtest over the candles that it saw, side by side.

Both ask the same strategy about the same candles, so that what is bought when, and what is sold by the strategy's wish,
has to be the same. One difference is the backtest's own: it watches a candle's whole way for levels that sell, and the
bot the prices of its looks. What follows from such a sale (a market that is free again, or still held) may differ too.
Everything else is returned as not explained.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from bot.backtest.candle_table import CandleTable
from bot.backtest.result import RoundTrip
from bot.domain.position import ExitPlan

LEVELS = frozenset({"hard_stop", "trailing_stop", "target", "break_even"})
# A user's exit that follows the master's, by its name in the bot and in the backtest.
FOLLOWED = frozenset({"master_exit", "copied_exit"})
# Bid and ask of the exchange are further from the price at times than the spread that the backtest takes.
NEAR = Decimal("0.003")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Trade:
    """A position from its first buy to its end; times are the minutes of the looks, None = still open."""

    symbol: str
    opened: datetime
    closed: datetime | None
    rule: str
    quantity: Decimal
    bought_at: Decimal
    sold_at: Decimal | None

    @classmethod
    def of(cls, trip: RoundTrip) -> "Trade":
        return cls(
            symbol=trip.symbol, opened=_minute(trip.opened_at),
            closed=None if trip.closed_at is None else _minute(trip.closed_at),
            rule=_word(trip.exit_rule), quantity=trip.quantity, bought_at=trip.entry_price, sold_at=trip.exit_price,
        )  # fmt: skip

    @classmethod
    def of_row(cls, row: Mapping[str, str]) -> "Trade":
        """Of the table `round_trip`."""
        quantity = Decimal(row["bought_quantity"])
        return cls(
            symbol=row["symbol"], opened=_minute(datetime.fromisoformat(row["opened_at"])),
            closed=_minute(datetime.fromisoformat(row["closed_at"])), rule=_word(row["exit_rule"]), quantity=quantity,
            bought_at=Decimal(row["bought_quote"]) / quantity, sold_at=Decimal(row["sold_quote"]) / quantity,
        )  # fmt: skip

    @classmethod
    def of_open_row(cls, row: Mapping[str, str]) -> "Trade":
        """Of the table `position`."""
        quantity, price = Decimal(row["quantity"]), Decimal(row["average_entry_price"])
        return cls(
            symbol=row["symbol"], opened=_minute(datetime.fromisoformat(row["opened_at"])), closed=None, rule="",
            quantity=quantity, bought_at=price, sold_at=None,
        )  # fmt: skip

    def holds(self, moment: datetime) -> bool:
        return self.opened <= moment and (self.closed is None or moment <= self.closed)


@dataclass(frozen=True)
class Compared:
    """`same` pairs agree in minute and rule; `by_levels` are sentences about what the backtest's model explains."""

    same: Sequence[tuple[Trade, Trade]]
    by_levels: Sequence[str]
    not_explained: Sequence[str]


def compared(
    live: Iterable[Trade], back: Iterable[Trade], tables: Mapping[str, CandleTable], plan: ExitPlan
) -> Compared:
    """Pairs are of one market and one minute of opening."""
    lives = {(one.symbol, one.opened): one for one in live}
    backs = {(one.symbol, one.opened): one for one in back}
    same, by_levels, not_explained = [], [], []
    differing: set[str] = set()
    for key in sorted(lives.keys() | backs.keys(), key=lambda key: (key[1], key[0])):
        mine, other = lives.get(key), backs.get(key)
        if mine is not None and other is not None and (mine.closed, mine.rule) == (other.closed, other.rule):
            same.append((mine, other))
        elif mine is not None and other is not None and sold_within_its_candle(other, mine, tables[key[0]], plan):
            by_levels.append(f"{other} went through its level; the bot's look came later: {mine}")
            differing.add(key[0])
        elif key[0] in differing and _held_by(backs.values() if other is None else lives.values(), key):
            by_levels.append(f"{mine or other}: the other one still held that market, or held it longer")
        else:
            not_explained.append(f"bot: {mine}; backtest: {other}")
    return Compared(same, by_levels, not_explained)


def sold_within_its_candle(back: Trade, live: Trade, table: CandleTable, plan: ExitPlan) -> bool:
    """The backtest sold at a level that the candle of that minute really touched, and the bot not before it."""
    if back.rule not in LEVELS or back.closed is None or (live.closed is not None and live.closed < back.closed):
        return False
    held = [one for one in table if back.opened <= one.opened_at <= back.closed]
    if back.rule == "target":
        assert plan.take_profit_percent is not None
        return held[-1].high >= live.bought_at * (1 + plan.take_profit_percent / 100) * (1 - NEAR)
    levels = [] if plan.stop_loss_percent is None else [live.bought_at * (1 - plan.stop_loss_percent / 100)]
    if plan.trailing_stop_percent is not None:
        levels.append(max(one.high for one in held) * (1 - plan.trailing_stop_percent / 100))
    return held[-1].low <= max(levels) * (1 + NEAR)


def _held_by(trades: Iterable[Trade], key: tuple[str, datetime]) -> bool:
    return any(one.symbol == key[0] and one.holds(key[1]) for one in trades)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _word(rule: str) -> str:
    return "followed" if rule in FOLLOWED else rule
