"""`python bot.py debts`: every exit that is owed and not done, with its age and what it waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, seconds
from bot.diagnostics.listing import (
    WIDTH,
    cannot_read,
    count,
    paper,
    print_json,
    seconds_since,
    short,
    time_text,
)
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, describe_age, now, read_store
from bot.diagnostics.terminal import table
from bot.domain.money import plain
from bot.domain.order import LIVE_STATES, UNRESOLVED_STATES
from bot.settings import Settings
from bot.storage.debts import ExitDebt, exit_debts, own_exits, waiting_copies
from bot.storage.intents import OrderIntent

# A copied exit is done within seconds. What is older than this is worth a look, and ends the command with 1.
DEFAULT_OLD_SECONDS = 60.0
# Begins the note of an exit that the venue would not take now (`bot.domain.trading_session.Awaited`).
_AWAITED = "waits for "
_OPENING = f"{_AWAITED}the opening"
_CLOSED = ("VenueInMaintenance", "maintenance", "market closed", "market is closed", "closed for now")


@dataclass(frozen=True)
class Seen:
    """The store at one moment, as far as exits go."""

    state: BotState
    debts: Sequence[dict[str, Any]]
    own: Sequence[dict[str, Any]]

    def oldest(self) -> float:
        """Seconds since the oldest of them was due; 0 when there is none.

        What waits for a closed market to open is not late.
        """
        late = [item for item in [*self.debts, *self.own] if not item["last_error"].startswith(_OPENING)]
        return max((item["age_seconds"] for item in late), default=0.0)


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "debts",
        "exits that are owed and not done, with their age and what they wait for",
        lambda settings, words: run(settings, as_json=words.json, old_seconds=words.old),
        codes="0 none older than --old, 1 there are some, 2 wrong use or configuration, 3 the bot does not run",
        examples=["debts", "debts --old 300 --json"],
    )
    made.add_argument(
        "--old",
        type=seconds,
        default=DEFAULT_OLD_SECONDS,
        metavar="SECONDS",
        help=f"an exit owed for longer ends the command with 1 (default {DEFAULT_OLD_SECONDS:g})",
    )


def run(settings: Settings, *, as_json: bool, old_seconds: float = DEFAULT_OLD_SECONDS) -> int:
    """Print what is owed. 0 = nothing older than `old_seconds`, 1 = something is, 3 = the bot is not running."""
    moment = now(settings)
    try:
        with read_store(settings) as connection:
            seen = read_debts(connection, moment)
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("debts", "own_exits"))
    if as_json:
        print_json(seen.state, summary=_summary(seen), debts=list(seen.debts), own_exits=list(seen.own))
    else:
        _print(seen)
    if not seen.state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if seen.oldest() > old_seconds else exit_codes.OK


def read_debts(connection: Connection, moment: datetime) -> Seen:
    """What is owed and not done."""
    state = bot_state(connection, now=moment)
    owed = [_debt(connection, debt, state, moment) for debt in exit_debts(connection)]
    return Seen(state, owed, [_own(intent, state, moment) for intent in own_exits(connection)])


# -- one exit as JSON ---------------------------------------------------------------------------------------------
def _debt(connection: Connection, debt: ExitDebt, state: BotState, moment: datetime) -> dict[str, Any]:
    row, last = debt.row, (debt.orders[-1] if debt.orders else None)
    left = debt.left
    return {
        "account": row.account_id,
        "user_id": row.user_id,
        "broker": row.broker,
        "symbol": row.symbol,
        "signal_id": row.signal_id,
        "master_executed_at": time_text(row.executed_at),
        "age_seconds": seconds_since(row.executed_at, moment) or 0.0,
        "fraction_of_position": plain(row.size),
        "planned_quantity": None if row.planned_quantity is None else plain(row.planned_quantity),
        "filled_quantity": plain(debt.filled),
        "left_quantity": None if left is None else plain(left),
        "tries": row.tries,
        "last_try_at": time_text(row.last_try_at),
        "last_error": row.last_error,
        "order": None if last is None else last.client_order_id,
        "order_state": None if last is None else str(last.state),
        "waits_for": awaited(connection, debt, state),
    }


def _own(intent: OrderIntent, state: BotState, moment: datetime) -> dict[str, Any]:
    due = intent.sent_at or intent.created_at
    return {
        "account": intent.account_id,
        "symbol": intent.symbol,
        "decision": intent.decision,
        "order": intent.client_order_id,
        "order_state": str(intent.state),
        "created_at": time_text(intent.created_at),
        "age_seconds": seconds_since(due, moment) or 0.0,
        "quantity": plain(intent.quantity),
        "left_quantity": plain(max(Decimal(0), intent.quantity - intent.filled_quantity)),
        "last_error": intent.reason,
        "waits_for": _if_running(state) or _order_awaits(intent) or "its turn",
    }


# -- what an exit waits for ---------------------------------------------------------------------------------------
def awaited(connection: Connection, debt: ExitDebt, state: BotState) -> str:
    """The first thing that must happen before this exit can go on, in words."""
    last = debt.orders[-1] if debt.orders else None
    return (
        _if_running(state)
        or (_order_awaits(last) if last is not None else "")
        or _account_awaits(debt.row)
        or _earlier_copy(connection, debt)
        or _next_try(debt)
    )


def _if_running(state: BotState) -> str:
    return "" if state.running else "NIJA to run: it goes on at the next start"


def _order_awaits(intent: OrderIntent) -> str:
    if intent.needs_person and intent.resolution:
        return "its thread to carry out what a person said"
    if intent.needs_person:
        return f"a person: python bot.py resolve {short(intent.client_order_id)} (contradictory)"
    if intent.state in UNRESOLVED_STATES:
        empty = f", {count(intent.empty_lookups, 'empty look-up')} so far" if intent.empty_lookups else ""
        return f"the outcome of order {short(intent.client_order_id)}{empty}"
    if intent.state in LIVE_STATES:
        return f"the end of its order {short(intent.client_order_id)} at the venue"
    return ""


def _account_awaits(row: Any) -> str:
    if row.health is None or row.authenticated_at is None:
        why = row.waiting_for or row.health_reason
        return f"its account to be connected{f' ({why})' if why else ''}"
    if row.health in ("failed", "quarantined", "stopped"):
        return f"its account, which is {row.health}{f' ({row.health_reason})' if row.health_reason else ''}"
    return ""


def _earlier_copy(connection: Connection, debt: ExitDebt) -> str:
    earlier = [
        row
        for row in waiting_copies(connection, debt.row.account_id, debt.row.symbol)
        if row.sequence < debt.row.sequence
    ]
    if not earlier:
        return ""
    return f"the {earlier[0].kind} copy before it (signal {short(earlier[0].signal_id)})"


def _next_try(debt: ExitDebt) -> str:
    error = str(debt.row.last_error)
    if error.startswith(_AWAITED):
        return error.removeprefix(_AWAITED)
    if any(word.lower() in error.lower() for word in _CLOSED):
        return "the market to be open again; it is tried until then"
    if "tied up" in error:
        return "coins that other open orders of the account hold"
    return "its next try" if debt.row.tries else "its turn"


# -- printing -----------------------------------------------------------------------------------------------------
def _summary(seen: Seen) -> str:
    """`2 exits owed, oldest 4 min; 1 own exit under way`."""
    parts = [count(len(seen.debts), "exit") + " owed"] if seen.debts else []
    if seen.debts:
        parts[0] += f", oldest {_words(max(item['age_seconds'] for item in seen.debts))}"
    if seen.own:
        parts.append(count(len(seen.own), "own exit") + " under way")
    return "; ".join(parts) or "No exit is owed"


def _words(seconds: float) -> str:
    return describe_age(timedelta(seconds=seconds))


def _print(seen: Seen) -> None:
    console = paper()
    console.print(seen.state.sentence, soft_wrap=True)
    if seen.debts:
        owed = table(console, "Mirrored exits not done, oldest first", "user", "symbol", "owed for", "left", "tries")
        owed.add_column("waits for / last error", overflow="fold", max_width=WIDTH // 2)
        for item in seen.debts:
            tries = str(item["tries"])
            left = item["left_quantity"] or "to be sized"
            owed.add_row(item["account"], item["symbol"], _words(item["age_seconds"]), left, tries, _why(item))
        console.print(owed)
    if seen.own:
        own = table(console, "Own exits (stops, targets) without an end", "account", "symbol", "age", "left", "why")
        own.add_column("waits for / last error", overflow="fold", max_width=WIDTH // 2)
        for item in seen.own:
            cells = (item["account"], item["symbol"], _words(item["age_seconds"]), item["left_quantity"])
            own.add_row(*cells, item["decision"], _why(item))
        console.print(own)
    console.print(_summary(seen), soft_wrap=True)


def _why(item: Mapping[str, Any]) -> str:
    text = str(item["waits_for"])
    if item["last_error"]:
        tried = item.get("last_try_at")
        when = f" at {tried[11:19]}" if tried else ""
        text += f"; last error{when}: {item['last_error']}"
    return text
