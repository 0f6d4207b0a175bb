"""Positions with what they are worth and the distance to each exit, as the last cycles and prices say."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from bot.diagnostics.row_fields import age_seconds, fields_of, shown, with_age
from bot.storage.schema import exit_state, market_focus, market_scout, position

_POSITION = (
    *("account_id", "symbol", "quantity", "average_entry_price", "opened_at", "highest_price", "stop_loss_percent"),
    *("take_profit_percent", "trailing_stop_percent", "break_even_percent", "max_hold_minutes", "owed_quantity"),
    "signal_id",
)
_GUARDED = ("armed", "selling")


def nearest_first(held: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """By the distance to the nearest exit that is armed; what nothing guards comes before all."""
    return sorted(held, key=_distance)


def _distance(one: Mapping[str, Any]) -> Decimal:
    exits = one["exits"]
    if exits is None or exits["status"] not in _GUARDED:
        return Decimal(-1)
    known = [rule["distance_percent"] for rule in exits["rules"].values() if rule.get("armed") is not False]
    return min((abs(Decimal(text)) for text in known if text is not None), default=Decimal("Infinity"))


def read_positions(connection: Connection, now: datetime, account_id: str | None = None) -> list[dict[str, Any]]:
    """Each with how it stands with its exits, as of the account's last cycle."""
    query = select(position).order_by(position.c.account_id, position.c.symbol)
    states_query = select(exit_state)
    if account_id is not None:
        query = query.where(position.c.account_id == account_id)
        states_query = states_query.where(exit_state.c.account_id == account_id)
    states = {(row.account_id, row.symbol): row for row in connection.execute(states_query)}
    rows = connection.execute(query).all()
    prices = last_prices(connection)
    return [_position(row, states.get((row.account_id, row.symbol)), prices, now) for row in rows]


def _position(row: Any, state: Any, prices: Mapping[tuple[str, str], Any], now: datetime) -> dict[str, Any]:
    fields = with_age(fields_of(row, _POSITION), row.opened_at, now)
    bid = None if state is None else state.bid
    priced_at = None if state is None else state.at
    quoted = prices.get((row.account_id.rpartition("_")[2], row.symbol))
    if quoted is not None and quoted.bid is not None and (priced_at is None or quoted.priced_at > priced_at):
        bid, priced_at = quoted.bid, quoted.priced_at
    value = None if bid is None else row.quantity * bid
    cost = row.quantity * row.average_entry_price
    profit = None if value is None else value - cost
    return {
        **fields,
        "bid": shown(bid),
        "price_age_seconds": age_seconds(priced_at, now),
        "value_quote": shown(value),
        "cost_quote": shown(cost),
        "profit_quote": shown(profit),
        "profit_percent": None if profit is None or not cost else shown(_places(100 * profit / cost)),
        "exits": None if state is None else _exits(state, now),
    }


def _places(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"))


def _exits(state: Any, now: datetime) -> dict[str, Any]:
    return {
        "status": state.status,
        "rule": state.rule,
        "reason": state.reason,
        "faults": state.faults,
        "rules": json.loads(state.rules_json),
        "at": shown(state.at),
        "age_seconds": age_seconds(state.at, now),
    }


def last_prices(connection: Connection) -> Mapping[tuple[str, str], Any]:
    """By (brokerage, symbol), where somebody looks at the market: the closer look counts."""
    found = {}
    for table in (market_scout, market_focus):
        query = select(table.c.broker, table.c.symbol, table.c.bid, table.c.priced_at)
        if table is market_scout:
            query = query.where(table.c.symbol.in_(select(position.c.symbol)))
        found.update({(row.broker, row.symbol): row for row in connection.execute(query)})
    return found
