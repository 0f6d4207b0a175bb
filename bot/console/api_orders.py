"""Orders with their life, fills, round trips."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, select
from starlette.responses import Response

from bot.console.answers import Asked, Refusal
from bot.console.query_words import before_id, moment, number, symbol, wanted_account
from bot.diagnostics.row_fields import age_seconds, fields_of, shown
from bot.domain.order import FINAL_STATES, IntentState
from bot.storage.schema import fill, order_event, order_intent, round_trip

_ORDER = (
    *("client_order_id", "sequence", "account_id", "signal_id", "decision", "symbol", "side", "kind", "order_type"),
    *("quantity", "limit_price", "stop_price", "reference_price", "state", "reason", "created_at", "sent_at"),
    *("expires_at", "settle_at", "attempt", "venue_order_id", "filled_quantity", "average_price", "needs_person"),
    *("resolution", "resolved_by", "resolved_at", "updated_at", "chain_id", "chain_step", "chain_end"),
)
_FILL = (
    *("sequence", "broker", "account_id", "symbol", "trade_id", "venue_order_id", "client_order_id", "side"),
    *("quantity", "price", "fee", "fee_currency", "executed_at", "recorded_at"),
)
_TRIP = (
    *("id", "account_id", "symbol", "opened_at", "closed_at", "bought_quantity", "bought_quote", "sold_quote"),
    *("fees_quote", "exit_rule", "signal_id"),
)
STATES = tuple(str(state) for state in IntentState)
OPEN_STATES = tuple(str(state) for state in IntentState if state not in FINAL_STATES)
MOST_CSV_ROWS = 200_000
_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def orders(asked: Asked) -> dict[str, Any]:
    """Newest first: `?account=`, `?symbol=`, `?state=` (or `open`, `person`), `?before=`, `?limit=`."""
    limit, now = number(asked.query, "limit", default=100), asked.context.now()
    with asked.context.read() as connection:
        query = select(order_intent).order_by(order_intent.c.sequence.desc()).limit(limit)
        query = _narrowed(query, order_intent, asked, wanted_account(connection, asked.query))
        rows = connection.execute(_in_state(query, asked.query.get("state", ""))).all()
    found = [fields_of(row, _ORDER) | {"age_seconds": age_seconds(row.created_at, now)} for row in rows]
    return {"orders": found, "before": found[-1]["sequence"] if len(found) == limit else None}


def _in_state(query: Select[Any], state: str) -> Select[Any]:
    if state == "open":
        return query.where(order_intent.c.state.in_(OPEN_STATES))
    if state == "person":
        return query.where(order_intent.c.needs_person != "")
    if state and state not in STATES:
        raise Refusal(400, f"state is one of open, person, {', '.join(STATES)}")
    return query.where(order_intent.c.state == state) if state else query


def _narrowed(query: Select[Any], table: Any, asked: Asked, account_id: str | None) -> Select[Any]:
    """By account, symbol and where an earlier page ended."""
    wanted, before = symbol(asked.query), before_id(asked.query)
    key = table.c.sequence if "sequence" in table.c else table.c.id
    for column, value in ((table.c.account_id, account_id), (table.c.symbol, wanted)):
        query = query if value is None else query.where(column == value)
    return query if before is None else query.where(key < before)


def order(asked: Asked) -> dict[str, Any]:
    """One order: what it was, every step of its life, and its fills."""
    order_id = asked.path["client_order_id"]
    with asked.context.read() as connection:
        row = connection.execute(select(order_intent).where(order_intent.c.client_order_id == order_id)).first()
        if row is None:
            raise Refusal(404, f"there is no order {order_id[:64]!r}")
        events = connection.execute(
            select(order_event).where(order_event.c.client_order_id == order_id).order_by(order_event.c.id)
        ).all()
        fills_query = select(fill).where(fill.c.account_id == row.account_id)
        fills_query = fills_query.where(fill.c.venue_order_id == row.venue_order_id).order_by(fill.c.sequence)
        fills = connection.execute(fills_query).all() if row.venue_order_id else []
    return {
        "order": fields_of(row, _ORDER) | {"age_seconds": age_seconds(row.created_at, asked.context.now())},
        "life": [fields_of(one, ("at", "old", "new", "detail")) for one in events],
        "fills": [fields_of(one, _FILL) for one in fills],
    }


def fills(asked: Asked) -> dict[str, Any]:
    """Newest first: `?account=`, `?symbol=`, `?before=`, `?limit=`."""
    limit = number(asked.query, "limit", default=100)
    with asked.context.read() as connection:
        query = select(fill).order_by(fill.c.sequence.desc()).limit(limit)
        rows = connection.execute(_narrowed(query, fill, asked, wanted_account(connection, asked.query))).all()
    found = [fields_of(row, _FILL) for row in rows]
    return {"fills": found, "before": found[-1]["sequence"] if len(found) == limit else None}


def fills_csv(asked: Asked) -> Response:
    """The same as a table for a spreadsheet, oldest first: `?account=`, `?symbol=`, `?since=`."""
    since = moment(asked.query, "since")
    with asked.context.read() as connection:
        query = select(fill).order_by(fill.c.sequence).limit(MOST_CSV_ROWS)
        query = _narrowed(query, fill, asked, wanted_account(connection, asked.query))
        query = query if since is None else query.where(fill.c.executed_at >= since)
        text = "".join(
            _lines(_FILL, ([shown(getattr(row, name)) for name in _FILL] for row in connection.execute(query)))
        )
    return csv_response("fills.csv", text)


def _lines(names: tuple[str, ...], rows: Iterator[list[Any]]) -> Iterator[str]:
    yield csv_line(names)
    for row in rows:
        yield csv_line(row)


def csv_line(values: Any) -> str:
    """One row. A text that a spreadsheet would take for a formula gets an apostrophe."""
    out = io.StringIO()
    csv.writer(out).writerow([_harmless(value) for value in values])
    return out.getvalue()


def _harmless(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in _BEGIN_FORMULAS or (value[0] == "-" and _NUMBER.fullmatch(value)):
        return value
    return f"'{value}"


def csv_response(name: str, text: str) -> Response:
    return Response(
        text, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def trips(asked: Asked) -> dict[str, Any]:
    """Positions that have ended, newest first, with what they made in the market's quote currency."""
    limit = number(asked.query, "limit", default=100)
    with asked.context.read() as connection:
        query = select(round_trip).order_by(round_trip.c.id.desc()).limit(limit)
        rows = connection.execute(_narrowed(query, round_trip, asked, wanted_account(connection, asked.query))).all()
    found = [_trip(row) for row in rows]
    return {"trips": found, "before": found[-1]["id"] if len(found) == limit else None}


def _trip(row: Any) -> dict[str, Any]:
    gross = row.sold_quote - row.bought_quote
    net = None if row.fees_quote is None else gross - row.fees_quote
    return fields_of(row, _TRIP) | {"gross_quote": shown(gross), "net_quote": shown(net)}
