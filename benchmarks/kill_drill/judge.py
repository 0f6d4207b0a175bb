"""The invariants I1 to I13, each a comparison of the exchange's journal with the bot's books."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from benchmarks.kill_drill.books import FINAL_STATES, NEVER_ACCEPTED, Books, IntentRow, SignalRow
from benchmarks.kill_drill.exchange_side import AcceptedOrder, ExchangeSide
from benchmarks.kill_drill.terms import Terms

CLOCK_TOLERANCE = timedelta(milliseconds=10)
"""Venues give times with fewer digits than the journal does."""
INVARIANTS: dict[str, str] = {
    "I1": "every master fill is in exactly one signal, every signal has a row per active user",
    "I2": "no fill is in two signals, no user has two live entries for one signal",
    "I3": "every order at the exchange is exactly one of ours, with account, symbol, side and size",
    "I4": "no intent and no entry of a user was accepted twice",
    "I5": "nothing is unfinished after settling",
    "I6": "each intent ended as its order did",
    "I7": "no entry was accepted too late",
    "I8": "fills equal one by one, to the last digit",
    "I9": "users sold only what they copied; their own coins are untouched",
    "I10": "where the master is flat, users are",
    "I11": "no copied entry filled worse than the bound",
    "I12": "every order was written down before it was sent",
    "I13": "nonces only ever rose and none was refused",
}


@dataclass(frozen=True, order=True)
class Problem:
    """`invariant` is a key of `INVARIANTS`."""

    invariant: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.sentence}"


def judge(exchange: ExchangeSide, books: Books, terms: Terms) -> list[Problem]:
    """Every breach found; an empty list is the verdict hoped for."""
    return list(_Judge(exchange, books, terms).problems())


class _Judge:
    def __init__(self, exchange: ExchangeSide, books: Books, terms: Terms) -> None:
        self._exchange = exchange
        self._books = books
        self._terms = terms
        self._intents = {intent.client_order_id: intent for intent in books.intents}
        self._signals = {signal.signal_id: signal for signal in books.signals}
        self._orders = {(order.account, order.order_id): order for order in exchange.orders}
        self._accepted = exchange.orders_by_client_id()

    def problems(self) -> Iterator[Problem]:
        for invariant, check in (
            ("I1", self._lost_signals), ("I2", self._double_signals), ("I3", self._strange_orders),
            ("I4", self._double_orders), ("I5", self._unfinished), ("I6", self._disagreements),
            ("I7", self._late_entries), ("I8", self._ledger), ("I9", self._own_coins), ("I10", self._left_over),
            ("I11", self._worse_fills), ("I12", self._not_written_ahead), ("I13", self._nonces),
        ):  # fmt: skip
            for sentence in check():
                yield Problem(invariant, sentence)

    # -- signals ----------------------------------------------------------------------------------------------------
    def _master_orders(self) -> Iterator[AcceptedOrder]:
        return (order for order in self._exchange.orders if order.account in self._terms.users and order.fills)

    def _covered(self) -> dict[tuple[str, str | None], Decimal]:
        """Base units in signals, by master and its order."""
        covered: dict[tuple[str, str | None], Decimal] = defaultdict(Decimal)
        for signal in self._books.signals:
            covered[signal.account, signal.venue_order_id] += signal.quantity
        return covered

    def _lost_signals(self) -> Iterator[str]:
        covered = self._covered()
        for order in self._master_orders():
            if covered[order.account, order.order_id] < order.filled:
                yield (
                    f"{order.account} {order.side} {order.symbol} order {order.order_id}: {order.filled} were filled, "
                    f"{covered[order.account, order.order_id]} are in signals"
                )
        for signal in self._books.signals:
            whole = self._orders.get((signal.account, signal.venue_order_id or ""))
            if whole is None or not whole.fills:
                yield f"signal {signal.signal_id} is of order {signal.venue_order_id}, which filled nothing"
        yield from self._rows_of_users()

    def _rows_of_users(self) -> Iterator[str]:
        copies = self._books.copies_by_signal()
        for signal in self._books.signals:
            rows = Counter(copy.account for copy in copies.get(signal.signal_id, ()))
            active = self._active_users(signal)
            for user in sorted(active - rows.keys()):
                yield f"signal {signal.signal_id} ({signal.kind} {signal.symbol}) has no row of {user}"
            for user in sorted(rows.keys() - active):
                yield f"signal {signal.signal_id} has a row of {user}, who was not active"

    def _active_users(self, signal: SignalRow) -> set[str]:
        members = [member for member in self._books.members if member.broker == signal.broker]
        if not members:
            return set(self._terms.users[signal.broker])
        return {member.account for member in members if member.active_at(signal.sequence)}

    def _double_signals(self) -> Iterator[str]:
        covered = self._covered()
        for order in self._master_orders():
            if covered[order.account, order.order_id] > order.filled:
                yield (
                    f"{order.account} order {order.order_id}: {order.filled} were filled, "
                    f"{covered[order.account, order.order_id]} are in signals"
                )
        rows = Counter((copy.signal_id, copy.account) for copy in self._books.copies)
        yield from (f"signal {which} has {count} rows of {user}" for (which, user), count in rows.items() if count > 1)
        live = Counter(
            (intent.signal_id, intent.account)
            for intent in self._books.intents
            if intent.kind == "entry" and intent.signal_id and intent.state not in NEVER_ACCEPTED
        )
        for (which, user), count in live.items():
            if count > 1:
                yield f"{user} has {count} entries for signal {which}"

    # -- orders -----------------------------------------------------------------------------------------------------
    def _strange_orders(self) -> Iterator[str]:
        for order in self._exchange.orders:
            if order.order_id in self._terms.by_hand:
                if order.ended:
                    yield f"order {order.order_id}, which {order.account} made by hand, was touched"
                continue
            name = order.client_order_id
            intent = self._intents.get(name or "")
            if name is None or not name.startswith(self._books.tag):
                if intent is not None:
                    yield f"order {name} is in our books without our tag"
                else:
                    yield f"order {order.order_id} of {order.account} has no tag of ours ({name})"
            elif intent is None:
                yield f"order {name} of {order.account} at the exchange is in no book"
            elif _shape(order) != _shape(intent):
                yield f"order {name} is {_shape(order)} at the exchange and {_shape(intent)} in the books"

    def _double_orders(self) -> Iterator[str]:
        for name, orders in self._accepted.items():
            if len(orders) > 1:
                yield f"order {name} was accepted {len(orders)} times"
        entries = Counter((signal.signal_id, order.account) for order, _, signal in self._entries())
        for (which, user), count in entries.items():
            if count > 1:
                yield f"{user} had {count} entries accepted for signal {which}"

    def _unfinished(self) -> Iterator[str]:
        for intent in self._books.intents:
            if intent.state not in FINAL_STATES:
                yield f"order {intent.client_order_id} of {intent.account} is still {intent.state}: {intent.reason}"
        for copy in self._books.copies:
            if copy.status == "planned":
                yield f"{copy.account} has not answered signal {copy.signal_id}: {copy.detail}"
        yield from (f"signal {signal.signal_id} is not planned" for signal in self._books.signals if not signal.planned)

    def _disagreements(self) -> Iterator[str]:
        for intent in self._books.intents:
            if intent.needs_person:
                yield f"order {intent.client_order_id} waits for a person: {intent.needs_person}"
            orders = self._accepted.get(intent.client_order_id, [])
            sentence = _disagreement(intent, orders[0] if orders else None)
            if sentence:
                yield f"order {intent.client_order_id} of {intent.account}: {sentence}"

    def _entries(self) -> Iterator[tuple[AcceptedOrder, IntentRow, SignalRow]]:
        """Accepted entries of users with the signal they copy."""
        for order in self._exchange.orders:
            intent = self._intents.get(order.client_order_id or "")
            if intent is not None and intent.kind == "entry" and intent.signal_id in self._signals:
                yield order, intent, self._signals[intent.signal_id]

    def _late_entries(self) -> Iterator[str]:
        for signal in self._books.signals:
            order = self._orders.get((signal.account, signal.venue_order_id or ""))
            if order and not any(abs(fill.at - signal.executed_at) <= CLOCK_TOLERANCE for fill in order.fills):
                yield f"signal {signal.signal_id} says {signal.executed_at}, when its order had no fill"
        for order, intent, signal in self._entries():
            brokerage = self._terms.brokerage_of(order.account)
            deadline = self._terms.times[brokerage].deadline_seconds
            limit = timedelta(seconds=self._terms.max_signal_age_seconds + deadline)
            if order.at - signal.executed_at > limit + CLOCK_TOLERANCE:
                late = (order.at - signal.executed_at).total_seconds()
                name = f"entry {intent.client_order_id} of {order.account}"
                yield f"{name} was accepted {late:.1f} s after the master's trade"

    # -- money ------------------------------------------------------------------------------------------------------
    def _ledger(self) -> Iterator[str]:
        seen = {(fill.account, fill.symbol, fill.trade_id): fill for fill in self._exchange.fills}
        booked = {(fill.account, fill.symbol, fill.trade_id): fill for fill in self._books.fills}
        if len(booked) != len(self._books.fills):
            yield f"{len(self._books.fills) - len(booked)} fills are in the books twice"
        yield from (f"fill {key} is not in the books" for key in seen.keys() - booked.keys())
        yield from (f"fill {key} is in the books, not at the exchange" for key in booked.keys() - seen.keys())
        for key in seen.keys() & booked.keys():
            theirs, ours = seen[key], booked[key]
            for name in ("side", "quantity", "price", "fee"):
                if getattr(theirs, name) != getattr(ours, name):
                    yield f"fill {key}: {name} is {getattr(theirs, name)}, the books have {getattr(ours, name)}"
            if theirs.order_id != ours.venue_order_id:
                yield f"fill {key} is of order {theirs.order_id}, the books say {ours.venue_order_id}"

    def _own_coins(self) -> Iterator[str]:
        users = self._terms.all_users()
        copied: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for fill in self._exchange.fills:
            if fill.account not in users:
                continue
            copied[fill.account, fill.symbol] += fill.signed_quantity
            if copied[fill.account, fill.symbol] < 0:
                sold = -copied[fill.account, fill.symbol]
                yield f"{fill.account} sold {sold} {fill.symbol} more than it had copied (order {fill.order_id})"
        yield from self._too_large()
        for (user, asset), own in self._terms.own_coins.items():
            bought = sum((net for (who, symbol), net in copied.items() if who == user and _base(symbol) == asset), own)
            left = self._terms.balances.get((user, asset))
            if left is not None and left != bought:
                yield f"{user} has {left} {asset}; own coins and copies make {bought}"

    def _too_large(self) -> Iterator[str]:
        ratios = {(copy.signal_id, copy.account): copy.ratio for copy in self._books.copies}
        for order, _, signal in self._entries():
            ratio = ratios.get((signal.signal_id, order.account))
            lot = self._terms.markets[order.symbol].lot_step
            if ratio is not None and order.quantity > ratio * signal.quantity + lot:
                yield f"{order.account} ordered {order.quantity} of {signal.quantity} at a ratio of {ratio}"

    def _left_over(self) -> Iterator[str]:
        net = self._exchange.net_quantities()
        prices = {fill.symbol: fill.price for fill in self._exchange.fills}
        for (user, symbol), quantity in net.items():
            if user not in self._terms.all_users() or self._terms.is_dust(symbol, quantity, prices[symbol]):
                continue
            master = net.get((self._terms.brokerage_of(user), symbol), Decimal(0))
            if self._terms.is_dust(symbol, master, prices[symbol]):
                yield f"{user} still has {quantity} {symbol}, the master has {master}"

    def _worse_fills(self) -> Iterator[str]:
        made = Counter((signal.account, signal.venue_order_id) for signal in self._books.signals)
        for order, intent, signal in self._entries():
            whole = self._orders.get((signal.account, signal.venue_order_id or ""))
            alone = made[signal.account, signal.venue_order_id] == 1 and whole is not None and whole.fills
            average = whole.average_price if alone and whole is not None else signal.reference_price
            bound = average * (1 + self._terms.max_copy_slippage_percent / 100)
            for fill in order.fills:
                if fill.price > bound:
                    name = f"entry {intent.client_order_id} of {order.account}"
                    yield f"{name} filled at {fill.price}, the bound is {bound:f}"

    # -- the wire ---------------------------------------------------------------------------------------------------
    def _not_written_ahead(self) -> Iterator[str]:
        by_hand = {order.client_order_id for order in self._exchange.orders if order.order_id in self._terms.by_hand}
        checked = {check.client_order_id for check in self._exchange.checks}
        for check in self._exchange.checks:
            if check.client_order_id not in by_hand and check.verdict != "ok":
                yield f"order {check.client_order_id} of {check.account} arrived and was {check.verdict}"
        for order in self._exchange.orders:
            if order.client_order_id not in checked | by_hand:
                yield f"order {order.client_order_id} was accepted without a look into the books"

    def _nonces(self) -> Iterator[str]:
        for account, nonces in self._exchange.nonces.items():
            for earlier, later in pairwise(nonces):
                if later <= earlier:
                    yield f"{account}: nonce {later} came after {earlier}"
        yield from self._exchange.invalid_nonces


def _disagreement(intent: IntentRow, order: AcceptedOrder | None) -> str:
    if intent.state in NEVER_ACCEPTED:
        return "" if order is None else f"the books say {intent.state}, the exchange has accepted it"
    if intent.state not in FINAL_STATES:
        return ""  # I5 says so
    if order is None:
        return f"the books say {intent.state}, the exchange has never accepted it"
    if order.filled != intent.filled_quantity:
        return f"{order.filled} were filled at the exchange, {intent.filled_quantity} in the books"
    if order.order_id != intent.venue_order_id:
        return f"it is order {order.order_id}, the books say {intent.venue_order_id}"
    if not order.ended:
        return f"the books say {intent.state}, it is still live at the exchange"
    if (intent.state == "filled") != (order.filled == order.quantity):
        return f"the books say {intent.state} with {order.filled} of {order.quantity} filled"
    return ""


def _shape(order: AcceptedOrder | IntentRow) -> tuple[str, str, str, Decimal]:
    return order.account, order.symbol, order.side, order.quantity


def _base(symbol: str) -> str:
    return symbol.partition("/")[0]
