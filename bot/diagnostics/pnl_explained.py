"""Where realised P&L comes from: each sale, the lots it closed, its part of both fees; and the identity in parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from bot.books.exactly import add
from bot.books.lots import Realised
from bot.diagnostics.amounts_shown import exact, units
from bot.diagnostics.chosen_days import boundary_of
from bot.diagnostics.listing import time_text
from bot.diagnostics.period_figures import TERMS, AccountPeriod
from bot.diagnostics.running_day import day_start
from bot.diagnostics.store_reading import describe_age
from bot.domain.money import plain
from bot.execution.running_books import apply_all
from bot.settings import Settings
from bot.storage.book_entries import book_entries


@dataclass(frozen=True)
class Explanation:
    """What was closed in a stretch of days, in order. `realised` is the sum of it, as the books count it."""

    slices: Sequence[Realised]

    @property
    def realised(self) -> Decimal:
        """Of what has a known cost and known proceeds, before fees."""
        whole = Decimal(0)
        for one in self.slices:
            if one.gain is not None:
                whole = add(whole, one.gain)
        return whole


def explain(connection: Connection, period: AccountPeriod, settings: Settings) -> Explanation:
    """Goes through the entries of the days once more, from the books that the day before left."""
    slices: list[Realised] = []
    if not period.days or period.until is None:
        return Explanation(slices)
    account = period.account
    max_age = settings.books.price_max_age_seconds
    begun = day_start(
        connection,
        account.account_id,
        account.currency,
        boundary_of(settings),
        max_price_age_seconds=max_age,
        day=period.days[0].day,
    )
    if begun is not None:
        start, since = begun
        start.books.on_close = slices.append
        apply_all(start.books, book_entries(connection, account.account_id, since=since, until=period.until))
    return Explanation(slices)


def by_asset(slices: Sequence[Realised]) -> Sequence[tuple[str, Decimal | None, int]]:
    """Per asset what its closed lots made after the fees of both trades, and how many slices; the largest first.

    What is not known of one of them is left out, unless nothing is known: then it is None.
    """
    made: dict[str, Decimal | None] = {}
    number: dict[str, int] = {}
    for one in slices:
        number[one.asset] = number.get(one.asset, 0) + 1
        if one.net is not None:
            made[one.asset] = add(made.get(one.asset) or Decimal(0), one.net)
        else:
            made.setdefault(one.asset, None)
    order = sorted(made, key=lambda asset: made[asset] or Decimal(0), reverse=True)
    return [(asset, made[asset], number[asset]) for asset in order]


# -- as JSON ------------------------------------------------------------------------------------------------------
def explanation_fields(explanation: Explanation) -> dict[str, Any]:
    return {"closed": [_slice_fields(one) for one in explanation.slices]}


def _slice_fields(one: Realised) -> dict[str, Any]:
    return {
        "asset": one.asset,
        "closed_at": time_text(one.closed_at),
        "opened_at": time_text(one.opened_at),
        "closing_trade_id": one.closing_trade_id,
        "closing_order_id": one.closing_order_id,
        "lot_trade_id": one.lot_trade_id,
        "quantity": plain(one.quantity),
        "proceeds": exact(one.proceeds),
        "cost": exact(one.cost),
        "gain": exact(one.gain),
        "opening_fee": exact(one.opening_fee),
        "closing_fee": exact(one.closing_fee),
        "net": exact(one.net),
        "ours": one.ours,
    }


# -- for people ---------------------------------------------------------------------------------------------------
def lines_of(period: AccountPeriod, explanation: Explanation) -> Sequence[str]:
    """Each slice, then the identity with every digit."""
    currency = period.account.currency
    lines = [f"{period.account.account_id}: closed lots, first in first out"]
    lines += [_slice_line(one, currency) for one in explanation.slices]
    if not explanation.slices:
        lines.append("  none")
    return [*lines, *_identity(period)]


def _slice_line(one: Realised, currency: str) -> str:
    held = "" if one.opened_at is None else f", held {describe_age(one.closed_at - one.opened_at)}"
    hand = "" if one.ours else ", by hand"
    what = f"  {one.closed_at:%Y-%m-%d %H:%M:%S} {units(one.quantity)} {one.asset} of lot {one.lot_trade_id}"
    if one.gain is None:
        return f"{what} by trade {one.closing_trade_id}: its cost is not known, so it made no P&L{held}{hand}"
    fees = f"fees {_known(one.opening_fee)} + {_known(one.closing_fee)}"
    made = f"{_known(one.proceeds)} - {_known(one.cost)} = {_known(one.gain)} {currency}"
    return f"{what} by trade {one.closing_trade_id}: {made}, {fees}, net {_known(one.net)}{held}{hand}"


def _known(amount: Decimal | None) -> str:
    return "unknown" if amount is None else plain(amount)


def _identity(period: AccountPeriod) -> Sequence[str]:
    """equity = opening equity + every part, each with its sign."""
    if not period.days:
        return []
    signs = {"fees": "-"}
    parts = " ".join(f"{signs.get(name, '+')} {_braced(period.term(name))} ({name})" for name in TERMS)
    opening, equity = _known(period.opening_equity), _known(period.equity)
    return [f"  equity {equity} = {opening} {parts.replace('_', ' ')}"]


def _braced(amount: Decimal | None) -> str:
    text = _known(amount)
    return f"({text})" if text.startswith("-") else text
