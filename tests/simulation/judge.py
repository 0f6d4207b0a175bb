"""Holds a finished world to its promises. What happened is what the venue's journal says; the store is only checked."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Row, select

from bot.domain.account import AccountRef
from bot.domain.order import OrderKind, Side
from bot.storage import intents
from bot.storage.intents import OrderIntent
from bot.storage.schema import copy_result, fill, order_intent, signal
from tests.simulation.venue import INSTRUMENTS, LOT, Order, SeenFill
from tests.simulation.world import MASTER, MAX_SIGNAL_AGE_SECONDS, World


@dataclass(frozen=True)
class Violation:
    """A broken promise."""

    rule: str
    detail: str


class Judge:
    """`verdict()` gives every violation of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._orders = world.venue.orders
        self._fills = world.venue.fills
        self._users = {user.label: user for user in world.users}
        with world.store.read() as connection:
            self._signals = {row.signal_id: row for row in connection.execute(select(signal))}
            self._copies = connection.execute(select(copy_result)).all()
            self._booked = connection.execute(select(fill)).all()
            ids = connection.execute(select(order_intent.c.client_order_id)).scalars().all()
            found = (intents.find_intent(connection, each) for each in ids)
            self._intents: dict[str, OrderIntent] = {each.client_order_id: each for each in found if each is not None}

    @property
    def signals(self) -> int:
        """How many signals the master's fills made."""
        return len(self._signals)

    def verdict(self) -> list[Violation]:
        checks = (
            self._unexpected_errors,
            self._ends,
            self._one_order_per_intent,
            self._one_entry_per_signal,
            self._one_answer_each,
            self._signals_equal_fills,
            self._never_oversold,
            self._exit_shares,
            self._flat_when_the_master_is,
            self._books_equal_venue,
            self._fresh_entries,
        )
        return [violation for check in checks for violation in check()]

    def _unexpected_errors(self) -> Iterator[Violation]:
        for error in self._world.errors:
            yield Violation("unexpected error", error)

    def _ends(self) -> Iterator[Violation]:
        for line in self._world.unfinished():
            yield Violation("everything ends after healing", line)

    def _one_order_per_intent(self) -> Iterator[Violation]:
        counts = Counter(order.request.client_order_id for order in self._orders)
        for client_order_id, count in counts.items():
            if count > 1:
                yield Violation("one accepted order per client id", f"{client_order_id} was accepted {count} times")
        for order in self._orders:
            if order.account in self._users and order.request.client_order_id not in self._intents:
                yield Violation("an order is written down first", f"{order.venue_order_id} is not in the store")

    def _one_entry_per_signal(self) -> Iterator[Violation]:
        counts = Counter(
            (order.account, self._signal_of(order))
            for order in self._orders
            if order.account in self._users and order.request.kind is OrderKind.ENTRY
        )
        for (account, signal_id), count in counts.items():
            if count > 1:
                yield Violation("one entry per signal and user", f"{account} bought {count} times for {signal_id}")

    def _one_answer_each(self) -> Iterator[Violation]:
        counts = Counter((row.signal_id, row.account_id) for row in self._copies if row.status != "planned")
        for signal_id in self._signals:
            for label in self._users:
                if counts[signal_id, label] != 1:
                    yield Violation(
                        "one answer per signal and user", f"{label} has {counts[signal_id, label]} to {signal_id}"
                    )

    def _signals_equal_fills(self) -> Iterator[Violation]:
        """Each base unit the master traded is in exactly one signal."""
        traded: dict[str, Decimal] = defaultdict(Decimal)
        for seen in self._of(MASTER.label):
            traded[seen.order.venue_order_id] += seen.fill.quantity
        signalled: dict[str, Decimal] = defaultdict(Decimal)
        for row in self._signals.values():
            signalled[row.venue_order_id] += row.quantity
        for venue_order_id in traded.keys() | signalled.keys():
            if traded[venue_order_id] != signalled[venue_order_id]:
                detail = f"{venue_order_id}: {traded[venue_order_id]} traded, {signalled[venue_order_id]} signalled"
                yield Violation("signals equal the master's fills", detail)

    def _never_oversold(self) -> Iterator[Violation]:
        for label in self._users:
            held: dict[str, Decimal] = defaultdict(Decimal)
            for seen in self._of(label):
                held[seen.fill.symbol] += _signed(seen)
                if held[seen.fill.symbol] < 0:
                    detail = f"{label} sold {-held[seen.fill.symbol]} {seen.fill.symbol} more than it had bought"
                    yield Violation("a user sells only what it bought", detail)
                    break

    def _exit_shares(self) -> Iterator[Violation]:
        """An exit sells the master's fraction of what was held when its first order was accepted, and no more."""
        for label in self._users:
            by_signal: dict[str, list[Order]] = defaultdict(list)
            for order in self._orders:
                signal_id = self._signal_of(order) if order.account == label else None
                if signal_id is not None and order.request.kind is OrderKind.EXIT:
                    by_signal[signal_id].append(order)
            for signal_id, orders in by_signal.items():
                yield from self._exit_share(label, self._signals[signal_id], orders)

    def _exit_share(self, label: str, row: "Row[tuple[object, ...]]", orders: list[Order]) -> Iterator[Violation]:
        first = orders[0]
        numbers = {order.venue_order_id: number for number, order in enumerate(self._orders)}
        held = sum(
            (
                _signed(seen)
                for seen in self._of(label)
                if seen.fill.symbol == row.symbol and numbers[seen.order.venue_order_id] < numbers[first.venue_order_id]
            ),
            Decimal(0),
        )
        sold = sum((order.filled for order in orders), Decimal(0))
        instrument = INSTRUMENTS[row.symbol]
        if sold > held * row.size + LOT and not instrument.below_minimum(held - held * row.size, row.reference_price):
            yield Violation(
                "an exit sells its share", f"{label} sold {sold} of {held} {row.symbol} for a share of {row.size:.4f}"
            )

    def _flat_when_the_master_is(self) -> Iterator[Violation]:
        if self._world.unfinished():
            return
        for label in self._users:
            for symbol, instrument in INSTRUMENTS.items():
                held = sum((_signed(seen) for seen in self._of(label) if seen.fill.symbol == symbol), Decimal(0))
                if instrument.below_minimum(held, self._world.venue.prices[symbol]) is None:
                    yield Violation("flat when the master is flat", f"{label} still holds {held} {symbol}")

    def _books_equal_venue(self) -> Iterator[Violation]:
        for account in (MASTER, *self._users.values()):
            booked = {
                row.trade_id: (row.symbol, row.side, row.quantity, row.price, row.fee)
                for row in self._booked
                if row.account_id == account.label
            }
            real = {
                seen.fill.trade_id: (
                    seen.fill.symbol,
                    str(seen.fill.side),
                    seen.fill.quantity,
                    seen.fill.price,
                    seen.fill.fee,
                )
                for seen in self._of(account.label)
            }
            for trade_id in booked.keys() ^ real.keys():
                where = "the books" if trade_id in booked else "the venue"
                yield Violation("books equal the venue", f"{account.label}: {trade_id} is only in {where}")
            for trade_id in booked.keys() & real.keys():
                if booked[trade_id] != real[trade_id]:
                    yield Violation("books equal the venue", f"{account.label}: {trade_id} differs")
            yield from self._orders_equal(account)

    def _orders_equal(self, account: AccountRef) -> Iterator[Violation]:
        """An intent's end says what the venue's order says, or that there is none."""
        filled: dict[str, Decimal] = defaultdict(Decimal)
        for order in self._orders:
            filled[order.request.client_order_id] += order.filled
        for intent in self._intents.values():
            if intent.account_id == account.label and intent.filled_quantity != filled[intent.client_order_id]:
                detail = f"{account.label} {intent.client_order_id} is {intent.state} with {intent.filled_quantity}"
                yield Violation("books equal the venue", f"{detail}, the venue filled {filled[intent.client_order_id]}")

    def _fresh_entries(self) -> Iterator[Violation]:
        for order in self._orders:
            signal_id = self._signal_of(order) if order.account in self._users else None
            if signal_id is None or order.request.kind is not OrderKind.ENTRY:
                continue
            traded_at = max(
                seen.fill.executed_at
                for seen in self._fills
                if seen.order.venue_order_id == self._signals[signal_id].venue_order_id
                and seen.fill.executed_at <= self._signals[signal_id].executed_at
            )
            age = (self._world.clock.at(order.sent_at) - traded_at).total_seconds()
            # The age is looked at before the request waits for its turn.
            if age > MAX_SIGNAL_AGE_SECONDS + 6:
                yield Violation("entries are fresh", f"{order.account} sent an entry {age:.1f} s after the master's")

    def _of(self, label: str) -> list[SeenFill]:
        return [seen for seen in self._fills if seen.account == label]

    def _signal_of(self, order: Order) -> str | None:
        intent = self._intents.get(order.request.client_order_id)
        return None if intent is None else intent.signal_id


def _signed(seen: SeenFill) -> Decimal:
    """Base units added: fees in base off, sales negative."""
    one = seen.fill
    if one.side is Side.SELL:
        return -one.quantity
    return one.quantity - (one.fee if one.fee_currency != "USD" else Decimal(0))
