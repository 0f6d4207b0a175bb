"""Reading what stands in a query: numbers, days, accounts. Whatever is wrong is said in a sentence."""

import difflib
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import Connection, select

from bot.console.answers import Refusal
from bot.diagnostics.chosen_days import ChosenDays
from bot.domain.symbol import normalise_symbol
from bot.seams.clock import parse_time
from bot.storage.schema import account

MOST_ROWS = 500


def number(query: Mapping[str, str], name: str, *, default: int, most: int = MOST_ROWS) -> int:
    """A whole number from 1 to `most`."""
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise Refusal(400, f"{name} is {text[:30]!r} and must be a whole number from 1 to {most}")
    return int(text)


def before_id(query: Mapping[str, str]) -> int | None:
    """Where a page of a list goes on: `before` of the one that was read last."""
    text = query.get("before", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refusal(400, f"before is {text[:30]!r} and must be the number that an earlier page gave")
    return int(text)


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise Refusal(400, f"{name}: {error}") from error


def days(query: Mapping[str, str]) -> ChosenDays:
    """`from` and `to`, as 2026-01-31."""
    try:
        bounds = [date.fromisoformat(query[name]) if query.get(name) else None for name in ("from", "to")]
        return ChosenDays(*bounds)
    except ValueError as error:
        raise Refusal(400, f"from and to are days such as 2026-01-31: {error}") from error


def symbol(query: Mapping[str, str]) -> str | None:
    text = query.get("symbol", "")
    try:
        return normalise_symbol(text) if text else None
    except ValueError as error:
        raise Refusal(400, str(error)) from error


def known_account(connection: Connection, label: str) -> str:
    """The label itself. Raises `Refusal` (404) with the nearest one for an account that was never seen."""
    known: Sequence[str] = list(connection.execute(select(account.c.account_id)).scalars())
    if label in known:
        return label
    near = difflib.get_close_matches(label, known, n=1, cutoff=0.5)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise Refusal(404, f"there is no account {label[:60]!r}{meant}")


def wanted_account(connection: Connection, query: Mapping[str, str]) -> str | None:
    """`account` of the query; None = all."""
    label = query.get("account", "")
    return known_account(connection, label) if label else None
