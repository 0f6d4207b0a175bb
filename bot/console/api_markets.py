"""Markets: all that are listed, those looked at closely, those that move, candles and trades of one."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from bot.console.answers import Asked, Refusal
from bot.console.drawn_candles import drawn_candles
from bot.diagnostics.market import focus_fields, market_fields, mover_fields, source_fields
from bot.diagnostics.row_fields import fields_of, shown
from bot.domain.symbol import normalise_symbol
from bot.market.universe import STATUS
from bot.storage import market_rows
from bot.storage.schema import exit_state, favourite, fill, market_catalogue, market_scout, market_word, position

MOST_TRADES = 500
# Of a small line in a list; a page about one market shows all of them.
LINE_POINTS = 20
# What a row of `markets` says, in this order. There are thousands of them: names in each would be most of the answer.
COLUMNS = ("broker", "symbol", "status", "tradable", "bid", "ask", "last", "change_percent", "line", "age_seconds")


def markets(asked: Asked) -> dict[str, Any]:
    """Every market that is watched: `columns` name what each of `rows` says. Prices are text.

    `line` is the last hour, oldest first, thinned out. `words` tell why a master does not buy what it may trade, as
    [account, symbol, stage, rule, detail]; of a market that the brokerage has closed its `status` tells.
    """
    now = asked.context.now()
    with asked.context.read() as connection:
        priced = {(row.broker, row.symbol): row for row in connection.execute(select(market_scout))}
        listed = connection.execute(select(*[market_catalogue.c[name] for name in COLUMNS[:4]])).all()
        watched = {row.broker for row in listed}
        said = connection.execute(select(market_word).where(market_word.c.rule != STATUS)).all()
        return {
            "columns": COLUMNS,
            "rows": [_market(row, priced.get((row.broker, row.symbol)), now) for row in listed],
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
                [row.account_id, row.symbol, row.stage, row.rule, row.detail]
                for row in said
                if row.account_id in watched
            ],
        }


def _market(row: Any, priced: Any, now: Any) -> list[Any]:
    """One row, in the order of `COLUMNS`."""
    known = [row.broker, row.symbol, row.status, row.tradable]
    if priced is None:
        return [*known, None, None, None, None, [], None]
    points = [point[1] for point in json.loads(priced.sparkline_json)]
    change = f"{100 * (float(priced.last_price) / points[0] - 1):.2f}" if points and points[0] else None
    prices = [shown(priced.bid), shown(priced.ask), shown(priced.last_price)]
    return [*known, *prices, change, _thinned(points), round((now - priced.priced_at).total_seconds(), 1)]


def _thinned(points: list[float]) -> list[float]:
    """At most `LINE_POINTS` of them, with the first and the last, to six digits: a small line shows no more."""
    step = max(1.0, (len(points) - 1) / (LINE_POINTS - 1))
    places = {round(index * step) for index in range(LINE_POINTS) if round(index * step) < len(points)}
    return [float(f"{points[place]:.6g}") for place in sorted(places)]


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
        "books": asked.context.news.books(wanted),
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
