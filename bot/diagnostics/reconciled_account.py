"""One account's books beside what its brokerage says: trades, balances, fees, and what each difference comes from.

The balances of the books are added up here once more, plainly and from the first row on: what was there when they
began, every trade, every fee, every event of the ledger. Neither the lots nor the closed days have a part in it.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, select

from bot.books.entries import CostEntry, Movement, Opening, Trade
from bot.books.exactly import add, multiply, subtract
from bot.diagnostics.listing import count
from bot.diagnostics.period_figures import ListedAccount
from bot.diagnostics.reconciled import AssetRow, Reconciled, Remark, VenueWord, moved_by
from bot.diagnostics.reconciled_history import compare_history
from bot.domain.drift import DriftKind
from bot.domain.money import plain
from bot.domain.order import UNRESOLVED_STATES, IntentState
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
from bot.storage.waiting_stops import is_waiting_stop

_ZERO = Decimal(0)
# Drifts that a person looks into; the others are told by the balances themselves, or are nobody's trouble.
_LOUD = (DriftKind.ORPHAN_ORDER, DriftKind.FILL_MISSING, DriftKind.PHANTOM)
_ORDERS = select(order_intent.c.venue_order_id, order_intent.c.client_order_id, order_intent.c.filled_quantity)


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
            compare_history(connection, found, word.history, opening.at)
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
        for asset, units in moved_by(entry.symbol, entry.side, entry.quantity, entry.price):
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
    if problem and history is None:
        # With a settled reading the ledger was read as well: what failed since then has no part in what is compared.
        proved = found.word is not None and not found.word.unsettled
        words = f"its ledger could not be read{' since' if proved else ', deposits may be missing'}: {problem}"
        found.remarks.append(Remark(words, proved))
    if history is not None and history.problem:
        found.remarks.append(Remark(history.problem, False))
    for drift in open_drifts(connection, label):
        if drift.kind in _LOUD:
            found.remarks.append(Remark(f"{drift.kind} {drift.subject}: {drift.detail}", False))


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
        if intent.state is not IntentState.CREATED and not is_waiting_stop(intent):
            for asset in (base_of(intent.symbol), quote_of(intent.symbol)):
                orders[asset] += 1
    unknown = {intent.symbol for intent in unfinished(connection, account_id) if intent.state in UNRESOLVED_STATES}
    rest = f", the outcome of those in {', '.join(sorted(unknown))} is not known yet" if unknown else ""
    return {asset: f"{count(number, 'order')} under way{rest}" for asset, number in orders.items()}
