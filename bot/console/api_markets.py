"""Markets: all that are listed, those looked at closely, those that move, candles and trades of one."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from bot.console.answers import Asked, Refusal
from bot.console.drawn_candles import drawn_candles
from bot.console.fields import age_seconds, fields_of, shown
from bot.diagnostics.market import focus_fields, market_fields, mover_fields, source_fields
from bot.domain.symbol import normalise_symbol
from bot.storage import market_rows
from bot.storage.schema import exit_state, favourite, fill, market_catalogue, market_scout, market_word, position

_CATALOGUE = ("broker", "symbol", "status", "tradable")
MOST_TRADES = 500


def markets(asked: Asked) -> dict[str, Any]:
    """Every market that is watched, with its last price, its last hour as a line, and why it is not bought."""
    now = asked.context.now()
    with asked.context.read() as connection:
        priced = {(row.broker, row.symbol): row for row in connection.execute(select(market_scout))}
        listed = connection.execute(select(*[market_catalogue.c[name] for name in _CATALOGUE])).all()
        return {
            "markets": [_market(row, priced.get((row.broker, row.symbol)), now) for row in listed],
            "focus": [focus_fields(row, now) for row in market_rows.focus_rows(connection)],
            "movers": [mover_fields(row, now) for row in market_rows.mover_rows(connection)],
            "sources": [source_fields(row, now) for row in market_rows.sources(connection)],
            "favourites": [
                fields_of(row, ("broker", "symbol", "set_by", "at")) for row in connection.execute(select(favourite))
            ],
            "held": [
                fields_of(row, ("account_id", "symbol", "quantity")) for row in connection.execute(select(position))
            ],
            "words": [
                fields_of(row, ("account_id", "symbol", "stage", "rule", "detail", "since"))
                for row in connection.execute(select(market_word))
            ],
        }


def _market(row: Any, priced: Any, now: Any) -> dict[str, Any]:
    fields = fields_of(row, _CATALOGUE)
    if priced is None:
        return {**fields, "bid": None, "ask": None, "last": None, "volume_base": None, "line": [], "age_seconds": None}
    points = json.loads(priced.sparkline_json)
    change = None
    if points and points[0][1]:
        change = f"{100 * (float(priced.last_price) / points[0][1] - 1):.2f}"
    return {
        **fields,
        "bid": shown(priced.bid),
        "ask": shown(priced.ask),
        "last": shown(priced.last_price),
        "volume_base": shown(priced.volume_base),
        "change_percent": change,
        "line": [point[1] for point in points],
        "age_seconds": age_seconds(priced.priced_at, now),
    }


def one_market(asked: Asked) -> dict[str, Any]:
    """One market at every brokerage that lists it: rules, book, our positions with their exits, our trades."""
    wanted, now = _symbol(asked), asked.context.now()
    with asked.context.read() as connection:
        focused = market_rows.focus_rows(connection)
        listed = market_fields(connection, wanted, focused, now)
        if not listed:
            raise Refusal(404, f"no brokerage here lists {wanted}, as far as its markets were read")
        lines = connection.execute(select(market_scout).where(market_scout.c.symbol == wanted)).all()
        trades = connection.execute(
            select(fill).where(fill.c.symbol == wanted).order_by(fill.c.sequence.desc()).limit(MOST_TRADES)
        ).all()
        states = connection.execute(select(exit_state).where(exit_state.c.symbol == wanted)).all()
        held = connection.execute(select(position).where(position.c.symbol == wanted)).all()
        words = connection.execute(select(market_word).where(market_word.c.symbol == wanted)).all()
    return {
        "symbol": wanted,
        "listed": listed,
        "lines": {row.broker: json.loads(row.sparkline_json) for row in lines},
        "candles": [drawn_candles(asked.context, wanted, said) for said in asked.context.news.candles(wanted)],
        "trades": [
            fields_of(row, ("account_id", "side", "quantity", "price", "executed_at", "client_order_id"))
            for row in trades
        ],
        "exits": [fields_of(row, ("account_id", "status", "rule", "rules_json", "at")) for row in states],
        "positions": [fields_of(row, ("account_id", "quantity", "average_entry_price", "opened_at")) for row in held],
        "words": [fields_of(row, ("account_id", "stage", "rule", "detail", "since")) for row in words],
    }


def _symbol(asked: Asked) -> str:
    try:
        return normalise_symbol(asked.path["symbol"].replace("-", "/"))
    except ValueError as error:
        raise Refusal(400, str(error)) from error


def moved(changes: Mapping[tuple[str, str], Any]) -> list[list[Any]] | None:
    """Prices that have changed, for the stream: [brokerage, symbol, bid, ask, last, volume of 24 h]."""
    return [[key[0], *row] for key, row in changes.items()] or None
