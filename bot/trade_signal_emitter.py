"""Turns a master's confirmed fills into signals for the users of the same brokerage."""

import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef, BrokerType
from bot.domain.instrument import Instrument
from bot.domain.order import OrderKind, Side
from bot.domain.position import ExitPlan
from bot.domain.signal import TradeSignal
from bot.domain.symbol import normalise_symbol, quote_of
from bot.execution.fill_recorder import MasterFills
from bot.seams.clock import Clock
from bot.seams.ids import IdSource, derived_id
from bot.storage import fills as fill_rows
from bot.storage import signals as signal_rows
from bot.storage.accounts import balance_before
from bot.storage.store import Store

log = logging.getLogger(__name__)


class TradeSignalEmitter:
    """The only maker of signals.

    `plan_in` plans the users' copies within the transaction that makes the signal. `announce` tells the copy engine
    that rows are waiting; the rows are what counts.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        ids: IdSource,
        default_exit_plan: ExitPlan,
        announce: Callable[[BrokerType], None],
        plan_in: Callable[[Connection, TradeSignal], None],
        instrument_of: Callable[[BrokerType, str], Instrument | None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._default_exit_plan = default_exit_plan
        self._announce = announce
        self._plan_in = plan_in
        self._instrument_of = instrument_of

    def emit_trade_signal(
        self,
        broker: BaseBroker | BrokerType | str,
        symbol: str,
        side: Side | str,
        size: Decimal,
        master_balance: Decimal | None,
        *,
        price: Decimal,
        kind: OrderKind | None = None,
        executed_at: datetime | None = None,
        signal_id: str | None = None,
        exit_plan: ExitPlan | None = None,
    ) -> str:
        """Write a signal by hand and tell the engine; returns its id.

        `size`: quote notional for an entry (a buy), fraction of the master's position (0–1] for an exit (a sell).
        `price`: quote per base at which the master traded. `master_balance`: its quote cash from before the order.
        The same `signal_id` twice makes one signal. Raises ValueError for nonsense or for a user's broker.
        """
        master = AccountRef.master(_broker_type(broker))
        side = Side(side)
        kind = kind or (OrderKind.ENTRY if side is Side.BUY else OrderKind.EXIT)
        size, price = Decimal(size), Decimal(price)
        item = TradeSignal(
            signal_id=signal_id or self._ids.token(),
            broker=master.broker,
            symbol=normalise_symbol(symbol),
            side=side,
            kind=kind,
            size=size,
            quantity=size / price if kind is OrderKind.ENTRY else size,
            reference_price=price,
            master_balance=master_balance,
            executed_at=executed_at or self._clock.now(),
            exit_plan=exit_plan or self._default_exit_plan,
        )
        now = self._clock.now()
        self._store.write(
            lambda connection: signal_rows.add_signal(
                connection, item, account_id=master.label, venue_order_id=None, batch=0, now=now
            )
        )
        self._announce(master.broker)
        return item.signal_id

    def from_master_fills(self, connection: Connection, event: MasterFills) -> str:
        """The recorder's hook: signal and plan for the users, in the transaction that books the fills.

        Returns the signal's id; "" when there is nothing to copy.
        """
        batch = signal_rows.batches_of_order(connection, event.account.label, event.venue_order_id)
        instrument = self._instrument_of(event.account.broker, event.fills[0].symbol)
        item = _signal_of_fills(connection, event, batch, instrument)
        if item is None:
            return ""
        new = signal_rows.add_signal(
            connection,
            item,
            account_id=event.account.label,
            venue_order_id=event.venue_order_id,
            batch=batch,
            now=self._clock.now(),
        )
        if new:
            self._plan_in(connection, item)
        return item.signal_id

    def announce(self, broker: BrokerType) -> None:
        """Wake the copy engine for this brokerage."""
        self._announce(broker)


def _broker_type(broker: BaseBroker | BrokerType | str) -> BrokerType:
    if isinstance(broker, BaseBroker):
        if not broker.account.is_master:
            raise ValueError(f"{broker.account.label} is a user: only a master's trades are copied")
        return broker.broker_type
    return BrokerType(broker)


def _signal_of_fills(
    connection: Connection, event: MasterFills, batch: int, instrument: Instrument | None
) -> TradeSignal | None:
    first = event.fills[0]
    quantity = sum((fill.quantity for fill in event.fills), Decimal(0))
    notional = sum((fill.notional for fill in event.fills), Decimal(0))
    kind = OrderKind.ENTRY if first.side is Side.BUY else OrderKind.EXIT
    if kind is OrderKind.EXIT and event.position_before <= 0:
        log.warning(
            "%s sold %s that was not bought here: no user holds a copy of it, so there is nothing to mirror",
            event.account.label,
            first.symbol,
        )
        return None
    price = notional / quantity
    size = notional if kind is OrderKind.ENTRY else _fraction(quantity, event.position_before, price, instrument)
    return TradeSignal(
        signal_id=derived_id("signal/1", event.account.label, first.symbol, event.venue_order_id, str(batch)),
        broker=event.account.broker,
        symbol=first.symbol,
        side=first.side,
        kind=kind,
        size=size,
        quantity=quantity,
        reference_price=price,
        master_balance=_balance_before(connection, event),
        executed_at=max(fill.executed_at for fill in event.fills),
        exit_plan=event.exit_plan,
    )


def _fraction(sold: Decimal, before: Decimal, price: Decimal, instrument: Instrument | None) -> Decimal:
    """The part of its position that the master sold: all of it when it cannot sell what is left.

    There will be no signal for a rest below the master's own minimum, and a user's share of it may well be sellable.
    """
    left = before - sold
    if instrument is not None and instrument.below_minimum(instrument.floor_quantity(left), price):
        return Decimal(1)
    return min(Decimal(1), sold / before)


def _balance_before(connection: Connection, event: MasterFills) -> Decimal | None:
    """From the order's own row, else the last balance read before the order's first fill, in the same currency.

    That reading may be older than other trades of the account: what these have moved since is taken into account.
    """
    if event.balance_before is not None:
        return event.balance_before
    label, quote = event.account.label, quote_of(event.fills[0].symbol)
    moment = min(fill.executed_at for fill in event.fills)
    moment = min(moment, fill_rows.first_executed_at(connection, label, event.venue_order_id) or moment)
    row = balance_before(connection, label, moment)
    if row is None or row.quote_currency != quote:
        return None
    read: Decimal = row.cash_available + row.cash_held
    return read + fill_rows.cash_moved(connection, label, quote, after=row.taken_at, before=moment)
