"""One account's books beside what its brokerage says: trades, balances, fees, and what each difference comes from.

The balances of the books are added up here once more, plainly and from the first row on: what was there when they
began, every trade, every fee, every event of the ledger. Neither the lots nor the closed days have a part in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, select

from bot.books.entries import CostEntry, Movement, Opening, Trade
from bot.books.equity import Mark
from bot.books.exactly import add, multiply, negate, subtract
from bot.diagnostics.listing import count
from bot.diagnostics.period_figures import ListedAccount
from bot.domain.cash_event import CashEvent
from bot.domain.drift import DriftKind
from bot.domain.fill import Fill
from bot.domain.money import plain
from bot.domain.order import UNRESOLVED_STATES, IntentState, Side
from bot.domain.symbol import base_of, quote_of
from bot.execution.day_closing import is_rounding
from bot.storage.book_entries import NEVER, BookedEntry, book_entries
from bot.storage.cash_events import find_reading
from bot.storage.day_closes import Difference, broken_days
from bot.storage.drifts import open_drifts
from bot.storage.equity_points import newest_point
from bot.storage.fills import last_executed_at
from bot.storage.intents import unfinished
from bot.storage.opening_balances import OpeningBalances, find_opening
from bot.storage.positions import positions_of
from bot.storage.schema import dust, order_intent

_ZERO = Decimal(0)
# Drifts that a person looks into; the others are told by the balances themselves, or are nobody's trouble.
_LOUD = (DriftKind.ORPHAN_ORDER, DriftKind.FILL_MISSING, DriftKind.PHANTOM)
_ORDERS = select(order_intent.c.venue_order_id, order_intent.c.client_order_id, order_intent.c.filled_quantity)


@dataclass(frozen=True, kw_only=True)
class History:
    """What the brokerage lists since some moment, asked just now."""

    since: datetime
    trades: Sequence[Fill]
    events: Sequence[CashEvent] | None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class VenueWord:
    """What the brokerage said there is, when, and at what prices. `unsettled` says why that proves nothing."""

    at: datetime
    units: Mapping[str, Decimal]
    marks: Mapping[str, Mark] = field(default_factory=dict)
    unsettled: str = ""
    history: History | None = None


class Remark(NamedTuple):
    """A sentence about a difference. One that is not explained is for somebody to look into."""

    words: str
    explained: bool


@dataclass
class AssetRow:
    """Units of one asset. `books` = opening + traded - fees + moved; `venue` None = not known. `lots` are copied or
    traded by the bot, with the rests that are too small to be sold."""

    asset: str
    opening: Decimal = _ZERO
    traded: Decimal = _ZERO
    fees: Decimal = _ZERO
    moved: Decimal = _ZERO
    lots: Decimal = _ZERO
    venue: Decimal | None = None
    remarks: list[Remark] = field(default_factory=list)

    @property
    def books(self) -> Decimal:
        return add(add(self.opening, subtract(self.traded, self.fees)), self.moved)

    @property
    def difference(self) -> Decimal | None:
        """What the venue has more."""
        return None if self.venue is None else subtract(self.venue, self.books)


@dataclass
class Reconciled:
    """One account. `remarks` are about no single asset."""

    account: ListedAccount
    word: VenueWord | None
    assets: dict[str, AssetRow] = field(default_factory=dict)
    trades: int = 0
    by_hand: int = 0
    newest_trade_at: datetime | None = None
    read_until: datetime | None = None
    events: int = 0
    ledger_read_at: datetime | None = None
    remarks: list[Remark] = field(default_factory=list)

    def row(self, asset: str) -> AssetRow:
        return self.assets.setdefault(asset, AssetRow(asset))

    @property
    def flagged(self) -> list[str]:
        """What nothing explains."""
        rows = [
            f"{row.asset}: {remark.words}"
            for row in self.assets.values()
            for remark in row.remarks
            if not remark.explained
        ]
        return [*(remark.words for remark in self.remarks if not remark.explained), *rows]


def last_word(connection: Connection, account_id: str) -> VenueWord | None:
    """The last reading that the bot itself has made: a settled one if there is any."""
    point = newest_point(connection, account_id, settled=True) or newest_point(connection, account_id)
    if point is None:
        return None
    unsettled = "" if point.settled else "orders were under way at the last reading"
    return VenueWord(at=point.at, units=point.units, marks=point.marks, unsettled=unsettled)


def reconcile_account(connection: Connection, account: ListedAccount, word: VenueWord | None) -> Reconciled:
    """Everything about one account."""
    found = Reconciled(account, word)
    opening = find_opening(connection, account.account_id)
    filled = _add_up(connection, found, opening, NEVER if word is None else word.at)
    _take_lots(connection, found)
    _compare_orders(connection, found, filled)
    _look_at_reading(connection, found)
    if opening is None:
        found.remarks.append(Remark("its books have not begun: no reading of all balances was settled yet", False))
    elif word is not None:
        for asset, units in word.units.items():
            found.row(asset).venue = units
        for row in found.assets.values():
            row.venue = row.venue or _ZERO
        if word.history is not None:
            _compare_history(connection, found, word.history, opening.at)
        _explain(connection, found, word)
    return found


# -- the books ----------------------------------------------------------------------------------------------------
def _add_up(
    connection: Connection, found: Reconciled, opening: OpeningBalances | None, until: datetime
) -> Mapping[str, Decimal]:
    """Returns what each order has filled, by the venue's order id."""
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for asset, units in (opening.units if opening is not None else {}).items():
        found.row(asset).opening = units
    for entry in book_entries(connection, found.account.account_id, until=until):
        _take(found, entry)
        if isinstance(entry, Trade):
            filled[entry.order_id] += entry.quantity
    return filled


