"""An account's booked trades and events beside what its brokerage lists, one by one."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from bot.books.entries import Movement, Trade
from bot.books.exactly import add, negate
from bot.diagnostics.reconciled import History, Reconciled, Remark, moved_by
from bot.domain.cash_event import CashEvent
from bot.domain.fill import Fill
from bot.domain.money import plain
from bot.storage.book_entries import book_entries

_ZERO = Decimal(0)
# A trade may be listed so much later than others of its time.
LISTED_LATE = timedelta(minutes=5)


def compare_history(connection: Connection, found: Reconciled, history: History, begun: datetime) -> None:
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
        late = found.read_until is not None and fill.executed_at <= found.read_until - LISTED_LATE
        words = f"trade {fill.trade_id} ({fill.side} {plain(fill.quantity)} {fill.symbol}) is not booked"
        words += "" if late else " yet: the bot books it when it runs"
        moved = [*moved_by(fill.symbol, fill.side, fill.quantity, fill.price), (fill.fee_currency, negate(fill.fee))]
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
