"""`python bot.py reconcile`: an account's books against its brokerage, each difference explained or flagged.

A running bot owns its keys: then its own last reading is taken. While none runs, `--connect` asks the brokerage.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from bot import exit_codes
from bot.books.equity import Mark
from bot.diagnostics.amounts_shown import exact, units
from bot.diagnostics.books_command import Ledger, open_ledger, refuse
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.listing import cannot_read, count, paper, print_json, since, time_text
from bot.diagnostics.period_figures import ListedAccount
from bot.diagnostics.period_reading import UnknownName, listed_accounts
from bot.diagnostics.reconciled import AssetRow, Reconciled, Remark, VenueWord
from bot.diagnostics.reconciled_account import last_word, reconcile_account
from bot.diagnostics.store_reading import NoStore
from bot.diagnostics.terminal import table
from bot.domain.errors import NijaError
from bot.settings import Settings
from bot.supervision.instance_lock import AlreadyRunning

if TYPE_CHECKING:
    from rich.console import Console


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "reconcile",
        "an account's trades, balances and fees against its brokerage, each difference explained or flagged",
        lambda settings, words: run(settings, words.account, connect=words.connect, as_json=words.json),
        codes="0 all is explained, 1 something is not, 2 wrong use, 3 explained, and the bot is not running",
        examples=["reconcile all", "reconcile daivon_frazier_kraken", "reconcile kraken --connect --json"],
    )
    made.add_argument("account", metavar="ACCOUNT", help="an account's label, as kraken; or all")
    made.add_argument(
        "--connect",
        action="store_true",
        help="ask the brokerage now, with the account's key: only while no bot runs; nothing is written or traded",
    )


def run(settings: Settings, account: str, *, connect: bool, as_json: bool) -> int:
    """Print it. 0 = all is explained, 1 = something is not, 2 = wrong use, 3 = all was when the bot ran last."""
    try:
        with ExitStack() as held:
            if connect:
                from bot.diagnostics.kraken_connection import keys_to_ourselves

                held.enter_context(keys_to_ourselves(settings))
            ledger = held.enter_context(open_ledger(settings))
            accounts = listed_accounts(ledger.connection, settings, None if account == "all" else account)
            found = [_reconciled(ledger, one, connect=connect) for one in accounts]
    except (NoStore, UnknownName) as error:
        return refuse(error, as_json=as_json, empty={"accounts": []})
    except AlreadyRunning as error:
        taken = NoStore(f"{error} A running bot owns its keys; without --connect its own last reading is taken")
        return cannot_read(taken, as_json=as_json, code=exit_codes.WRONG_USE, empty={"accounts": []})
    if as_json:
        print_json(ledger.state, mode=ledger.mode, connected=connect, accounts=[_json(one) for one in found])
    else:
        _print(ledger, found)
    if any(one.flagged for one in found):
        return exit_codes.SOMETHING_WRONG
    return exit_codes.OK if ledger.state.running or connect else exit_codes.NOT_RUNNING


def _reconciled(ledger: Ledger, account: ListedAccount, *, connect: bool) -> Reconciled:
    if not connect:
        return reconcile_account(ledger.connection, account, last_word(ledger.connection, account.account_id))
    # What trades is loaded only by who needs it: all other commands start twice as fast.
    from bot.diagnostics.asked_venue import ask_venue

    try:
        word = ask_venue(ledger.connection, account, ledger.now)
    except NijaError as error:
        found = reconcile_account(ledger.connection, account, last_word(ledger.connection, account.account_id))
        found.remarks.append(Remark(f"the brokerage could not be asked: {error}", False))
        return found
    return reconcile_account(ledger.connection, account, word)


# -- as JSON ------------------------------------------------------------------------------------------------------
def _json(found: Reconciled) -> dict[str, Any]:
    word = found.word
    return {
        "account": found.account.account_id,
        "currency": found.account.currency,
        "read_at": None if word is None else time_text(word.at),
        "settled": word is not None and not word.unsettled,
        "explained": not found.flagged,
        "flagged": found.flagged,
        "trades": found.trades,
        "trades_by_hand": found.by_hand,
        "newest_trade_at": time_text(found.newest_trade_at),
        "trades_read_until": time_text(found.read_until),
        "ledger_events": found.events,
        "ledger_read_at": time_text(found.ledger_read_at),
        "remarks": [_remark(remark) for remark in found.remarks],
        "assets": [_asset(found.assets[asset], found.word) for asset in sorted(found.assets)],
    }


def _asset(row: AssetRow, word: VenueWord | None) -> dict[str, Any]:
    marks: Mapping[str, Mark] = {} if word is None else word.marks
    return {
        "asset": row.asset,
        "opening": exact(row.opening),
        "traded": exact(row.traded),
        "fees": exact(row.fees),
        "moved": exact(row.moved),
        "books": exact(row.books),
        "brokerage": exact(row.venue),
        "difference": exact(row.difference),
        "lots": exact(row.lots),
        "price": exact(marks[row.asset].price) if row.asset in marks else None,
        "remarks": [_remark(remark) for remark in row.remarks],
    }


def _remark(remark: Remark) -> dict[str, Any]:
    return {"words": remark.words, "explained": remark.explained}


# -- for people ---------------------------------------------------------------------------------------------------
def _print(ledger: Ledger, found: Sequence[Reconciled]) -> None:
    console = paper()
    console.print(f"{ledger.state.sentence}. {ledger.mode_words}", soft_wrap=True)
    for one in found:
        _print_account(console, ledger, one)
    wrong = sum(bool(one.flagged) for one in found)
    if wrong:
        console.print(f"NOT EXPLAINED in {count(wrong, 'account')}.")
    else:
        console.print(f"All is explained in {count(len(found), 'account')}.")


def _print_account(console: "Console", ledger: Ledger, found: Reconciled) -> None:
    read = "never read" if found.word is None else f"read {since(found.word.at, ledger.now)}"
    listed = table(console, f"{found.account.title}, {read}", "asset", "opening", "traded", "fees", "moved", "books")
    for heading in ("brokerage", "difference"):
        listed.add_column(heading, overflow="fold")
    for asset in sorted(found.assets):
        row = found.assets[asset]
        amounts = (row.opening, row.traded, row.fees, row.moved, row.books)
        venue = "unknown" if row.venue is None else units(row.venue)
        listed.add_row(asset, *map(units, amounts), venue, _difference(row))
    if found.assets:
        console.print(listed)
    else:
        console.print(f"{found.account.title}: nothing is booked, {read}.", soft_wrap=True)
    by_hand = f", {found.by_hand} of them by hand" if found.by_hand else ""
    words = f"{count(found.trades, 'trade')}{by_hand}; {count(found.events, 'event')} of the ledger"
    ledger_read = "never read" if found.ledger_read_at is None else f"read {since(found.ledger_read_at, ledger.now)}"
    console.print(f"{words}, {ledger_read}.", soft_wrap=True)
    for asset in sorted(found.assets):
        for remark in found.assets[asset].remarks:
            console.print(f"- {_said(remark, f'{asset}: ')}.", soft_wrap=True)
    for remark in found.remarks:
        console.print(f"- {_said(remark)}.", soft_wrap=True)


def _difference(row: AssetRow) -> str:
    if row.difference is None:
        return "unknown"
    return units(row.difference) if row.difference else "agrees"


def _said(remark: Remark, about: str = "") -> str:
    return f"{'' if remark.explained else 'NOT EXPLAINED: '}{about}{remark.words}"