def _take(found: Reconciled, entry: BookedEntry | Opening) -> None:
    if isinstance(entry, Trade):
        found.trades += 1
        found.by_hand += not entry.ours
        found.newest_trade_at = entry.at
        for asset, units in _moved_by(entry.symbol, entry.side, entry.quantity, entry.price):
            row = found.row(asset)
            row.traded = add(row.traded, units)
        row = found.row(entry.fee_currency)
        row.fees = add(row.fees, entry.fee)
    elif isinstance(entry, Movement):
        found.events += 1
        row = found.row(entry.event.asset)
        row.moved = add(row.moved, entry.event.change)
    else:
        assert isinstance(entry, CostEntry), "it changes no units"


def _moved_by(symbol: str, side: Side, quantity: Decimal, price: Decimal) -> Iterable[tuple[str, Decimal]]:
    notional = multiply(quantity, price)
    bought = side is Side.BUY
    yield base_of(symbol), quantity if bought else negate(quantity)
    yield quote_of(symbol), negate(notional) if bought else notional


def _take_lots(connection: Connection, found: Reconciled) -> None:
    label = found.account.account_id
    rests = connection.execute(select(dust.c.symbol, dust.c.quantity).where(dust.c.account_id == label)).all()
    lots = [(one.symbol, one.quantity) for one in positions_of(connection, label)]
    for symbol, quantity in [*lots, *((row.symbol, row.quantity) for row in rests)]:
        row = found.row(base_of(symbol))
        row.lots = add(row.lots, quantity)


def _compare_orders(connection: Connection, found: Reconciled, filled: Mapping[str, Decimal]) -> None:
    """Every order of ours has the trades that it says it has."""
    if found.word is not None and found.word.at != NEVER:
        # Trades after the reading are in the orders too; they are compared as far as both go.
        filled = _with_later(connection, found, filled)
    for row in connection.execute(_ORDERS.where(order_intent.c.account_id == found.account.account_id)):
        booked = filled.get(row.venue_order_id or "", _ZERO)
        if booked != row.filled_quantity:
            words = f"order {row.client_order_id} says {plain(row.filled_quantity)} filled, its trades {plain(booked)}"
            found.remarks.append(Remark(words, False))


