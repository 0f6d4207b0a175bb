"""Rows of the market watch: what is true now of a venue's markets. Nothing here grows with time.

Writers give at most `ROWS_PER_WORK` rows at once, so that an order's commit never waits long behind prices.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain.instrument import Instrument
from bot.storage.schema import (
    account,
    market_catalogue,
    market_focus,
    market_mover,
    market_scout,
    market_source,
    position,
)

ROWS_PER_WORK = 100
KEY = ("broker", "symbol")
MarketRow = Mapping[str, Any]


def put(connection: Connection, table: Table, rows: Sequence[MarketRow]) -> None:
    """Write these rows over those of the same market. All have the same columns; other columns stay."""
    if not rows:
        return
    if len(rows) > ROWS_PER_WORK:
        raise ValueError(f"{len(rows)} rows at once would hold up orders; at most {ROWS_PER_WORK}")
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    query = make(table)
    key = [column.name for column in table.primary_key]
    changed = {name: query.excluded[name] for name in rows[0] if name not in key}
    connection.execute(query.on_conflict_do_update(index_elements=key, set_=changed), list(rows))


def note_instrument(connection: Connection, broker: str, instrument: Instrument, *, now: datetime) -> None:
    """The rules of one market, for those who ask later what could be bought there."""
    names = ("symbol", "venue_symbol", "status", "tradable", "lot_step", "tick_size")
    row = {name: getattr(instrument, name) for name in (*names, "minimum_quantity", "minimum_notional")}
    put(connection, market_catalogue, [{"broker": broker, "changed_at": now, **row}])


def remove(connection: Connection, table: Table, broker: str, symbols: Sequence[str]) -> None:
    """These markets are not of this kind any more."""
    for at in range(0, len(symbols), ROWS_PER_WORK):
        chunk = list(symbols[at : at + ROWS_PER_WORK])
        connection.execute(delete(table).where(table.c.broker == broker, table.c.symbol.in_(chunk)))


def note_source(connection: Connection, broker: str, *, source: str, now: datetime) -> None:
    """Where the prices come from, and that somebody looks."""
    put(connection, market_source, [{"broker": broker, "source": source, "looked_at": now}])


def symbols_of(connection: Connection, table: Table, broker: str) -> frozenset[str]:
    """The markets that have a row."""
    return frozenset(connection.execute(select(table.c.symbol).where(table.c.broker == broker)).scalars())


def listed_instruments(connection: Connection, broker: str) -> Mapping[str, Instrument]:
    """The markets of the brokerage as they were last written down."""
    query = select(market_catalogue).where(market_catalogue.c.broker == broker)
    return {row.symbol: _instrument(row) for row in connection.execute(query)}


def held_symbols(connection: Connection, broker: str) -> frozenset[str]:
    """Markets in which any account of the brokerage holds lots."""
    query = select(position.c.symbol).join(account).where(account.c.broker == broker).distinct()
    return frozenset(connection.execute(query).scalars())


def sparklines(connection: Connection, broker: str) -> Mapping[str, Sequence[Sequence[float]]]:
    """The kept points of each market, oldest first; what cannot be read is left out."""
    query = select(market_scout.c.symbol, market_scout.c.sparkline_json).where(market_scout.c.broker == broker)
    return {symbol: points for symbol, text in connection.execute(query) if (points := _points(text))}


def sources(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(select(market_source).order_by(market_source.c.broker)).all()


def focus_rows(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(select(market_focus).order_by(market_focus.c.broker, market_focus.c.symbol)).all()


def mover_rows(connection: Connection) -> Sequence[Row[Any]]:
    """The strongest first."""
    rows = connection.execute(select(market_mover)).all()
    return sorted(rows, key=lambda row: (row.broker, -abs(Decimal(row.momentum_percent)), row.symbol))


def scout_rows(connection: Connection, symbols: Sequence[str] = ()) -> Sequence[Row[Any]]:
    """The last tickers, with the market's status where it is listed; of these symbols, or of all."""
    listed = market_catalogue
    joined = market_scout.outerjoin(
        listed, (listed.c.broker == market_scout.c.broker) & (listed.c.symbol == market_scout.c.symbol)
    )
    query = select(market_scout, listed.c.status, listed.c.tradable).select_from(joined)
    if symbols:
        query = query.where(market_scout.c.symbol.in_(list(symbols)))
    return connection.execute(query.order_by(market_scout.c.broker, market_scout.c.symbol)).all()


def catalogue_rows(connection: Connection, symbols: Sequence[str]) -> Sequence[Row[Any]]:
    query = select(market_catalogue).where(market_catalogue.c.symbol.in_(list(symbols)))
    return connection.execute(query.order_by(market_catalogue.c.broker, market_catalogue.c.symbol)).all()


def _instrument(row: Row[Any]) -> Instrument:
    return Instrument(
        symbol=row.symbol,
        venue_symbol=row.venue_symbol,
        lot_step=row.lot_step,
        tick_size=row.tick_size,
        minimum_quantity=row.minimum_quantity,
        minimum_notional=row.minimum_notional,
        tradable=row.tradable,
        status=row.status,
    )


def _points(text: str) -> list[list[float]]:
    try:
        points = json.loads(text)
        return [[float(number) for number in point] for point in points if len(point) == 3]
    except (ValueError, TypeError):
        return []
