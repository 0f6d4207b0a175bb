"""`python bot.py export`: fills, orders, cash events or days as CSV, however many there are."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from bot import exit_codes
from bot.diagnostics.chosen_days import add_days, boundary_of, days_of
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.csv_file import STANDARD_OUTPUT, cell, open_sheet
from bot.diagnostics.listing import cannot_read, count, print_json
from bot.diagnostics.period_reading import UnknownName, listed_accounts
from bot.diagnostics.store_reading import NoStore, bot_state, now, read_store
from bot.seams.clock import SystemClock
from bot.settings import Settings
from bot.storage.ledger_rows import LEDGERS, ledger_rows

# So often a long export says how far it is.
_WORD_EVERY_SECONDS = 2.0
_LOOK_EVERY_ROWS = 1000


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is taken: of which account (None: all), from when and until when."""

    ledger: str
    target: str
    account: str | None
    since: datetime | None
    until: datetime | None


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "export",
        "fills, orders, cash events or closed days as CSV",
        _export,
        codes="0 written, 2 refused or it cannot be written",
        examples=["export fills --csv fills.csv", "export days --csv - --account kraken --from 2026-11-01"],
    )
    made.add_argument("ledger", choices=sorted(LEDGERS), help="what is taken")
    made.add_argument("--csv", required=True, metavar="FILE", help="where to; - prints it")
    made.add_argument("--account", metavar="ACCOUNT", help="only this one")
    add_days(made)
    made.set_defaults(refuse=made.error)


def _export(settings: Settings, words: argparse.Namespace) -> int:
    since, until = days_of(words).moments(boundary_of(settings))
    wanted = Wanted(ledger=words.ledger, target=words.csv, account=words.account, since=since, until=until)
    return run(settings, wanted, as_json=words.json)


def run(settings: Settings, wanted: Wanted, *, as_json: bool) -> int:
    """Write the file. 0 = written, 2 = it cannot be written or there is nothing to read from."""
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=now(settings))
            accounts = None
            if wanted.account is not None:
                accounts = [one.account_id for one in listed_accounts(connection, settings, wanted.account)]
            rows = _write(connection, wanted, accounts)
    except (NoStore, UnknownName) as error:
        return cannot_read(NoStore(str(error)), as_json=as_json, code=exit_codes.WRONG_USE, empty={"rows": 0})
    except BrokenPipeError:
        # Whoever read our output has enough of it; nothing may be left to be flushed into the pipe at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.OK
    except OSError as error:
        problem = NoStore(f"{wanted.target} cannot be written: {error.strerror}")
        return cannot_read(problem, as_json=as_json, code=exit_codes.WRONG_USE, empty={"rows": 0})
    if wanted.target == STANDARD_OUTPUT:
        return exit_codes.OK
    if as_json:
        print_json(state, mode=state.mode, ledger=wanted.ledger, file=wanted.target, rows=rows)
    else:
        print(f"{count(rows, 'row')} of {wanted.ledger} ({state.mode or 'no mode yet'}) in {wanted.target}")
    return exit_codes.OK


def _write(connection: Connection, wanted: Wanted, accounts: Sequence[str] | None) -> int:
    columns = LEDGERS[wanted.ledger][2]
    found = ledger_rows(connection, wanted.ledger, accounts=accounts, since=wanted.since, until=wanted.until)
    written = 0
    with open_sheet(wanted.target) as sheet:
        sheet.writerow(columns)
        for row in _counted(found):
            sheet.writerow([cell(value) for value in row])
            written += 1
        sys.stdout.flush()
    return written


def _counted(rows: Iterator[Row[Any]]) -> Iterator[Row[Any]]:
    """The same rows; a person who waits hears how far it is."""
    clock = SystemClock()
    last = clock.monotonic()
    for number, row in enumerate(rows, start=1):
        yield row
        if number % _LOOK_EVERY_ROWS == 0 and clock.monotonic() - last >= _WORD_EVERY_SECONDS:
            last = clock.monotonic()
            print(f"{number:,} rows …", file=sys.stderr)