def _with_later(connection: Connection, found: Reconciled, filled: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    assert found.word is not None
    every = defaultdict(Decimal, filled)
    for entry in book_entries(connection, found.account.account_id, since=found.word.at):
        if isinstance(entry, Trade):
            every[entry.order_id] += entry.quantity
    return every


# -- the reading --------------------------------------------------------------------------------------------------
def _look_at_reading(connection: Connection, found: Reconciled) -> None:
    label = found.account.account_id
    found.read_until = last_executed_at(connection, label)
    reading = find_reading(connection, label)
    found.ledger_read_at = None if reading is None else reading.read_at
    if found.word is None:
        found.remarks.append(Remark("the brokerage was never read completely", False))
    elif found.word.unsettled:
        found.remarks.append(Remark(f"not proved yet: {found.word.unsettled}", True))
    problem = "" if reading is None else reading.problem
    history = None if found.word is None else found.word.history
    if problem and (history is None or history.events is None):
        found.remarks.append(Remark(f"its ledger could not be read, deposits may be missing: {problem}", False))
    if history is not None and history.problem:
        found.remarks.append(Remark(history.problem, False))
    for drift in open_drifts(connection, label):
        if drift.kind in _LOUD:
            found.remarks.append(Remark(f"{drift.kind} {drift.subject}: {drift.detail}", False))


# -- what the brokerage lists -------------------------------------------------------------------------------------
def _compare_history(connection: Connection, found: Reconciled, history: History, begun: datetime) -> None:
    """Trades and events one by one: what one side lacks, and what they tell differently."""
    since = max(history.since, begun)
    trades: dict[tuple[str, str], Trade] = {}
    events: dict[str, CashEvent] = {}
    for entry in book_entries(connection, found.account.account_id, since=since):
        if isinstance(entry, Trade):
            trades[entry.symbol, entry.trade_id] = entry
        elif isinstance(entry, Movement):
            events[entry.event.event_id] = entry.event
    listed = {(fill.symbol, fill.trade_id): fill for fill in history.trades if fill.executed_at >= since}
    _compare_trades(found, trades, listed)
    if history.events is not None:
        _compare_events(found, events, {one.event_id: one for one in history.events if one.at >= since})


def _compare_trades(
    found: Reconciled, booked: Mapping[tuple[str, str], Trade], listed: Mapping[tuple[str, str], Fill]
) -> None:
    for key in listed.keys() - booked.keys():
        fill = listed[key]
        late = found.read_until is not None and fill.executed_at <= found.read_until - timedelta(minutes=5)
        words = f"trade {fill.trade_id} ({fill.side} {plain(fill.quantity)} {fill.symbol}) is not booked"
        words += "" if late else " yet: the bot books it when it runs"
        moved = [*_moved_by(fill.symbol, fill.side, fill.quantity, fill.price), (fill.fee_currency, negate(fill.fee))]
        _count_in(found, moved, Remark(words, not late))
    for key in booked.keys() - listed.keys():
        found.remarks.append(Remark(f"trade {key[1]} of {key[0]} is booked and the brokerage does not list it", False))
    for key in booked.keys() & listed.keys():
        ours, theirs = booked[key], listed[key]
        if _told(ours) != _told(theirs):
            words = f"trade {key[1]} of {key[0]} is booked as {_told(ours)} and listed as {_told(theirs)}"
            found.remarks.append(Remark(words, False))


def _told(trade: Trade | Fill) -> str:
    """What both sides say of a trade."""
    fee = f"fee {plain(trade.fee)} {trade.fee_currency}" if trade.fee else "no fee"
    return f"{trade.side} {plain(trade.quantity)} at {plain(trade.price)}, {fee}"


def _compare_events(found: Reconciled, booked: Mapping[str, CashEvent], listed: Mapping[str, CashEvent]) -> None:
    for key in listed.keys() - booked.keys():
        event = listed[key]
        words = f"{event.kind} of {plain(event.change)} {event.asset} is not booked yet: the bot books it when it runs"
        _count_in(found, [(event.asset, event.change)], Remark(words, True))
    for key in booked.keys() - listed.keys():
        event = booked[key]
        words = (
            f"{event.kind} {key} of {plain(event.change)} {event.asset} is booked and the brokerage does not list it"
        )
        found.remarks.append(Remark(words, False))
    for key in booked.keys() & listed.keys():
        if (booked[key].asset, booked[key].change) != (listed[key].asset, listed[key].change):
            words = f"{booked[key].kind} {key} is booked as {plain(booked[key].change)} {booked[key].asset}"
            found.remarks.append(
                Remark(f"{words} and listed as {plain(listed[key].change)} {listed[key].asset}", False)
            )


def _count_in(found: Reconciled, moved: Iterable[tuple[str, Decimal]], remark: Remark) -> None:
    """What is not booked yet explains a part of what the balances differ by."""
    found.remarks.append(remark)
    for asset, units in moved:
        if units:
            row = found.row(asset)
            row.venue = row.venue or _ZERO
            row.moved = add(row.moved, units)
            row.remarks.append(Remark(f"{plain(units)} of what is not booked yet", True))


# -- the differences ----------------------------------------------------------------------------------------------
def _explain(connection: Connection, found: Reconciled, word: VenueWord) -> None:
    """Each asset's difference gets a reason, or is flagged."""
    days = broken_days(connection, found.account.account_id)
    working = _working(connection, found.account.account_id)
    for row in found.assets.values():
        one = _valued(row, word, found.account.currency)
        if row.venue is not None and row.venue < row.lots:
            less = plain(subtract(row.lots, row.venue))
            row.remarks.append(Remark(f"{less} less than the lots that the bot calls its own", row.asset in working))
        if one is None or not one.units:
            continue
        if is_rounding(one):
            row.remarks.append(Remark("the brokerage's own rounding, less than half a cent", True))
        elif row.asset in working or word.unsettled:
            row.remarks.append(Remark(f"{working.get(row.asset, word.unsettled)}", True))
        else:
            since = [day for day, differences in sorted(days.items()) if row.asset in differences]
            when = f"; it came up on {', '.join(since)}" if since else ""
            row.remarks.append(Remark(f"nothing in the books explains it{when}", False))


def _valued(row: AssetRow, word: VenueWord, currency: str) -> Difference | None:
    units = row.difference
    if units is None:
        return None
    if row.asset == currency:
        return Difference(units, units)
    mark = word.marks.get(row.asset)
    return Difference(units, None if mark is None else multiply(units, mark.price))


def _working(connection: Connection, account_id: str) -> Mapping[str, str]:
    """Assets whose balances an order may be changing now, and why."""
    orders: dict[str, int] = defaultdict(int)
    for intent in unfinished(connection, account_id):
        if intent.state is not IntentState.CREATED:
            for asset in (base_of(intent.symbol), quote_of(intent.symbol)):
                orders[asset] += 1
    unknown = {intent.symbol for intent in unfinished(connection, account_id) if intent.state in UNRESOLVED_STATES}
    rest = f", the outcome of those in {', '.join(sorted(unknown))} is not known yet" if unknown else ""
    return {asset: f"{count(number, 'order')} under way{rest}" for asset, number in orders.items()}
