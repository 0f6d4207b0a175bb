"""`python bot.py money`: what there is in each account and in total, at which prices, and how old those are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.books.exactly import multiply
from bot.diagnostics.amounts_shown import cents, exact, rounded, units
from bot.diagnostics.books_command import Ledger, ending, late_words, open_ledger, refuse
from bot.diagnostics.chosen_days import ChosenDays
from bot.diagnostics.command_line import FIGURES, Commands, account_of, add_account, add_command
from bot.diagnostics.listing import paper, print_json, seconds_since, since, time_text
from bot.diagnostics.period_figures import AccountPeriod, total, totals_of
from bot.diagnostics.period_reading import UnknownName, listed_accounts, read_period
from bot.diagnostics.store_reading import NoStore, describe_age
from bot.diagnostics.terminal import table
from bot.settings import Settings
from bot.storage.equity_points import EquityPoint, newest_point


@dataclass(frozen=True)
class Purse:
    """One account: its last reading (None: there was none yet), and its figures of all days."""

    period: AccountPeriod
    point: EquityPoint | None

    @property
    def equity(self) -> Decimal | None:
        return None if self.point is None else self.point.equity

    @property
    def net_deposits(self) -> Decimal | None:
        return self.period.term("net_deposits")


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "money",
        "what is in each account and in total: available, held, positions at a price with its age",
        lambda settings, words: run(settings, account=account_of(words), as_json=words.json),
        codes=FIGURES,
        examples=["money", "money --account daivon_frazier_kraken", "money --json"],
    )
    add_account(made)


def run(settings: Settings, *, account: str | None, as_json: bool) -> int:
    """Print it. 0 = all is known, 1 = something is not or has no price, 2 = no such account, 3 = not running."""
    try:
        with open_ledger(settings) as ledger:
            purses = read_purses(ledger, account)
    except (NoStore, UnknownName) as error:
        return refuse(error, as_json=as_json, empty={"accounts": [], "totals": []})
    if as_json:
        print_json(ledger.state, **as_fields(ledger, purses))
    else:
        _print(ledger, purses, one=account is not None)
    wrong = any(_problem(ledger, purse) or (purse.point is not None and purse.point.unpriced) for purse in purses)
    return ending(ledger.state, wrong=wrong)


def read_purses(ledger: Ledger, account: str | None = None) -> Sequence[Purse]:
    """Raises `UnknownName`."""
    found = []
    for listed in listed_accounts(ledger.connection, ledger.settings, account):
        period = read_period(ledger.connection, listed, ChosenDays(), ledger.settings)
        found.append(Purse(period, newest_point(ledger.connection, listed.account_id)))
    return found


# -- as JSON ------------------------------------------------------------------------------------------------------
def as_fields(ledger: Ledger, purses: Sequence[Purse]) -> dict[str, Any]:
    at_par = ledger.settings.currencies_at_par()
    groups = totals_of([purse.period for purse in purses], at_par)
    by_account = {purse.period.account.account_id: purse for purse in purses}
    return {
        "mode": ledger.mode,
        "accounts": [_purse_fields(ledger, purse) for purse in purses],
        "totals": [
            _total_fields(list(group.currencies), [by_account[one.account.account_id] for one in group.periods])
            for group in groups
        ],
    }


def _purse_fields(ledger: Ledger, purse: Purse) -> dict[str, Any]:
    account, point = purse.period.account, purse.point
    return {
        "account": account.account_id,
        "name": account.name,
        "broker": account.broker,
        "currency": account.currency,
        "as_of": None if point is None else time_text(point.at),
        "age_seconds": None if point is None else seconds_since(point.at, ledger.now),
        "settled": point is not None and point.settled,
        **_amounts(None if point is None else point),
        "positions": [] if point is None else _positions(point),
        "unpriced": {} if point is None else {asset: exact(held) for asset, held in point.unpriced.items()},
        "oldest_price_at": None if point is None else time_text(point.oldest_price_at),
        "net_deposits": exact(purse.net_deposits),
        "problem": _problem(ledger, purse),
    }


_PARTS = ("cash_available", "cash_held", "positions_value", "equity")


def _amounts(point: EquityPoint | None) -> dict[str, str | None]:
    return {name: None if point is None else exact(getattr(point, name)) for name in _PARTS}


def _positions(point: EquityPoint) -> list[dict[str, Any]]:
    held = {asset: quantity for asset, quantity in point.units.items() if quantity and asset != point.currency}
    return [_position(point, asset, quantity) for asset, quantity in held.items() if asset not in point.unpriced]


def _position(point: EquityPoint, asset: str, quantity: Decimal) -> dict[str, Any]:
    mark = point.marks.get(asset)
    return {
        "asset": asset,
        "units": exact(quantity),
        "price": None if mark is None else exact(mark.price),
        "value": None if mark is None else exact(multiply(quantity, mark.price)),
        "price_at": None if mark is None else time_text(mark.at),
        "price_age_seconds": None if mark is None else seconds_since(mark.at, point.at),
    }


def _problem(ledger: Ledger, purse: Purse) -> str:
    if purse.point is None:
        return purse.period.missing or "its balances have not been read yet"
    return late_words(ledger, purse.point.at)


def _total_fields(currencies: Sequence[str], purses: Sequence[Purse]) -> dict[str, Any]:
    sums = {name: total(_part(purse, name) for purse in purses) for name in _PARTS}
    return {
        "currencies": currencies,
        "at_par": len(currencies) > 1,
        "accounts": len(purses),
        **{name: exact(value) for name, value in sums.items()},
        "net_deposits": exact(total(purse.net_deposits for purse in purses)),
    }


def _part(purse: Purse, name: str) -> Decimal | None:
    if purse.point is None:
        return None
    value: Decimal = getattr(purse.point, name)
    return value


# -- for people ---------------------------------------------------------------------------------------------------
def _print(ledger: Ledger, purses: Sequence[Purse], *, one: bool) -> None:
    console = paper()
    console.print(ledger.state.sentence, soft_wrap=True)
    console.print(ledger.mode_words, soft_wrap=True)
    if not purses:
        console.print("No account was ever seen.")
        return
    headings = ("account", "", "available", "held", "positions", "equity", "deposits", "read")
    listed = table(console, "Money by account; deposits are net, of all time", *headings)
    for column in listed.columns[2:7]:
        column.justify, column.no_wrap = "right", True
    for purse in purses:
        listed.add_row(*_cells(ledger, purse))
    console.print(listed)
    for line in _total_lines(as_fields(ledger, purses)["totals"]):
        console.print(line, soft_wrap=True)
    for line in _unread(ledger, purses):
        console.print(line, soft_wrap=True)
    for purse in purses:
        for line in _notes(ledger, purse, every_position=one):
            console.print(line, soft_wrap=True)


def _unread(ledger: Ledger, purses: Sequence[Purse]) -> Sequence[str]:
    """Each reason once, with the accounts that have it, and what is known of them elsewhere."""
    by_reason: dict[str, list[str]] = {}
    for purse in purses:
        if purse.point is None:
            by_reason.setdefault(_problem(ledger, purse), []).append(purse.period.account.account_id)
    lines = [f"{', '.join(names)}: unknown, {reason}" for reason, names in by_reason.items()]
    return [*lines, "python bot.py status shows the balances that were read last."] if lines else []


def _cells(ledger: Ledger, purse: Purse) -> Sequence[str]:
    account, point = purse.period.account, purse.point
    amounts = [cents(_part(purse, name)) for name in _PARTS]
    read = "never" if point is None else f"{describe_age(ledger.now - point.at)} ago"
    return account.account_id, account.currency, *amounts, cents(purse.net_deposits), read


def _total_lines(totals: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    lines = []
    for one in totals:
        par = " (counted one to one, by risk.at_par_with_usd)" if one["at_par"] else ""
        parts = (("available", "cash_available"), ("held", "cash_held"), ("positions", "positions_value"))
        shown = ", ".join(f"{word} {_amount(one[name])}" for word, name in parts)
        lines.append(
            f"Total {' + '.join(one['currencies'])}{par}: {_amount(one['equity'])} = {shown}; "
            f"net deposits {_amount(one['net_deposits'])}"
        )
    return lines


def _amount(text: str | None) -> str:
    return cents(None if text is None else Decimal(text))


def _notes(ledger: Ledger, purse: Purse, *, every_position: bool) -> Sequence[str]:
    name, point = purse.period.account.account_id, purse.point
    if point is None:
        return []
    late = _problem(ledger, purse)
    notes = [f"{name}: {late}"] if late else []
    if point.unpriced:
        held = ", ".join(f"{units(quantity)} {asset}" for asset, quantity in point.unpriced.items())
        notes.append(f"{name}: without a fresh price, and in no sum: {held}")
    if every_position:
        notes += [_position_line(one, point) for one in _positions(point)]
        notes.append(f"Read {since(point.at, ledger.now)}{'' if point.settled else ', while orders were under way'}")
    return notes


def _position_line(one: Mapping[str, Any], point: EquityPoint) -> str:
    if one["price"] is None:
        return f"  {one['units']} {one['asset']}"
    value, age = rounded(Decimal(one["value"])), one["price_age_seconds"]
    return f"  {one['units']} {one['asset']} at {one['price']} = {value:,f} {point.currency} (price {age:g} s old then)"
