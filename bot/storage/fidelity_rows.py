"""Rows of a user's copies beside the master's trades, as the account of fidelity needs them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, and_, bindparam, exists, select

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
from bot.storage.schema import account, copy_result, fill, order_intent

_ACCOUNT: BindParameter[str] = bindparam("account_id")
_TRADED = tuple(fill.c[name] for name in ("symbol", "quantity", "price", "fee", "fee_currency"))
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
# A few signals at once, each by the keys that lead to its rows: a period is read in the time of the period.
_AT_ONCE = 500
_COPIES = select(copy_result).where(copy_result.c.account_id == _ACCOUNT, copy_result.c.signal_id.in_(_IDS))
_FILLS = (
    select(order_intent.c.signal_id, order_intent.c.sent_at, *_TRADED)
    .select_from(
        order_intent.join(
            fill,
            and_(
                fill.c.account_id == order_intent.c.account_id,
                fill.c.venue_order_id == order_intent.c.venue_order_id,
            ),
        )
    )
    .where(order_intent.c.account_id == _ACCOUNT, order_intent.c.signal_id.in_(_IDS))
)
_FILLS_OF_MASTER = select(fill.c.venue_order_id, *_TRADED).where(
    fill.c.account_id == _ACCOUNT, fill.c.venue_order_id.in_(_IDS)
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
    broker = connection.execute(_BROKER, {"account_id": account_id}).scalar()
    master = MasterTrades(connection, account_id, str(broker), since=since)
    if master.label in (None, account_id):
        return ()
    signals = [row for row in master.signals if since <= row.executed_at < until]
    ids = [row.signal_id for row in signals]
    copies = {row.signal_id: row for row in _chunked(connection, _COPIES, account_id, ids)}
    traded, sent_at = _fills_by_signal(connection, account_id, ids)
    world = _World(connection, account_id, master, signals)
    lines = [
        world.copy_line(row, copies[row.signal_id], traded[row.signal_id], sent_at.get(row.signal_id))
        for row in signals
        if row.signal_id in copies and _was_owed(copies[row.signal_id])
    ]
    by_hand = connection.execute(_BY_HAND, times).all()
    lines += [world.line_by_hand(row) for row in by_hand if master.traded(row.symbol)]
    return sorted(lines, key=lambda line: line.at)


def _chunked(connection: Connection, query: Select[Any], account_id: str, ids: Sequence[str]) -> Iterator[Row[Any]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield from connection.execute(query, {"account_id": account_id, "ids": ids[start : start + _AT_ONCE]})


def _was_owed(copy: Row[Any]) -> bool:
    return copy.reason not in (CopyReason.USER_LEFT, CopyReason.NOTHING_HELD)


def _fills_by_signal(
    connection: Connection, account_id: str, ids: Sequence[str]
) -> tuple[Mapping[str, _Traded], Mapping[str, datetime]]:
    """(what was traded for each signal, when its first order was sent)."""
    traded: dict[str, _Traded] = defaultdict(_Traded)
    sent_at: dict[str, datetime] = {}
    for row in _chunked(connection, _FILLS, account_id, ids):
        traded[row.signal_id].take(row)
        if row.sent_at is not None:
            sent_at[row.signal_id] = min(row.sent_at, sent_at.get(row.signal_id, row.sent_at))
    return traded, sent_at


class _World:
    """What the copies of one user have in common: the master's trades and orders, and the prices of now."""

    def __init__(
        self, connection: Connection, account_id: str, master: MasterTrades, signals: Sequence[Row[Any]]
    ) -> None:
        self._account_id = account_id
        self._master = master
        self._orders: dict[str, _Traded] = defaultdict(_Traded)
        ids = sorted({row.venue_order_id for row in signals if row.venue_order_id is not None})
        for row in _chunked(connection, _FILLS_OF_MASTER, str(master.label), ids):
            self._orders[row.venue_order_id].take(row)

    def copy_line(self, row: Row[Any], copy: Row[Any], traded: _Traded, sent_at: datetime | None) -> FidelityLine:
        ideal = self._ideal(row, copy)
        copied = Copied(
            side=Side(row.side),
            ideal_quantity=ideal,
            master_price=row.reference_price,
            master_fee=self._master_fee(row, ideal),
            quantity=traded.quantity,
            price=traded.price,
            fee=traded.fee,
            seen_price=copy.seen_price,
            capped_quantity=copy.capped_quantity,
            planned_quantity=copy.planned_quantity,
            reason=copy.reason,
        )
        reference = self._master.reference(row.symbol, row.signal_id)
        under_way = copy.status == CopyStatus.PLANNED
        return FidelityLine(
            kind=row.kind,
            account_id=self._account_id,
            symbol=row.symbol,
            currency=quote_of(row.symbol),
            side=Side(row.side),
            at=row.executed_at,
            signal_id=row.signal_id,
            trade_id=None,
            status=copy.status,
            reason=copy.reason,
            rank=copy.rank,
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

    def _ideal(self, row: Row[Any], copy: Row[Any]) -> Decimal | None:
        """Of an exit: what was due of this user's own lots. Why those are fewer was told when they came to be."""
        if row.kind == OrderKind.ENTRY:
            return None if copy.ratio is None else multiply(copy.ratio, row.quantity)
        due: Decimal | None = copy.capped_quantity
        planned: Decimal | None = copy.planned_quantity
        return planned if due is None else due

    def _master_fee(self, row: Row[Any], ideal: Decimal | None) -> Decimal | None:
        """The share of the ideal in the fee of the master's order."""
        order = self._orders[row.venue_order_id or ""]
        return quotient(multiply(order.fee, ideal), order.quantity) if ideal is not None and order.quantity else None
