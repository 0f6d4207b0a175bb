"""`python bot.py symbols`: markets that an account does not enter any more, and a person's word that it may again."""

import argparse
import difflib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, name
from bot.diagnostics.listing import (
    cannot_read,
    count,
    paper,
    print_json,
    seconds_since,
    since,
    time_text,
)
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.store_writing import write_store
from bot.diagnostics.terminal import table
from bot.domain.account import AccountType
from bot.domain.symbol import normalise_symbol
from bot.settings import Settings
from bot.storage.accounts import states
from bot.storage.positions import positions_of
from bot.storage.symbol_pauses import pause_reason, pause_symbol, pauses, resume_symbol
from bot.storage.traded_symbols import traded_symbols

_LONGEST_REASON = 200


class Refused(Exception):
    """A word that names nothing we know; the message says what is known."""


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "symbols",
        "markets that a user does not enter any more; pause or resume one",
        _symbols,
        codes="0 done or listed, 2 refused, wrong use or configuration, 3 (list) the bot is not running",
        examples=[
            "symbols",
            "symbols resume daivon_frazier_kraken BTC/USD",
            'symbols pause daivon_frazier_kraken BTC/USD --reason "holds it for the long run"',
        ],
    )
    made.add_argument("action", nargs="?", choices=["pause", "resume"], help="nothing lists the pauses")
    made.add_argument("account", nargs="?", metavar="ACCOUNT", help="a user's account, as daivon_frazier_kraken")
    made.add_argument("symbol", nargs="?", metavar="SYMBOL", help="as BTC/USD")
    made.add_argument("--reason", type=name, metavar="TEXT", help="why it is paused; shown to everybody")
    made.add_argument("--yes", action="store_true", help="pause also what was never traded here")
    made.set_defaults(refuse=made.error)


def _symbols(settings: Settings, words: argparse.Namespace) -> int:
    if words.action is None:
        return list_pauses(settings, as_json=words.json)
    if words.account is None or words.symbol is None:
        words.refuse(f"say which: python bot.py symbols {words.action} ACCOUNT SYMBOL")
    if words.action == "resume":
        return resume(settings, words.account, words.symbol, as_json=words.json)
    if not words.reason:
        words.refuse("say why: --reason TEXT")
    return pause(settings, words.account, words.symbol, reason=words.reason, sure=words.yes, as_json=words.json)


def list_pauses(settings: Settings, *, as_json: bool) -> int:
    """Print the paused symbols. 0 = read (a pause is somebody's wish, nothing wrong), 3 = the bot is not running."""
    moment = now(settings)
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=moment)
            paused = [_described(connection, row, moment) for row in pauses(connection)]
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("paused",))
    if as_json:
        print_json(state, paused=paused)
    else:
        _print(state, paused, moment)
    return exit_codes.OK if state.running else exit_codes.NOT_RUNNING


def pause(settings: Settings, account: str, symbol: str, *, reason: str, sure: bool, as_json: bool) -> int:
    """No copied entries of this symbol for this user from now on; exits go on. 0 = so it is, 2 = refused."""

    def work(connection: Connection) -> str:
        label = _user(connection, account)
        market = _symbol(symbol)
        _check_traded(connection, label, market, sure=sure)
        before = pause_reason(connection, label, market)
        if before:
            return f"{market} of {label} was paused before: {before}"
        pause_symbol(connection, label, market, reason=reason.strip()[:_LONGEST_REASON], now=now(settings))
        return f"{market} of {label} is paused: no entries are copied. Exits go on"

    return _change(settings, work, as_json=as_json)


def resume(settings: Settings, account: str, symbol: str, *, as_json: bool) -> int:
    """Entries may be copied again. 0 = so it is, 2 = refused."""

    def work(connection: Connection) -> str:
        label = _user(connection, account)
        market = _symbol(symbol)
        if resume_symbol(connection, label, market):
            return f"{market} of {label} is copied again, from the master's next entry on"
        paused = [row.symbol for row in pauses(connection) if row.account_id == label]
        if not paused:
            raise Refused(f"{label} has no paused symbol")
        raise Refused(f"{market} of {label} is not paused. Paused are: {', '.join(paused)}{_closest(market, paused)}")

    return _change(settings, work, as_json=as_json)


def _change(settings: Settings, work: Callable[[Connection], str], *, as_json: bool) -> int:
    try:
        with write_store(settings) as connection:
            done = work(connection)
    except Refused as error:
        return cannot_read(NoStore(str(error)), as_json=as_json, code=exit_codes.WRONG_USE, empty={"done": False})
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.WRONG_USE, empty={"done": False})
    if as_json:
        print_json(None, said=done, done=True)
    else:
        paper().print(f"{done}.", soft_wrap=True)
    return exit_codes.OK


# -- what is meant ------------------------------------------------------------------------------------------------
def _user(connection: Connection, text: str) -> str:
    """The label of a user's account. Raises `Refused` with the closest one."""
    known = {row.account_id: row.account_type for row in states(connection)}
    if known.get(text) == str(AccountType.MASTER):
        raise Refused(f"{text} is a master: it copies nobody. Pauses are for users, as {_examples(known)}")
    if text not in known:
        users = [label for label, kind in known.items() if kind == str(AccountType.USER)]
        known_ones = f"Accounts of users: {', '.join(users)}" if users else "No user's account was ever seen"
        raise Refused(f"There is no account {text!r}. {known_ones}{_closest(text, users)}")
    return text


def _examples(known: dict[str, str]) -> str:
    users = [label for label, kind in known.items() if kind == str(AccountType.USER)]
    return ", ".join(users[:3]) or "there is none yet"


def _symbol(text: str) -> str:
    try:
        return normalise_symbol(text)
    except ValueError as error:
        raise Refused(str(error)) from error


def _check_traded(connection: Connection, label: str, market: str, *, sure: bool) -> None:
    """A typing error would pause nothing and look like a pause."""
    known = traded_symbols(connection)
    if market in known or sure:
        return
    raise Refused(
        f"No account here ever traded {market}{_closest(market, known)}. If {label} is to pause it all the same, "
        "add --yes"
    )


def _closest(text: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(text, list(known), n=1, cutoff=0.5)
    return f". Did you mean {near[0]}?" if near else ""


# -- printing -----------------------------------------------------------------------------------------------------
def _described(connection: Connection, row: Row[Any], moment: datetime) -> dict[str, Any]:
    held = any(position.symbol == row.symbol for position in positions_of(connection, row.account_id))
    return {
        "account": row.account_id,
        "symbol": row.symbol,
        "reason": row.reason,
        "since": time_text(row.since),
        "age_seconds": seconds_since(row.since, moment),
        "copied_position": held,
    }


def _print(state: BotState, paused: list[dict[str, Any]], moment: datetime) -> None:
    console = paper()
    console.print(state.sentence, soft_wrap=True)
    if not paused:
        console.print("No symbol is paused.")
        return
    listed = table(console, "Paused symbols: no entries are copied, exits go on", "account", "symbol", "since (UTC)")
    listed.add_column("copied lots", overflow="fold")
    listed.add_column("reason", overflow="fold")
    for item in paused:
        when = since(datetime.fromisoformat(item["since"]), moment)
        held = "held" if item["copied_position"] else "none"
        listed.add_row(item["account"], item["symbol"], when, held, item["reason"])
    console.print(listed)
    console.print(f"{count(len(paused), 'pause')}. To end one: python bot.py symbols resume ACCOUNT SYMBOL")
