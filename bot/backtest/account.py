"""One account of a backtest: positions made of fills, as live, and what became of each."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from bot.backtest.result import RoundTrip
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import Side
from bot.domain.position import ExitPlan, Position
from bot.domain.symbol import base_of
from bot.execution.position_math import after_fill
from bot.risk.case import is_dust

_ZERO = Decimal(0)


@dataclass
class _Trip:
    """A position's way so far, in sums. Fees are in quote; those in base are counted at their fill's price."""

    reason: str
    bought: Decimal = _ZERO
    spent: Decimal = _ZERO
    sold: Decimal = _ZERO
    received: Decimal = _ZERO
    fees: Decimal = _ZERO
    rule: str = ""
    exit_reason: str = ""
    opened_at: datetime | None = None


@dataclass
class Account:
    """Money is at the venue; here is what is known of it by fills."""

    name: str
    opening_cash: Decimal
    positions: dict[str, Position] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    fees: Decimal = _ZERO
    ended: list[RoundTrip] = field(default_factory=list)
    _trips: dict[str, _Trip] = field(default_factory=dict)

    def book(self, fills: Iterable[Fill], *, exit_plan: ExitPlan, reason: str, rule: str = "") -> None:
        """Put fills of one order into the position of their symbol; `reason` is the decision behind it."""
        for fill in fills:
            self.fills.append(fill)
            fee = _fee_in_quote(fill)
            self.fees += fee
            trip = self._trips.setdefault(fill.symbol, _Trip(reason, opened_at=fill.executed_at))
            trip.fees += fee
            if fill.side is Side.BUY:
                trip.bought, trip.spent = trip.bought + fill.quantity, trip.spent + fill.notional
            else:
                trip.sold, trip.received = trip.sold + fill.quantity, trip.received + fill.notional
                trip.rule, trip.exit_reason = rule, reason
            after = after_fill(
                self.positions.get(fill.symbol), fill, account_id=self.name, exit_plan=exit_plan, signal_id=None
            )
            if after is not None and after.quantity > 0:
                self.positions[fill.symbol] = after
            elif after is not None:
                self._end(fill.symbol, fill.executed_at)

    def drop_dust(self, symbol: str, at: datetime) -> None:
        """What nobody would buy is no position any more."""
        trip = self._trips[symbol]
        trip.rule = trip.rule or "dust"
        self._end(symbol, at)

    def drop_unsellable(self, symbol: str, instrument: Instrument, price: Decimal, at: float) -> None:
        """What is left after a sale, if the venue would not buy as little."""
        position = self.positions.get(symbol)
        if position is not None and is_dust(position.quantity, price, instrument):
            self.drop_dust(symbol, datetime.fromtimestamp(at, UTC))

    def owe(self, symbol: str, quantity: Decimal) -> None:
        """What should have been sold of a position and could not yet be."""
        position = self.positions.get(symbol)
        if position is not None:
            self.positions[symbol] = replace(position, owed_quantity=min(quantity, position.quantity))

    def raise_highest(self, symbol: str, bid: Decimal) -> None:
        position = self.positions[symbol]
        if bid > position.highest_price:
            self.positions[symbol] = replace(position, highest_price=bid)

    def costs(self) -> dict[str, Decimal]:
        """What its positions have cost, by symbol."""
        return {symbol: position.cost_quote for symbol, position in self.positions.items()}

    def round_trips(self) -> list[RoundTrip]:
        """The ended ones in the order of their end, then those that are open."""
        return [*self.ended, *(self._round_trip(symbol, None) for symbol in self.positions)]

    def _end(self, symbol: str, at: datetime) -> None:
        self.ended.append(self._round_trip(symbol, at))
        self.positions.pop(symbol, None)
        del self._trips[symbol]

    def _round_trip(self, symbol: str, closed_at: datetime | None) -> RoundTrip:
        trip = self._trips[symbol]
        assert trip.opened_at is not None
        made = RoundTrip(
            account=self.name,
            symbol=symbol,
            opened_at=trip.opened_at,
            quantity=trip.bought,
            entry_price=trip.spent / trip.bought,
            entry_reason=trip.reason,
            fees=trip.fees,
        )
        if closed_at is None:
            return made
        return replace(
            made,
            closed_at=closed_at,
            exit_price=trip.received / trip.sold if trip.sold else None,
            profit=trip.received - trip.spent - trip.fees,
            exit_rule=trip.rule,
            exit_reason=trip.exit_reason,
        )


def _fee_in_quote(fill: Fill) -> Decimal:
    return fill.fee * fill.price if fill.fee_currency == base_of(fill.symbol) else fill.fee
