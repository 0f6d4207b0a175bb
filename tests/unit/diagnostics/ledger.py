"""An account's books as its thread would have written them: fills, cash events, readings, and days closed by readings.

What the venue has is kept apart, by adding up, so that the figures are compared with something else than themselves.
"""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.books.days import DayBoundary
from bot.books.equity import Mark, value
from bot.domain.account import AccountRef
from bot.domain.balance import AssetBalance, Holdings
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.domain.symbol import base_of, quote_of
from bot.execution.book_days import BookDays
from bot.execution.day_closing import more_than
from bot.execution.running_books import RunningBooks
from bot.execution.settled_reading import SettledReading
from bot.storage import cash_events, equity_points, fills, opening_balances, process
from bot.storage.book_entries import booked_until
from bot.storage.equity_points import EquityPoint
from bot.storage.opening_balances import OpeningBalances
from tests.stored_bot import StoredBot

MAX_AGE = 120.0


class FixedClock:
    """What the clock of the test says."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def wall_ns(self) -> int:
        return int(self.moment.timestamp() * 1_000_000_000)

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        return event.is_set()


def at(day: int, clock: str = "12:00", *, month: int = 11) -> datetime:
    """A moment of November 2026, in UTC."""
    hours, minutes = map(int, clock.split(":"))
    return datetime(2026, month, day, hours, minutes, tzinfo=UTC)


class Ledger:
    """One account. Amounts are written as text, as people do."""

    def __init__(
        self,
        bot: StoredBot,
        ref: AccountRef,
        *,
        opened: datetime,
        units: Mapping[str, str],
        prices: Mapping[str, str] | None = None,
        currency: str = "USD",
        zone: str = "UTC",
    ) -> None:
        self.bot, self.ref, self.currency = bot, ref, currency
        self.units = {asset: Decimal(quantity) for asset, quantity in units.items()}
        self._clock = FixedClock(opened)
        self._number = 0
        self._days = BookDays(
            account_id=ref.label,
            currency=currency,
            store=bot.store,
            clock=self._clock,
            fence=lambda _connection: None,
            boundary=DayBoundary.of(zone),
            price_max_age_seconds=MAX_AGE,
        )
        bot.account(ref, name=ref.user_id or "", quote_currency=currency)
        opening = OpeningBalances(opened, {currency: Decimal(0)} | dict(self.units))
        bot.store.write(lambda connection: opening_balances.save_opening(connection, ref.label, opening))
        self.point(opened, prices or {})

    def buy(self, moment: datetime, symbol: str, quantity: str, price: str, fee: str = "0", fee_in: str = "") -> str:
        return self._trade(moment, Side.BUY, symbol, quantity, price, fee, fee_in)

    def sell(self, moment: datetime, symbol: str, quantity: str, price: str, fee: str = "0", fee_in: str = "") -> str:
        return self._trade(moment, Side.SELL, symbol, quantity, price, fee, fee_in)

    def _trade(
        self, moment: datetime, side: Side, symbol: str, quantity: str, price: str, fee: str, fee_in: str
    ) -> str:
        self._number += 1
        fee_currency = fee_in or quote_of(symbol)
        item = Fill(
            trade_id=f"T{self._number}",
            venue_order_id=f"O{self._number}",
            symbol=symbol,
            side=side,
            quantity=Decimal(quantity),
            price=Decimal(price),
            fee=Decimal(fee),
            fee_currency=fee_currency,
            executed_at=moment,
        )
        self.bot.store.write(
            lambda connection: fills.add_fill(connection, self.ref, item, client_order_id=None, now=moment)
        )
        sign = 1 if side is Side.BUY else -1
        self.move(base_of(symbol), sign * item.quantity)
        self.move(quote_of(symbol), -sign * item.quantity * item.price)
        self.move(fee_currency, -item.fee)
        return item.trade_id

    def cash(self, moment: datetime, kind: CashKind, asset: str, amount: str, fee: str = "0") -> None:
        self._number += 1
        event = CashEvent(
            event_id=f"E{self._number}", kind=kind, asset=asset, amount=Decimal(amount), fee=Decimal(fee), at=moment
        )
        self.bot.store.write(lambda connection: cash_events.add_cash_event(connection, self.ref, event, now=moment))
        self.move(asset, event.change)

    def move(self, asset: str, change: Decimal) -> None:
        """The venue has so much more of it, whatever the books are told."""
        self.units[asset] = self.units.get(asset, Decimal(0)) + change

    def point(self, moment: datetime, prices: Mapping[str, str], *, settled: bool = True) -> EquityPoint:
        """The account is read: what there is, at these prices of that moment."""
        marks = {asset: Mark(Decimal(price), moment) for asset, price in prices.items()}
        worth = value(self.units, marks, self.currency, now=moment, max_age_seconds=MAX_AGE)
        point = EquityPoint(
            account_id=self.ref.label,
            at=moment,
            currency=self.currency,
            cash_available=worth.cash,
            cash_held=Decimal(0),
            positions_value=worth.positions,
            equity=worth.total,
            unpriced=worth.unpriced,
            oldest_price_at=worth.oldest_price_at,
            units={asset: quantity for asset, quantity in self.units.items() if quantity},
            marks=marks,
            settled=settled,
        )
        self.bot.store.write(lambda connection: equity_points.add_point(connection, point))
        return point

    def close(self, moment: datetime, prices: Mapping[str, str]) -> None:
        """The first settled reading after a day's end: the days that are over by then are closed."""
        self._clock.moment = moment
        point = self.point(moment, prices)
        with self.bot.store.read() as connection:
            books = RunningBooks(self.ref.label, self.currency).now(connection)
            booked = booked_until(connection, self.ref.label)
        assert books is not None
        assets = {asset: AssetBalance(quantity, Decimal(0)) for asset, quantity in self.units.items()}
        reading = SettledReading(moment, Holdings(assets, moment), booked)
        self._days.close_due(reading, more_than(reading.units, books.units()), point.marks)

    def restate(self, moment: datetime) -> None:
        """Days are computed anew for what was booked late."""
        self._clock.moment = moment
        self._days.restate()


def runs_at(bot: StoredBot, moment: datetime, *, mode: str = "paper") -> float:
    """The bot beats at this moment; returns by how many seconds the clock must be shifted for it to be now."""
    import os

    bot.store.write(
        lambda connection: process.start_process(
            connection, pid=os.getpid(), mode=mode, now=moment - timedelta(minutes=1)
        )
    )
    bot.store.write(lambda connection: process.beat(connection, now=moment))
    return (moment - datetime.now(UTC)).total_seconds()
