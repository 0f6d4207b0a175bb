"""`python bot.py cost`: coins whose cost nobody knows, and an operator's dated word on what they cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from bot import exit_codes
from bot.books.exactly import add, subtract
from bot.books.lots import Lot
from bot.diagnostics.amounts_shown import exact, units
from bot.diagnostics.books_command import Ledger, ending, open_ledger, refuse
from bot.diagnostics.listing import cannot_read, paper, print_json, time_text
from bot.diagnostics.period_figures import ListedAccount
from bot.diagnostics.period_reading import UnknownName, listed_accounts
from bot.diagnostics.store_reading import NoStore, now
from bot.diagnostics.store_writing import write_store
from bot.diagnostics.terminal import table
from bot.domain.money import plain
from bot.execution.running_books import apply_all, base_of_books
from bot.settings import Settings
from bot.storage.book_entries import book_entries
from bot.storage.cost_entries import WrittenCost, add_cost, costs_of
from bot.storage.opening_balances import find_opening


class Refused(Exception):
    """What cannot be written down, with the reason."""


@dataclass(frozen=True, kw_only=True)
class Word:
    """`cost` is for all of `quantity`, in the account's own currency; `on` is the day on which it was acquired,
    as the days of the books are counted."""

    account: str
    asset: str
    quantity: Decimal
    cost: Decimal
    on: date
    by: str
    reason: str


def show(settings: Settings, *, account: str | None, as_json: bool) -> int:
    """List what has an unknown cost. 0 = nothing has, 1 = something has, 2 = no such account, 3 = not running."""
    try:
        with open_ledger(settings) as ledger:
            listed = listed_accounts(ledger.connection, settings, account)
            found = [_listed(one, asset, lots) for one in listed for asset, lots in _unknown_of(ledger, one)]
            said = [_said(cost) for one in listed for cost in costs_of(ledger.connection, one.account_id)]
    except (NoStore, UnknownName) as error:
        return refuse(error, as_json=as_json, empty={"unknown": [], "said": []})
    if as_json:
        print_json(ledger.state, mode=ledger.mode, unknown=found, said=said)
    else:
        _print(ledger, found, said)
    return ending(ledger.state, wrong=bool(found))


def say(settings: Settings, word: Word, *, as_json: bool) -> int:
    """Write the word down. 0 = written, 2 = refused: nothing was written."""
    try:
        with open_ledger(settings) as ledger:
            (listed,) = listed_accounts(ledger.connection, settings, word.account)
            _check(ledger, listed, word)
        written = _written(listed, word, acquired=ledger.boundary.starts(word.on), at=now(settings))
        with write_store(settings) as connection:
            add_cost(connection, written)
    except (Refused, NoStore, UnknownName) as error:
        return cannot_read(NoStore(str(error)), as_json=as_json, code=exit_codes.WRONG_USE, empty={"done": False})
    each = f"{plain(word.quantity)} {word.asset} of {listed.account_id} cost {plain(word.cost)} {listed.currency}"
    done = f"{each} on {word.on}, says {word.by}: {word.reason}. The days since then are computed anew"
    if as_json:
        print_json(None, said=done, done=True)
    else:
        paper().print(f"{done}.", soft_wrap=True)
    return exit_codes.OK


def _written(listed: ListedAccount, word: Word, *, acquired: datetime, at: datetime) -> WrittenCost:
    return WrittenCost(
        account_id=listed.account_id,
        asset=word.asset,
        quantity=word.quantity,
        cost=word.cost,
        currency=listed.currency,
        acquired_at=acquired,
        said_by=word.by,
        reason=word.reason,
        written_at=at,
    )


def _check(ledger: Ledger, listed: ListedAccount, word: Word) -> None:
    """Raises `Refused` when the word would find no units without a cost, or fewer."""
    acquired = ledger.boundary.starts(word.on)
    if acquired > ledger.now:
        raise Refused(f"{word.on} has not come yet: only what was acquired already has a cost")
    if find_opening(ledger.connection, listed.account_id) is None:
        raise Refused(f"the books of {listed.account_id} have not begun: what it holds is not known yet")
    lots = _unknown_lots(ledger, listed).get(word.asset, ())
    free = _sum(lot.quantity for lot in lots)
    promised = _promised(ledger, listed).get(word.asset, Decimal(0))
    if word.quantity > subtract(free, promised):
        waits = (
            f" ({units(promised)} of them have been said, and the days are still being computed)" if promised else ""
        )
        raise Refused(
            f"the cost of {units(free)} {word.asset} of {listed.account_id} is unknown{waits}, so that of "
            f"{units(word.quantity)} cannot be said. python bot.py cost lists what has an unknown cost"
        )
    # A word goes to units that came in on its day or later.
    reached = _sum(lot.quantity for lot in lots if lot.acquired_at is None or lot.acquired_at >= acquired)
    if word.quantity > reached:
        raise Refused(
            f"only {units(reached)} {word.asset} of unknown cost came in on {word.on} or later: say the day on which "
            "they were acquired, which is not after they came in"
        )


# -- what is unknown ----------------------------------------------------------------------------------------------
def _unknown_of(ledger: Ledger, listed: ListedAccount) -> Sequence[tuple[str, Sequence[Lot]]]:
    return list(_unknown_lots(ledger, listed).items())


def _unknown_lots(ledger: Ledger, listed: ListedAccount) -> Mapping[str, Sequence[Lot]]:
    """By asset, the lots of unknown cost, by all that is booked now."""
    connection, account_id = ledger.connection, listed.account_id
    base = base_of_books(connection, account_id)
    if base is None:
        return {}
    books = base.books(listed.currency)
    apply_all(books, book_entries(connection, account_id, since=base.at))
    found = {
        asset: [lot for lot in books.lots(asset) if lot.quantity > 0 and not books.knows_cost(lot)]
        for asset in sorted(books.holdings)
    }
    return {asset: lots for asset, lots in found.items() if lots}


def _promised(ledger: Ledger, listed: ListedAccount) -> Mapping[str, Decimal]:
    """By asset, the units of words that the last closed day does not know yet; they are computed anew soon."""
    base = base_of_books(ledger.connection, listed.account_id)
    if base is None or base.close is None:
        return {}
    found: dict[str, Decimal] = {}
    for cost in costs_of(ledger.connection, listed.account_id):
        if cost.sequence > base.close.booked.costs and cost.acquired_at < base.close.closes_at:
            found[cost.asset] = add(found.get(cost.asset, Decimal(0)), cost.quantity)
    return found


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    whole = Decimal(0)
    for amount in amounts:
        whole = add(whole, amount)
    return whole


# -- shown --------------------------------------------------------------------------------------------------------
def _listed(listed: ListedAccount, asset: str, lots: Sequence[Lot]) -> dict[str, Any]:
    return {
        "account": listed.account_id,
        "asset": asset,
        "quantity": exact(_sum(lot.quantity for lot in lots)),
        "came_in": [
            {
                "quantity": exact(lot.quantity),
                "at": time_text(lot.acquired_at),
                "by": lot.trade_id,
            }
            for lot in lots
        ],
    }


def _said(cost: WrittenCost) -> dict[str, Any]:
    return {
        "account": cost.account_id,
        "asset": cost.asset,
        "quantity": plain(cost.quantity),
        "cost": plain(cost.cost),
        "currency": cost.currency,
        "acquired_at": time_text(cost.acquired_at),
        "by": cost.said_by,
        "reason": cost.reason,
        "written_at": time_text(cost.written_at),
    }


def _print(ledger: Ledger, found: Sequence[dict[str, Any]], said: Sequence[dict[str, Any]]) -> None:
    console = paper()
    console.print(ledger.state.sentence, soft_wrap=True)
    console.print(ledger.mode_words, soft_wrap=True)
    if found:
        listed = table(
            console, "Held at an unknown cost: in no realised or unrealised P&L", "account", "asset", "units"
        )
        listed.add_column("came in", overflow="fold")
        for one in found:
            listed.add_row(one["account"], one["asset"], one["quantity"], _came_in(ledger, one))
        console.print(listed)
        console.print(
            "What it cost: python bot.py cost ACCOUNT ASSET --quantity N --cost N --date DAY --by NAME --reason TEXT"
        )
    else:
        console.print("The cost of all that is held is known.")
    for one in said:
        written, acquired = _day(ledger, one["written_at"]), _day(ledger, one["acquired_at"])
        console.print(
            f"{one['by']} said on {written}: {one['quantity']} {one['asset']} of {one['account']} cost "
            f"{one['cost']} {one['currency']} on {acquired} ({one['reason']})",
            soft_wrap=True,
        )


def _came_in(ledger: Ledger, one: dict[str, Any]) -> str:
    return ", ".join(
        "before the books began" if lot["at"] is None else _day(ledger, lot["at"]) for lot in one["came_in"]
    )


def _day(ledger: Ledger, moment: str) -> str:
    """The day of the books, as `--date` is to be said."""
    return ledger.boundary.day_of(datetime.fromisoformat(moment)).isoformat()
