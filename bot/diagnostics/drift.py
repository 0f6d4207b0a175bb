"""`python bot.py drift`: where a brokerage and our books differ. It is reported, and never corrected by trading."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.listing import age, cannot_read, count, paper, print_json, seconds_since, since, time_text
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.terminal import table
from bot.settings import Settings
from bot.storage import schema

# In an operator's words; a kind that is not here is shown by its name.
WORDS = {
    "orphan_order": "an open order that is ours by its mark and is not in the books",
    "fill_missing": "a trade that the books lack",
    "phantom": "an order that the books call live and the brokerage does not show",
    "shortfall": "less is there than our lots",
    "surplus": "more is there than our lots (coins of the user's own)",
    "books": "other balances than trades and cash events make of them",
    "dust": "a rest too small to be sold",
}
# What is there besides our lots is the user's own business; everything else is somebody's to look at.
HARMLESS = frozenset({"surplus", "dust"})


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "drift",
        "where a brokerage and our books differ",
        lambda settings, words: run(settings, as_json=words.json, cleared_too=words.all),
        examples=["drift", "drift --all --json"],
    )
    made.add_argument("--all", action="store_true", help="also what is gone again")


def run(settings: Settings, *, as_json: bool, cleared_too: bool = False) -> int:
    """Print the differences. 0 = none but harmless ones, 1 = there are others, 3 = the bot is not running."""
    moment = now(settings)
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=moment)
            rows = [_described(row, moment) for row in _rows(connection, cleared_too=cleared_too)]
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("drifts",))
    if as_json:
        print_json(state, drifts=rows)
    else:
        _print(state, rows, moment)
    if not state.running:
        return exit_codes.NOT_RUNNING
    wrong = any(row["cleared_at"] is None and row["kind"] not in HARMLESS for row in rows)
    return exit_codes.SOMETHING_WRONG if wrong else exit_codes.OK


def open_kinds(connection: Connection) -> list[str]:
    """The kind of each difference that there is now."""
    return [row.kind for row in _rows(connection, cleared_too=False)]


def _rows(connection: Connection, *, cleared_too: bool) -> list[Row[Any]]:
    query = select(schema.drift).order_by(schema.drift.c.first_seen_at, schema.drift.c.subject)
    if not cleared_too:
        query = query.where(schema.drift.c.cleared_at.is_(None))
    return list(connection.execute(query))


def _described(row: Row[Any], moment: datetime) -> dict[str, Any]:
    return {
        "account": row.account_id,
        "kind": row.kind,
        "meaning": WORDS.get(row.kind, row.kind),
        "subject": row.subject,
        "detail": row.detail,
        "first_seen_at": time_text(row.first_seen_at),
        "last_seen_at": time_text(row.last_seen_at),
        "age_seconds": seconds_since(row.first_seen_at, moment),
        "readings": row.readings,
        "cleared_at": time_text(row.cleared_at),
    }


def _print(state: BotState, rows: list[dict[str, Any]], moment: datetime) -> None:
    console = paper()
    console.print(state.sentence, soft_wrap=True)
    if not rows:
        console.print("Brokerages and books agree, as far as they were compared.")
        return
    listed = table(console, "Where brokerage and books differ, oldest first", "account", "subject", "since (UTC)")
    listed.add_column("seen", overflow="fold")
    listed.add_column("what", overflow="fold")
    for row in rows:
        listed.add_row(row["account"], row["subject"], _since(row, moment), f"{row['readings']} x", _what(row, moment))
    console.print(listed)
    still = sum(row["cleared_at"] is None for row in rows)
    console.print(f"{count(still, 'difference')} now{_gone(len(rows) - still)}. docs/runbook.md says what each means.")


def _gone(number: int) -> str:
    return f", {number} gone" if number else ""


def _since(row: dict[str, Any], moment: datetime) -> str:
    return since(datetime.fromisoformat(row["first_seen_at"]), moment)


def _what(row: dict[str, Any], moment: datetime) -> str:
    gone = ""
    if row["cleared_at"] is not None:
        gone = f" (gone for {age(datetime.fromisoformat(row['cleared_at']), moment)})"
    return f"{row['kind']}{gone}: {row['meaning']}. {row['detail']}"
