"""`python bot.py processes`: the processes that share this database, and which of them holds which accounts."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.listing import age, cannot_read, count, paper, print_json, time_text
from bot.diagnostics.overview import configured_labels
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.terminal import table
from bot.settings import Settings
from bot.storage import leases, processes
from bot.storage.instance_lease import database_time
from bot.storage.processes import TradingProcess

# Of those that have ended.
ENDED_SHOWN = 5
ACCOUNTS_SHOWN = 8


@dataclass(frozen=True)
class _Seen:
    """The rows at one moment of the database's clock. `held` are labels by process id, `free` those of nobody."""

    state: BotState
    moment: datetime
    processes: Sequence[TradingProcess]
    held: Mapping[str, Sequence[str]]
    free: Sequence[str]

    def status(self, one: TradingProcess) -> str:
        if one.ended_at is not None:
            return f"ended {age(one.ended_at, self.moment)} ago: {one.end_reason}"
        if not one.lives(self.moment):
            return f"not heard of for {age(one.renewed_at, self.moment)}; its accounts are free"
        return "takes accounts" if one.takes_since is not None else "starts, or is about to end"


def add(commands: Commands) -> None:
    add_command(
        commands,
        "processes",
        "the processes that share the accounts, and who holds which",
        _run,
        codes="0 all accounts are held, 1 some are not, 2 wrong use or configuration, 3 no process runs",
        examples=["processes", "processes --json"],
    )


def _run(settings: Settings, words: argparse.Namespace) -> int:
    moment = now(settings)
    try:
        with read_store(settings) as connection:
            seen = _read(connection, settings, moment)
    except NoStore as error:
        return cannot_read(error, as_json=words.json, code=exit_codes.NOT_RUNNING, empty=("processes", "free"))
    if words.json:
        print_json(seen.state, processes=[_as_json(seen, one) for one in seen.processes], free=list(seen.free))
    else:
        _print(seen, settings)
    if not seen.state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if seen.free else exit_codes.OK


def _read(connection: Connection, settings: Settings, moment: datetime) -> _Seen:
    there = processes.latest(connection, ended=ENDED_SHOWN)
    living = [one.process_id for one in processes.living(connection, now=moment)]
    held = {process_id: sorted(leases.owned_by(connection, process_id)) for process_id in living}
    wanted = set(configured_labels(settings)) if settings.scaling.mode == "many" else set()
    free = sorted(wanted - {label for labels in held.values() for label in labels})
    state = bot_state(connection, now=moment)
    return _Seen(state, database_time(connection, now=moment), there, held, free)


def _as_json(seen: _Seen, one: TradingProcess) -> dict[str, Any]:
    return {
        "process": one.name,
        "host": one.host,
        "pid": one.pid,
        "epoch": one.epoch,
        "living": one.lives(seen.moment),
        "status": seen.status(one),
        "started_at": time_text(one.started_at),
        "renewed_at": time_text(one.renewed_at),
        "ended_at": time_text(one.ended_at),
        "share": one.share,
        "accounts": list(seen.held.get(one.process_id, ())),
    }


def _print(seen: _Seen, settings: Settings) -> None:
    screen = paper()
    screen.print(seen.state.sentence, highlight=False)
    if settings.scaling.mode != "many":
        screen.print("scaling.mode is one: one process has all accounts", highlight=False)
    if seen.processes:
        rows = table(screen, "Processes", "process", "status", "accounts")
        for one in seen.processes:
            rows.add_row(one.name, seen.status(one), _accounts_text(seen.held.get(one.process_id, ())))
        screen.print(rows)
    if seen.free:
        screen.print(f"NOBODY HOLDS {_accounts_text(seen.free)}", highlight=False)


def _accounts_text(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - ACCOUNTS_SHOWN} more" if len(labels) > ACCOUNTS_SHOWN else ""
    return f"{count(len(labels), 'account')}: {', '.join(labels[:ACCOUNTS_SHOWN])}{more}" if labels else "none"
