"""Accounts: the list, one whole, users with their copy settings."""

import json
from typing import Any

from sqlalchemy import Connection, select

from bot.console.answers import Asked, Refusal
from bot.console.api_events import latest_events
from bot.console.context import Context
from bot.console.query_words import known_account, number, symbol
from bot.diagnostics.config_show import user_row_of
from bot.diagnostics.held_positions import read_positions
from bot.diagnostics.limits import described_limits
from bot.diagnostics.overview import Overview, read_overview
from bot.diagnostics.row_fields import fields_of
from bot.diagnostics.store_reading import NoStore
from bot.diagnostics.why import explain
from bot.diagnostics.why_no_trade import funnel_fields
from bot.diagnostics.why_subject import find_subject, find_symbol
from bot.storage.schema import entry_decision, symbol_pause

_DECISION = (
    *("id", "at", "symbol", "strategy", "confidence", "reason", "outcome", "rule", "detail", "numbers_json"),
    "client_order_id",
)


def read_all(context: Context) -> Overview:
    """Raises `Refusal` (503)."""
    try:
        return read_overview(context.settings)
    except NoStore as error:
        raise Refusal(503, str(error)) from error


def accounts(asked: Asked) -> dict[str, Any]:
    """Every account with its six facts, masters first within a brokerage."""
    found = read_all(asked.context)
    return {"accounts": found.as_json()["accounts"], "notes": found.notes()}


def one_account(asked: Asked) -> dict[str, Any]:
    """Six facts, limits, positions, decisions, events of one account."""
    context, now = asked.context, asked.context.now()
    overview = read_all(context)
    with context.read() as connection:
        label = known_account(connection, asked.path["label"])
        listed = next((one for one in overview.accounts if one.label == label), None)
        return {
            "account": None if listed is None else listed.as_json(),
            "label": label,
            "limits": described_limits(connection, context.settings, label),
            "positions": read_positions(connection, now, label),
            "decisions": _decisions(connection, label, 50),
            "pauses": _pauses(connection, label),
            "events": latest_events(connection, limit=30, account_id=label),
        }


def _decisions(connection: Connection, label: str, limit: int, market: str | None = None) -> list[dict[str, Any]]:
    query = (
        select(entry_decision)
        .where(entry_decision.c.account_id == label)
        .order_by(entry_decision.c.at.desc(), entry_decision.c.id.desc())
        .limit(limit)
    )
    query = query if market is None else query.where(entry_decision.c.symbol == market)
    rows = connection.execute(query).all()
    return [fields_of(row, _DECISION) | {"numbers": json.loads(row.numbers_json)} for row in rows]


def decisions(asked: Asked) -> dict[str, Any]:
    """What became of the last wishes of a master's strategy: `?account=`, `?symbol=`, `?limit=`."""
    limit = number(asked.query, "limit", default=100)
    with asked.context.read() as connection:
        label = known_account(connection, asked.query.get("account", ""))
        return {"decisions": _decisions(connection, label, limit, symbol(asked.query))}


def _pauses(connection: Connection, label: str) -> list[dict[str, Any]]:
    rows = connection.execute(select(symbol_pause).where(symbol_pause.c.account_id == label)).all()
    return [fields_of(row, ("symbol", "reason", "since")) for row in rows]


def why(asked: Asked) -> dict[str, Any]:
    """Why an account does not trade, or why it holds (or does not hold) `?symbol=`: sentences first."""
    wanted = symbol(asked.query)
    with asked.context.read() as connection:
        try:
            subject = find_subject(connection, asked.context.settings, asked.query.get("account", ""))
            market = None if wanted is None else find_symbol(connection, subject, wanted)
            return explain(connection, asked.context.settings, subject, market, limit=10).json()
        except NoStore as error:
            raise Refusal(404, str(error)) from error


def scans(asked: Asked) -> dict[str, Any]:
    """The funnel of the last scans of a master, or of the last copies of a user: `?account=`, `?limit=`."""
    limit = number(asked.query, "limit", default=60)
    with asked.context.read() as connection:
        try:
            return funnel_fields(connection, asked.context.settings, asked.query.get("account", ""), limit=limit)
        except NoStore as error:
            raise Refusal(404, str(error)) from error


def users(asked: Asked) -> dict[str, Any]:
    """Every user of the files: state, copy settings, pauses."""
    context = asked.context
    overview = read_all(context)
    states = {one.label: one.as_json() for one in overview.accounts}
    with context.read() as connection:
        paused: dict[str, list[dict[str, Any]]] = {}
        for row in connection.execute(select(symbol_pause)):
            paused.setdefault(row.account_id, []).append(fields_of(row, ("symbol", "reason", "since")))
    rows = [user_row_of(context.settings, index) for index in range(len(context.settings.users))]
    return {
        "users": [
            {**row, "state": states.get(row["account"]), "pauses": paused.get(row["account"], [])} for row in rows
        ],
        "orphaned": dict(overview.orphaned),
        "left_behind": dict(overview.left_behind),
    }
