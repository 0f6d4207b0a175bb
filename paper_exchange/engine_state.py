"""The engine's state as JSON and back: flat records, amounts as exact text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar, get_type_hints

from paper_exchange.accounts import Accounts
from paper_exchange.order_desk import OrderDesk
from paper_exchange.orders import Amendment, LedgerEntry, NewOrder, Order, Trade

STATE_VERSION = 1
Record = TypeVar("Record", NewOrder, Amendment, Order, Trade, LedgerEntry)
# Worked out once: it costs more than reading a record does.
FIELD_TYPES: dict[type, dict[str, Any]] = {
    record: get_type_hints(record) for record in (NewOrder, Amendment, Order, Trade, LedgerEntry)
}


def engine_to_json(accounts: Accounts, desk: OrderDesk, *, history: bool = True) -> dict[str, object]:
    """Without `history`, what can't change any more (closed orders, trades, ledger) is left empty."""
    return {
        "version": STATE_VERSION,
        "sequence": desk.sequence,
        "trade_number": desk.trade_number,
        "clearing": _amounts(accounts.clearing),
        "fees": _amounts(accounts.fees),
        "outside": _amounts(accounts.outside),
        "accounts": [
            {
                "account_id": account.account_id,
                "brokerage": account.brokerage,
                "tier": account.tier,
                "totals": _amounts(account.totals),
                "volumes": [[time_ns, format(usd, "f")] for time_ns, usd in account.volumes],
                "live": [record_to_json(order) for order in account.live.values()],
                "closed": [record_to_json(order) for order in account.closed] if history else [],
                "trades": [record_to_json(trade) for trade in account.trades] if history else [],
                "ledger": [record_to_json(entry) for entry in account.entries] if history else [],
            }
            for account in accounts.by_id.values()
        ],
    }


def engine_from_json(state: Mapping[str, Any], accounts: Accounts, desk: OrderDesk) -> None:
    """Raises `ValueError` with a sentence."""
    try:
        if state["version"] != STATE_VERSION:
            raise ValueError(f"the engine's state has version {state['version']}, not {STATE_VERSION}")
        desk.sequence, desk.trade_number = int(state["sequence"]), int(state["trade_number"])
        for book, name in ((accounts.clearing, "clearing"), (accounts.fees, "fees"), (accounts.outside, "outside")):
            book.update(_from_amounts(state[name]))
        for row in state["accounts"]:
            _restore_account(row, accounts, desk)
    except (KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise ValueError(f"the engine's state is not readable: {error!r}") from error


def _restore_account(row: Mapping[str, Any], accounts: Accounts, desk: OrderDesk) -> None:
    account = accounts.open(row["account_id"], row["brokerage"], row["tier"])
    account.totals.update(_from_amounts(row["totals"]))
    account.volumes.extend((int(time_ns), Decimal(usd)) for time_ns, usd in row["volumes"])
    account.closed.extend(record_from_json(Order, order) for order in row["closed"])
    account.trades.extend(record_from_json(Trade, trade) for trade in row["trades"])
    account.entries.extend(record_from_json(LedgerEntry, entry) for entry in row["ledger"])
    desk.orders.update((order.order_id, order) for order in account.closed)
    desk.trades.update((trade.trade_id, trade) for trade in account.trades)
    for order in (record_from_json(Order, live) for live in row["live"]):
        account.live[order.order_id] = order
        desk.readmit(order)


def record_to_json(record: NewOrder | Amendment | Order | Trade | LedgerEntry) -> dict[str, object]:
    return {field.name: _value_to_json(getattr(record, field.name)) for field in fields(record)}


def _value_to_json(value: object) -> object:
    match value:
        case Decimal():
            return format(value, "f")
        case StrEnum():
            return value.value
        case NewOrder() | Amendment():
            return record_to_json(value)
        case list():
            return [_value_to_json(item) for item in value]
    return value


def record_from_json(record: type[Record], row: Mapping[str, Any]) -> Record:
    kinds = FIELD_TYPES[record]
    return record(**{name: _value_from_json(kinds[name], value) for name, value in row.items()})


def _value_from_json(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if kind is NewOrder:
        return record_from_json(NewOrder, value)
    if kind == list[Amendment]:
        return [record_from_json(Amendment, row) for row in value]
    if kind in (Decimal, Decimal | None):
        return Decimal(value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    return value


def _amounts(book: Mapping[str, Decimal]) -> dict[str, str]:
    return {asset: format(amount, "f") for asset, amount in book.items()}


def _from_amounts(book: Mapping[str, str]) -> dict[str, Decimal]:
    return {asset: Decimal(amount) for asset, amount in book.items()}
