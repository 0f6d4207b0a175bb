"""`python bot.py vetoes`: entries that were not let out, why, and the numbers that were compared."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from bot import exit_codes
from bot.diagnostics.command_line import Commands, account_of, add_account, add_command, moment, number
from bot.diagnostics.listing import cannot_read, count, paper, print_json, seconds_since, since, time_text
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.terminal import table
from bot.settings import Settings
from bot.storage.vetoes import vetoes_since

DEFAULT_SPAN = timedelta(days=1)


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "vetoes",
        "entries that a limit or a halt did not let out, with the numbers that were compared",
        lambda settings, words: run(
            settings, as_json=words.json, from_moment=words.since, account=account_of(words), limit=words.limit
        ),
        codes="0 none, 1 there are some, 2 wrong use or configuration, 3 the bot is not running (then: as last seen)",
        examples=["vetoes", "vetoes --account kraken --since 2026-01-31T12:00Z --json"],
    )
    made.add_argument("--since", type=moment, metavar="TIME", help="default: the last 24 hours (UTC if no zone)")
    add_account(made)
    made.add_argument("--limit", type=number, default=50, metavar="N", help="how many (default 50)")


def run(settings: Settings, *, as_json: bool, from_moment: datetime | None, account: str | None, limit: int) -> int:
    """Print the newest vetoes, by default of the last 24 hours.

    0 = there is none, 1 = there are some, 3 = the bot is not running.
    """
    moment = now(settings)
    start = moment - DEFAULT_SPAN if from_moment is None else from_moment
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=moment)
            rows = vetoes_since(connection, start, account_id=account)
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("vetoes",))
    shown = [_described(row, moment) for row in rows[:limit]]
    if as_json:
        print_json(state, since=time_text(start), total=len(rows), vetoes=shown)
    else:
        _print(state, shown, total=len(rows), start=start, moment=moment)
    if not state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if rows else exit_codes.OK


def _described(row: Row[Any], moment: datetime) -> dict[str, Any]:
    return {
        "at": time_text(row.at),
        "age_seconds": seconds_since(row.at, moment),
        "account": row.account_id,
        "symbol": row.symbol,
        "side": row.side,
        "rule": row.rule,
        "detail": row.detail,
        "numbers": json.loads(row.numbers_json),
        "signal_id": row.signal_id,
        "client_order_id": row.client_order_id,
    }


def _print(state: BotState, rows: Sequence[dict[str, Any]], *, total: int, start: datetime, moment: datetime) -> None:
    console = paper()
    console.print(state.sentence, soft_wrap=True)
    if not rows:
        console.print(f"No entry was vetoed since {since(start, moment)}.")
        return
    listed = table(console, "Entries that were not let out", "at (UTC)", "account", "entry", "rule", "why and numbers")
    for row in rows:
        numbers = ", ".join(f"{name} {value}" for name, value in row["numbers"].items() if name != "unknown")
        why = f"{row['detail']} [{numbers}]" if numbers else row["detail"]
        when = since(datetime.fromisoformat(row["at"]), moment)
        listed.add_row(when, row["account"], f"{row['side']} {row['symbol']}", row["rule"], why)
    console.print(listed)
    shown = f", the newest {len(rows)} are shown" if total > len(rows) else ""
    console.print(f"{count(total, 'veto', 'vetoes')} since {since(start, moment)}{shown}.")
