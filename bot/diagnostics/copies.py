"""`python bot.py copies`: the latest signals, a line per user, with sizes, answers and reasons."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, number
from bot.diagnostics.store_reading import NoStore, bot_state, now, read_store
from bot.diagnostics.terminal import table, terminal
from bot.domain.money import plain
from bot.domain.signal import CopyStatus
from bot.seams.clock import format_time
from bot.settings import Settings
from bot.storage.copies import latest_copies

_BAD = {str(CopyStatus.FAILED)}


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "copies",
        "the latest signals, a line per user",
        lambda settings, words: run(settings, as_json=words.json, limit=words.limit),
        codes="0 none failed, 1 one failed, 2 wrong use or configuration, 3 the bot does not run",
        examples=["copies", "copies --limit 5 --json"],
    )
    made.add_argument("--limit", type=number, default=20, metavar="N", help="how many signals (default 20)")


def run(settings: Settings, *, as_json: bool, limit: int) -> int:
    """Print the signals; 0 = every answer is there and none failed, 1 = not so, 3 = the bot is not running."""
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=now(settings))
            signals = signals_of(latest_copies(connection, signals=limit))
    except NoStore as error:
        if as_json:
            _print_json(running=False, mode="", said=str(error), signals=[])
        else:
            print(error, file=sys.stderr)
        return exit_codes.NOT_RUNNING
    if as_json:
        _print_json(running=state.running, mode=state.mode, said=state.sentence, signals=signals)
    else:
        _print_table(signals, state.sentence)
    if not state.running:
        return exit_codes.NOT_RUNNING
    failed = any(user["status"] in _BAD for signal in signals for user in signal["users"])
    return exit_codes.SOMETHING_WRONG if failed else exit_codes.OK


def _print_json(**fields: Any) -> None:
    print(json.dumps(fields, indent=2))


def signals_of(rows: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    """Signals with their users, as the rows come: newest first."""
    signals: dict[str, dict[str, Any]] = {}
    for row in rows:
        signal = signals.setdefault(row.signal_id, _signal(row))
        if row.user_account_id is not None:
            signal["users"].append(_user(row))
    return list(signals.values())


def _signal(row: Row[Any]) -> dict[str, Any]:
    return {
        "signal_id": row.signal_id,
        "sequence": row.sequence,
        "broker": row.broker,
        "symbol": row.symbol,
        "side": row.side,
        "kind": row.kind,
        "size": plain(row.size),
        "quantity": plain(row.quantity),
        "price": plain(row.reference_price),
        "master_balance": _amount(row.master_balance),
        "venue_order_id": row.venue_order_id,
        "executed_at": _time(row.executed_at),
        "planned_at": _time(row.planned_at),
        "users": [],
    }


def _user(row: Row[Any]) -> dict[str, Any]:
    filled, price = row.copy_filled_quantity, row.copy_average_price
    return {
        "user_id": row.user_id,
        "account_id": row.user_account_id,
        "name": row.user_name,
        "status": row.copy_status,
        "reason": row.copy_reason,
        "detail": row.copy_detail,
        "rank": row.copy_rank,
        "user_balance": _amount(row.copy_user_balance),
        "ratio": _amount(row.copy_ratio),
        "planned_quantity": _amount(row.copy_planned_quantity),
        "filled_quantity": _amount(filled),
        "average_price": _amount(price),
        "notional": None if filled is None or price is None else plain(filled * price),
        "client_order_id": row.copy_client_order_id,
        "answered_at": _time(row.copy_answered_at),
    }


def _print_table(signals: Sequence[dict[str, Any]], sentence: str) -> None:
    console = terminal()
    console.print(sentence, soft_wrap=True)
    if not signals:
        console.print("No signal yet: no master has traded.")
        return
    headings = ("time (UTC)", "who", "what", "quantity", "price", "notional", "answer")
    latest = table(console, "Latest signals, newest first", *headings)
    for signal in signals:
        latest.add_row(*_master_cells(signal))
        for user in signal["users"]:
            latest.add_row(*_user_cells(user))
        latest.add_section()
    console.print(latest)


def _master_cells(signal: dict[str, Any]) -> Sequence[str]:
    notional = Decimal(signal["quantity"]) * Decimal(signal["price"])
    notes = [f"{_percent(signal['size'])} of the position"] if signal["kind"] == "exit" else []
    notes += [] if signal["planned_at"] else ["not planned for the users yet"]
    return (
        signal["executed_at"][11:19],
        f"{signal['broker']} master",
        f"{signal['side']} {signal['symbol']}",
        signal["quantity"],
        _round(signal["price"]),
        _round(plain(notional)),
        ", ".join(notes),
    )


def _user_cells(user: dict[str, Any]) -> Sequence[str]:
    why = " ".join(filter(None, (user["reason"], user["detail"])))
    answer = user["status"].replace("_", " ")
    return (
        "",
        f"  {user['user_id']}",
        "",
        user["filled_quantity"] or "-",
        _round(user["average_price"]),
        _round(user["notional"]),
        f"{answer}: {why}" if why else answer,
    )


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _time(value: datetime | None) -> str | None:
    return None if value is None else format_time(value)


def _round(text: str | None) -> str:
    """Shortened for reading; the JSON has every digit."""
    if text is None:
        return "-"
    number = Decimal(text)
    return f"{number:,.2f}" if abs(number) >= 1 else plain(Decimal(f"{number:.3e}"))


def _percent(text: str) -> str:
    return f"{plain(Decimal(f'{Decimal(text) * 100:.3e}'))} %"
