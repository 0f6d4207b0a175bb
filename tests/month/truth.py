"""What the exchange itself says of a stretch of days: its journal's fills and what the test moved, booked anew."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from bot.books.entries import Entry, Movement, Opening, Trade, place_of
from bot.books.ledger import Books
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.order import Side
from tests.month.month import CURRENCIES, Month


def books_of_exchange(month: Month, account_id: str, journal: Iterable[Mapping[str, Any]]) -> Books:
    """From nothing that the bot has read or written down: balances of the opening, moved money, the journal's fills."""
    brokerage, name = month.accounts[account_id]
    entries: list[Entry] = [Opening(asset=asset, units=units) for asset, units in month.opened[account_id].items()]
    for number, moved in enumerate(month.moved):
        if (moved.brokerage, moved.name) == (brokerage, name):
            kind = CashKind.DEPOSIT if moved.amount > 0 else CashKind.WITHDRAWAL
            event = CashEvent(event_id=f"{number}", kind=kind, asset=moved.asset, amount=moved.amount, at=moved.at)
            entries.append(Movement(event=event, sequence=number))
    entries += [_trade(line) for line in journal if (line["brokerage"], line["account"]) == (brokerage, name)]
    books = Books(CURRENCIES.get(brokerage, "USD"))
    books.apply_all(sorted(entries, key=place_of))
    return books


def _trade(line: Mapping[str, Any]) -> Trade:
    return Trade(
        trade_id=f"{line['trade_id']}",
        symbol=line["symbol"],
        side=Side(line["side"]),
        quantity=Decimal(line["quantity"]),
        price=Decimal(line["price"]),
        fee=Decimal(line["fee"]),
        fee_currency=line["fee_asset"],
        at=datetime.fromisoformat(line["time"]),
        sequence=line["seq"],
    )
