"""Books as exact text, so that a day's close can carry them and nobody has to read the history again.

The ids of what was applied are not carried along: after reading the text back, an entry that belongs at or before the
last one applied raises `LateEntry`, whether it was booked or not.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from bot.books.entries import CostEntry
from bot.books.flows import Flows, Known, Units
from bot.books.ledger import Books
from bot.books.lots import Holding, Lot, Realised

VERSION = 1


def to_json(books: Books) -> str:
    """One line of JSON; every amount is exact decimal text."""
    moment, kind, sequence, entry_id = books.last_applied()
    content = {
        "version": VERSION,
        "own_currency": books.own_currency,
        "shorts": books.shorts,
        "last": [moment.isoformat(), kind, sequence, entry_id],
        "cash": _text(books.cash),
        "holdings": {asset: _holding_content(holding) for asset, holding in books.holdings.items()},
        "flows": _flows_content(books.flows),
        "pending_costs": {asset: [_cost_content(e) for e in costs] for asset, costs in books.pending_costs.items()},
    }
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def from_json(text: str, *, on_close: Callable[[Realised], None] | None = None) -> Books:
    """The books that were written. Raises ValueError for text of another version or of something else."""
    content = json.loads(text)
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ValueError("these are no books, or of another version: state them anew from the entries")
    books = Books(content["own_currency"], shorts=content["shorts"], on_close=on_close)
    moment, kind, sequence, entry_id = content["last"]
    books.cash = Decimal(content["cash"])
    books.holdings = {asset: _read_holding(asset, value) for asset, value in content["holdings"].items()}
    books.flows = _read_flows(content["flows"])
    books.pending_costs = {
        asset: [_read_cost(asset, cost) for cost in costs] for asset, costs in content["pending_costs"].items()
    }
    books.resume_after((datetime.fromisoformat(moment), kind, sequence, entry_id))
    return books


def _text(amount: Decimal) -> str:
    return format(amount, "f")


def _text_or_none(amount: Decimal | None) -> str | None:
    return None if amount is None else _text(amount)


def _amount_or_none(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _units_content(units: Units) -> dict[str, str]:
    return {asset: _text(amount) for asset, amount in units.items()}


def _read_units(content: Mapping[str, str]) -> Units:
    return {asset: Decimal(amount) for asset, amount in content.items()}


def _holding_content(holding: Holding) -> dict[str, Any]:
    lots = [_lot_content(lot) for lot in holding.lots]
    return {"units": _text(holding.units), "missing": _text(holding.missing), "lots": lots}


def _read_holding(asset: str, content: Mapping[str, Any]) -> Holding:
    holding = Holding.empty(asset)
    holding.units, holding.missing = Decimal(content["units"]), Decimal(content["missing"])
    holding.lots.extend(_read_lot(lot) for lot in content["lots"])
    return holding


def _lot_content(lot: Lot) -> list[Any]:
    return [
        lot.trade_id,
        _text(lot.quantity),
        _text(lot.original),
        _text_or_none(lot.unit_cost),
        lot.cost_currency,
        None if lot.acquired_at is None else lot.acquired_at.isoformat(),
        _text_or_none(lot.fee),
        lot.ours,
    ]


def _read_lot(content: list[Any]) -> Lot:
    trade_id, quantity, original, unit_cost, cost_currency, acquired_at, fee, ours = content
    return Lot(
        trade_id=trade_id,
        quantity=Decimal(quantity),
        original=Decimal(original),
        unit_cost=_amount_or_none(unit_cost),
        cost_currency=cost_currency,
        acquired_at=None if acquired_at is None else datetime.fromisoformat(acquired_at),
        fee=_amount_or_none(fee),
        ours=ours,
    )


def _flows_content(flows: Flows) -> dict[str, Any]:
    return {
        "realised": _text(flows.realised),
        "fees": _text(flows.fees),
        "net_deposits": _text(flows.net_deposits),
        "income": _text(flows.income),
        "other": _text(flows.other),
        "turnover": _text(flows.turnover),
        "trades": flows.trades,
        "deposit_units": _units_content(flows.deposit_units),
        "income_units": _units_content(flows.income_units),
        "fees_apart": _units_content(flows.fees_apart),
        "turnover_apart": _units_content(flows.turnover_apart),
        "carried": {asset: [_text(known.units), _text(known.cost)] for asset, known in flows.carried.items()},
    }


def _read_flows(content: Mapping[str, Any]) -> Flows:
    return Flows(
        realised=Decimal(content["realised"]),
        fees=Decimal(content["fees"]),
        net_deposits=Decimal(content["net_deposits"]),
        income=Decimal(content["income"]),
        other=Decimal(content["other"]),
        turnover=Decimal(content["turnover"]),
        trades=content["trades"],
        deposit_units=_read_units(content["deposit_units"]),
        income_units=_read_units(content["income_units"]),
        fees_apart=_read_units(content["fees_apart"]),
        turnover_apart=_read_units(content["turnover_apart"]),
        carried={a: Known(Decimal(units), Decimal(cost)) for a, (units, cost) in content["carried"].items()},
    )


def _cost_content(entry: CostEntry) -> list[str]:
    amounts = [_text(entry.quantity), _text(entry.cost)]
    return [*amounts, entry.currency, entry.acquired_at.isoformat(), entry.entry_id]


def _read_cost(asset: str, content: list[str]) -> CostEntry:
    quantity, cost, currency, acquired_at, entry_id = content
    return CostEntry(
        asset=asset,
        quantity=Decimal(quantity),
        cost=Decimal(cost),
        currency=currency,
        acquired_at=datetime.fromisoformat(acquired_at),
        entry_id=entry_id,
    )
