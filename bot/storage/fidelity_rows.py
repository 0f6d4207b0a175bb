"""Rows of a user's copies beside the master's trades, as the account of fidelity needs them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, and_, bindparam, exists, select

from bot.books.exactly import add, multiply, quotient
from bot.books.fidelity import (
    Copied,
    Difference,
    difference_by_hand,
    difference_of,
)
from bot.domain.order import OrderKind, Side
from bot.domain.signal import CopyReason, CopyStatus
from bot.domain.symbol import base_of, quote_of
from bot.storage.master_trades import MasterTrades
from bot.storage.schema import account, copy_result, fill, order_intent, signal

_ACCOUNT: BindParameter[str] = bindparam("account_id")
_TRADED = tuple(fill.c[name] for name in ("symbol", "quantity", "price", "fee", "fee_currency"))
_COPIES = (
    select(signal, *[copy_result.c[name].label(f"copy_{name}") for name in copy_result.c.keys()])  # noqa: SIM118 - no dict
    .join(copy_result, copy_result.c.signal_id == signal.c.signal_id)
    .where(
        copy_result.c.account_id == _ACCOUNT,
        signal.c.executed_at >= bindparam("since"),
        signal.c.executed_at < bindparam("until"),
    )
    .order_by(signal.c.sequence)
)
# By the account's orders, which the fills are indexed by.
_FILLS = (
    select(
        order_intent.c.signal_id,
        order_intent.c.sent_at,
        *_TRADED,
    )
    .select_from(
        order_intent.join(
            fill,
            and_(
                fill.c.account_id == order_intent.c.account_id,
                fill.c.venue_order_id == order_intent.c.venue_order_id,
            ),
        ).join(signal, signal.c.signal_id == order_intent.c.signal_id)
    )
    .where(
        order_intent.c.account_id == _ACCOUNT,
        signal.c.executed_at >= bindparam("since"),
        signal.c.executed_at < bindparam("until"),
    )
)
_FILLS_OF_MASTER = (
    select(signal.c.signal_id, *_TRADED)
    .select_from(
        signal.join(
            fill, and_(fill.c.account_id == signal.c.account_id, fill.c.venue_order_id == signal.c.venue_order_id)
        )
    )
    .where(
        signal.c.account_id == _ACCOUNT,
        signal.c.executed_at >= bindparam("since"),
        signal.c.executed_at < bindparam("until"),
    )
)
# In markets that the user has ever copied; a trade of an order of ours is a copy.
_BY_HAND = (
    select(fill)
    .where(
        fill.c.account_id == _ACCOUNT,
        fill.c.executed_at >= bindparam("since"),
        fill.c.executed_at < bindparam("until"),
        fill.c.client_order_id.is_(None),
        ~exists().where(
            order_intent.c.account_id == fill.c.account_id, order_intent.c.venue_order_id == fill.c.venue_order_id
        ),
    )
    .order_by(fill.c.executed_at, fill.c.sequence)
)
_BROKER = select(account.c.broker).where(account.c.account_id == _ACCOUNT)


@dataclass(frozen=True, kw_only=True)
class FidelityLine:
    """One copy, or one trade by hand (`kind` "manual"), against its ideal. Amounts in `currency`, the market's quote.

    `ideal_quantity` None = not known. `reference` is m of `bot.books.fidelity`; `open_fraction` of it stands at the
    price of `marked_at` (None: all is sold, or no price is known). `latency_seconds`: from the master's trade to the
    order's sending. `fees_apart`: fees in assets without a price here, in no sum. `status` "planned" = under way.
    """

    kind: str
    account_id: str
    symbol: str
    currency: str
    side: Side
    at: datetime
    signal_id: str | None
    trade_id: str | None
    status: str
    reason: str
    rank: int | None
    latency_seconds: float | None
    master_price: Decimal | None
    ideal_quantity: Decimal | None
    quantity: Decimal
    price: Decimal | None
    reference: Decimal | None
    open_fraction: Decimal
    marked_at: datetime | None
    difference: Difference
    fees_apart: Mapping[str, Decimal]


@dataclass
class _Traded:
    """What the fills of one order or copy come to."""

    quantity: Decimal = Decimal(0)
    notional: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    fees_apart: dict[str, Decimal] | None = None

    def take(self, row: Any) -> None:
        self.quantity = add(self.quantity, row.quantity)
        self.notional = add(self.notional, multiply(row.quantity, row.price))
        known = _fee_in_quote(row)
        if known is not None:
            self.fee = add(self.fee, known)
        elif row.fee:
            self.fees_apart = self.fees_apart or {}
            self.fees_apart[row.fee_currency] = self.fees_apart.get(row.fee_currency, Decimal(0)) + row.fee

    @property
    def price(self) -> Decimal | None:
        return quotient(self.notional, self.quantity) if self.quantity else None


def _fee_in_quote(row: Any) -> Decimal | None:
    """A fee in the base is worth the trade's own price; any other asset's is not known here."""
    if row.fee_currency == quote_of(row.symbol):
        return Decimal(row.fee)
    return multiply(row.fee, row.price) if row.fee_currency == base_of(row.symbol) else None


def fidelity_of(connection: Connection, account_id: str, since: datetime, until: datetime) -> Sequence[FidelityLine]:
    """Every copy of a user after signals with `since` <= time < `until`, and its trades by hand in copied markets.

    Oldest first. Copies that were no one's debt (the user had left, nothing was held) are not in it; those under way
    are, with a difference that is not known. Empty for a master.
    """
    times: dict[str, Any] = {"account_id": account_id, "since": since, "until": until}
    copies = connection.execute(_COPIES, times).all()
    by_hand = connection.execute(_BY_HAND, times).all()
    if not copies and not by_hand:
        return ()
    broker = str(connection.execute(_BROKER, {"account_id": account_id}).scalar())
    world = _World(connection, times, broker)
    traded, sent_at = _fills_by_signal(connection, times)
    lines = [
        world.copy_line(row, traded[row.signal_id], sent_at.get(row.signal_id)) for row in copies if _was_owed(row)
    ]
    lines += [world.line_by_hand(row) for row in by_hand if world.is_copied(row.symbol)]
    return sorted(lines, key=lambda line: line.at)


def _was_owed(row: Row[Any]) -> bool:
    return row.copy_reason not in (CopyReason.USER_LEFT, CopyReason.NOTHING_HELD)


def _fills_by_signal(
    connection: Connection, times: Mapping[str, Any]
) -> tuple[Mapping[str, _Traded], Mapping[str, datetime]]:
    """(what was traded for each signal, when its first order was sent)."""
    traded: dict[str, _Traded] = defaultdict(_Traded)
    sent_at: dict[str, datetime] = {}
    for row in connection.execute(_FILLS, times):
        traded[row.signal_id].take(row)
        if row.sent_at is not None:
            sent_at[row.signal_id] = min(row.sent_at, sent_at.get(row.signal_id, row.sent_at))
    return traded, sent_at


class _World:
    """What the copies of one user have in common: the masters' trades, and the prices of now."""

    def __init__(self, connection: Connection, times: Mapping[str, Any], broker: str) -> None:
        self._account_id: str = times["account_id"]
        self._master = MasterTrades(connection, self._account_id, broker)
        self._orders: dict[str, _Traded] = defaultdict(_Traded)
        for row in connection.execute(_FILLS_OF_MASTER, {**times, "account_id": self._master.label}):
            self._orders[row.signal_id].take(row)

    def is_copied(self, symbol: str) -> bool:
        """Whether the master has ever traded this market."""
        return self._master.traded(symbol)

    def copy_line(self, row: Row[Any], traded: _Traded, sent_at: datetime | None) -> FidelityLine:
        ideal = self._ideal(row)
        copied = Copied(
            side=Side(row.side),
            ideal_quantity=ideal,
            master_price=row.reference_price,
            master_fee=self._master_fee(row, ideal),
            quantity=traded.quantity,
            price=traded.price,
            fee=traded.fee,
            seen_price=row.copy_seen_price,
            capped_quantity=row.copy_capped_quantity,
            planned_quantity=row.copy_planned_quantity,
            reason=row.copy_reason,
        )
        reference = self._master.reference(row.symbol, row.signal_id)
        under_way = row.copy_status == CopyStatus.PLANNED
        return FidelityLine(
            kind=row.kind,
            account_id=self._account_id,
            symbol=row.symbol,
            currency=quote_of(row.symbol),
            side=Side(row.side),
            at=row.executed_at,
            signal_id=row.signal_id,
            trade_id=None,
            status=row.copy_status,
            reason=row.copy_reason,
            rank=row.copy_rank,
            latency_seconds=None if sent_at is None else (sent_at - row.executed_at).total_seconds(),
            master_price=row.reference_price,
            ideal_quantity=ideal,
            quantity=traded.quantity,
            price=traded.price,
            reference=reference.price,
            open_fraction=reference.open_fraction,
            marked_at=self._master.marked_at(row.symbol, reference),
            difference=Difference(None, why="under way") if under_way else difference_of(copied, reference.price),
            fees_apart=traded.fees_apart or {},
        )

    def line_by_hand(self, row: Row[Any]) -> FidelityLine:
        traded = _Traded()
        traded.take(row)
        reference = self._master.reference_at(row.symbol, row.executed_at)
        side = Side(row.side)
        return FidelityLine(
            kind="manual",
            account_id=self._account_id,
            symbol=row.symbol,
            currency=quote_of(row.symbol),
            side=side,
            at=row.executed_at,
            signal_id=None,
            trade_id=row.trade_id,
            status="",
            reason="",
            rank=None,
            latency_seconds=None,
            master_price=None,
            ideal_quantity=Decimal(0),
            quantity=row.quantity,
            price=row.price,
            reference=reference.price,
            open_fraction=reference.open_fraction,
            marked_at=self._master.marked_at(row.symbol, reference),
            difference=difference_by_hand(
                side=side, quantity=row.quantity, price=row.price, fee=traded.fee, reference=reference.price
            ),
            fees_apart=traded.fees_apart or {},
        )

    def _ideal(self, row: Row[Any]) -> Decimal | None:
        """Of an exit: what was due of this user's own lots. Why those are fewer was told when they came to be."""
        if row.kind == OrderKind.ENTRY:
            return None if row.copy_ratio is None else multiply(row.copy_ratio, row.quantity)
        due: Decimal | None = row.copy_capped_quantity
        planned: Decimal | None = row.copy_planned_quantity
        return planned if due is None else due

    def _master_fee(self, row: Row[Any], ideal: Decimal | None) -> Decimal | None:
        """The share of the ideal in the fee of the master's order."""
        order = self._orders[row.signal_id]
        return quotient(multiply(order.fee, ideal), order.quantity) if ideal is not None and order.quantity else None
