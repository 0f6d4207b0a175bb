"""`python bot.py min-balance`: with how much a user would have copied nearly all of what its master has bought."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection

from bot import exit_codes
from bot.brokers.fee_book import EVERY_MARKET
from bot.diagnostics.accounts import Reader
from bot.diagnostics.command_line import Commands, add_command, name, number
from bot.diagnostics.listing import cannot_read, paper, print_json
from bot.diagnostics.possible_order_store import StoredFollowers
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.terminal import table
from bot.domain.account import BrokerType
from bot.domain.instrument import Instrument
from bot.domain.money import plain
from bot.followers import CopyLimits, Follower, copy_limits
from bot.settings import Settings
from bot.smallest_balance import PastEntry, Smallest, Terms, smallest_balances
from bot.storage.market_rows import listed_instruments
from bot.storage.past_entries import latest_entries

DEFAULT_LAST = 200


class Refused(Exception):
    """What cannot be asked, with the reason."""


@dataclass(frozen=True)
class Line:
    """One user's answer; `present` is its cash as last read, None = not known."""

    follower: Follower
    present: Decimal | None
    found: Smallest


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "min-balance",
        "the smallest balance that would have copied nearly all of the master's last entries",
        _run,
        codes="0 shown, 1 the entries known are too few, 2 wrong use or configuration, 3 the bot is not running",
        examples=["min-balance daivon_frazier", "min-balance --broker kraken --last 500", "min-balance ann --json"],
    )
    made.add_argument("user", nargs="?", default="", metavar="USER", help="a user's id, or one account's label")
    made.add_argument("--broker", type=name, metavar="BROKER", help="all users of this brokerage")
    made.add_argument(
        "--last", type=number, default=DEFAULT_LAST, metavar="N", help=f"how many entries (default {DEFAULT_LAST})"
    )
    made.set_defaults(refuse=made.error)


def _run(settings: Settings, words: argparse.Namespace) -> int:
    if bool(words.user) == bool(words.broker):
        words.refuse("say either USER or --broker BROKER")
    return run(settings, words.user, words.broker or "", last=words.last, as_json=words.json)


def run(settings: Settings, user: str, broker: str, *, last: int, as_json: bool) -> int:
    """Print a line for each account that is meant."""
    moment = now(settings)
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=moment)
            reader = Reader(moment, settings.pace.cycle_seconds, settings.balance.max_age_seconds, state.running)
            followers = StoredFollowers(connection, settings, reader)
            meant = _meant(settings, followers, user, broker)
            lines = _lines(connection, settings, followers, meant, last)
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("users",))
    except Refused as error:
        return cannot_read(NoStore(str(error)), as_json=as_json, code=exit_codes.WRONG_USE, empty=("users",))
    if as_json:
        print_json(state, last=last, users=[_described(line) for line in lines])
    else:
        _print(state, lines)
    if not state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if any(line.found.known < 10 for line in lines) else exit_codes.OK


def _meant(settings: Settings, followers: StoredFollowers, user: str, broker: str) -> Sequence[Follower]:
    every = [each for one in settings.brokers() for each in followers.followers_of(one)]
    if broker:
        found = [each for each in every if str(each.account.broker) == broker]
        if not found:
            raise Refused(f"no user is configured at {broker}")
        return found
    found = [each for each in every if user in (each.account.user_id, each.account.label)]
    if not found:
        known = ", ".join(sorted({each.account.user_id or "" for each in every})) or "none"
        raise Refused(f"There is no user {user!r}. Users: {known}.")
    return found


def _lines(
    connection: Connection,
    settings: Settings,
    followers: StoredFollowers,
    meant: Sequence[Follower],
    last: int,
) -> Sequence[Line]:
    brokers = dict.fromkeys(each.account.broker for each in meant)
    entries = {broker: past_entries(connection, broker, last) for broker in brokers}
    lines = []
    for follower in meant:
        present = _present(settings, followers, follower)
        terms = terms_of(copy_limits(settings), followers.taker_fee_percent(follower.account, EVERY_MARKET))
        found = smallest_balances(entries[follower.account.broker], follower.rules, terms, present=present)
        lines.append(Line(follower, present, found))
    return lines


def terms_of(limits: CopyLimits, taker_fee_percent: Decimal) -> Terms:
    """What a copy at this fee is bound to besides the user's own rules."""
    return Terms(
        reserve_percent=limits.entry_reserve_percent(taker_fee_percent),
        least_funded=limits.minimum_funded_quote,
        at_par=limits.at_par,
    )


def past_entries(connection: Connection, broker: BrokerType, last: int) -> Sequence[PastEntry]:
    """The newest entries of a brokerage's master, newest first, with its balance before each and the market's rules."""
    listed: Mapping[str, Instrument] = listed_instruments(connection, str(broker))
    return [
        PastEntry(
            symbol=row.symbol,
            quantity=row.quantity,
            price=row.reference_price,
            master_balance=row.master_balance,
            master_equity=row.master_equity,
            instrument=listed.get(row.symbol),
        )
        for row in latest_entries(connection, broker, most=last)
    ]


def _present(settings: Settings, followers: StoredFollowers, follower: Follower) -> Decimal | None:
    if follower.shadow:
        return follower.paper_balance
    holdings = followers.balance_of(follower.account).holdings
    return None if holdings is None else holdings.of(settings.quote_currency_of(follower.account.broker)).total


def _described(line: Line) -> dict[str, object]:
    found = line.found
    return {
        "account": line.follower.account.label,
        "mode": str(line.follower.rules.mode),
        "entries": found.entries,
        "unknown": found.unknown,
        "never": found.never,
        "for_90_percent": _text(found.for_90),
        "for_99_percent": _text(found.for_99),
        "present_balance": _text(line.present),
        "copied_with_present": found.copied_with_present,
        "caution": found.caution,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _print(state: BotState, lines: Sequence[Line]) -> None:
    console = paper()
    console.print(state.sentence, soft_wrap=True)
    headings = ("account", "entries", "for 90 %", "for 99 %", "has now", "would have copied", "")
    listed = table(console, "The smallest balance that would have copied the master's last entries", *headings)
    for line in lines:
        found = line.found
        copied = "unknown" if found.copied_with_present is None else f"{found.copied_with_present} of {found.known}"
        notes = [found.caution] if found.caution else []
        notes += [f"{found.never} no balance would copy"] if found.never else []
        notes += [f"{found.unknown} not known"] if found.unknown else []
        listed.add_row(
            line.follower.account.label,
            str(found.entries),
            _shown(found.for_90, found),
            _shown(found.for_99, found),
            "unknown" if line.present is None else f"{line.present:.2f}",
            copied,
            "; ".join(notes),
        )
    console.print(listed)
    console.print("Each entry is taken by itself, with the whole balance as cash. Amounts are in the quote currency.")


def _shown(amount: Decimal | None, found: Smallest) -> str:
    if amount is not None:
        return f"{amount:.2f}"
    return "none would" if found.known else "unknown"
