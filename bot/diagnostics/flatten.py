"""`python bot.py flatten`: entries off and everything sold, and how far each account has come with it."""

import sys
import threading
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from bot import exit_codes
from bot.diagnostics.halt_targets import Refused, Target, covered, target_of
from bot.diagnostics.halts import Wish, as_fields, kill_by_file, refuse, write_halt
from bot.diagnostics.listing import cannot_read, count, paper, print_json
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.store_writing import write_store
from bot.diagnostics.terminal import table
from bot.domain.halt import Halt, HaltScope, HaltStrength
from bot.domain.money import plain
from bot.domain.order import IntentState
from bot.domain.position import Position
from bot.seams.clock import SystemClock
from bot.settings import Settings
from bot.storage import flatten_results, halts
from bot.storage.flatten_results import ACCOUNT, FlattenResult, FlattenState
from bot.storage.intents import unfinished
from bot.storage.positions import positions_of

_LOOK_SECONDS = 0.25
# Of an account that the campaign has not touched: it will, or it has nothing to sell and no thread to say so.
WAITING = "waiting"
NOTHING_BOOKED = "nothing booked"
_ENDED = (str(FlattenState.DONE), NOTHING_BOOKED)


def flatten(
    settings: Settings, target: str, wish: Wish, *, sure: bool, wait_seconds: float, as_json: bool, by_file: bool = True
) -> int:
    """Stop the target's entries and sell what the bot holds there. Asks first, unless it is `sure`.

    0 = all of it is done, 1 = not done yet or something is left, 2 = refused, 3 = written down, and the bot is not
    running: it sells at its next start.
    """
    try:
        if not sure:
            _ask_person(settings, target)
        with write_store(settings) as connection:
            meant = target_of(connection, target, sure=sure)
            halt, _ = write_halt(connection, meant, HaltStrength.FLATTEN, wish, now(settings))
    except Refused as error:
        return refuse(error, as_json=as_json)
    except NoStore as error:
        if target == "all" and by_file and sure:
            return kill_by_file(settings, wish, error, flatten=True, as_json=as_json)
        return refuse(error, as_json=as_json)
    return show_progress(settings, halt.id, wait_seconds=wait_seconds, as_json=as_json)


def _ask_person(settings: Settings, target: str) -> None:
    """Show what would be sold, and take only `yes`. Raises `Refused`."""
    with read_store(settings) as connection:
        meant = target_of(connection, target)
        lines = [line for row in covered(connection, meant) for line in would_sell(connection, meant, row)]
    what = f"Flatten {meant.word}: entries off, and sold at the market what the bot holds:\n"
    what += "\n".join(lines) or "  nothing at the moment"
    if not sys.stdin.isatty():
        raise Refused(f"{what}\nNothing was done. If this is meant: python bot.py flatten {meant.word} --yes")
    print(what)
    if input("Type yes to sell all of this: ").strip().lower() != "yes":
        raise Refused("Nothing was done")


def would_sell(connection: Connection, meant: Target | Halt, row: Row[Any]) -> list[str]:
    """What the books have of one account that a flatten would sell, as a line; none if there is nothing."""
    held = [f"{plain(one.quantity)} {one.symbol}" for one in _positions(connection, meant, row.account_id)]
    return [f"  {row.account_id}: {', '.join(held)}"] if held else []


# -- how far it is ------------------------------------------------------------------------------------------------
def show_progress(settings: Settings, halt_id: int, *, wait_seconds: float, as_json: bool) -> int:
    """Print each account's part; waits up to `wait_seconds` for all to be done. Exit codes as of `flatten`."""
    clock = SystemClock()
    deadline = clock.monotonic() + wait_seconds
    while True:
        try:
            with read_store(settings) as connection:
                state = bot_state(connection, now=now(settings))
                halt = halts.find_halt(connection, halt_id)
                if halt is None or halt.strength is not HaltStrength.FLATTEN:
                    raise NoStore(f"There is no flatten #{halt_id}. python bot.py halts --all lists them")
                parts = progress(connection, halt, state)
        except NoStore as error:
            return cannot_read(error, as_json=as_json, code=exit_codes.WRONG_USE, empty=("accounts",))
        working = [part for part in parts if part["state"] in (WAITING, str(FlattenState.WORKING))]
        if not working or not state.running or clock.monotonic() >= deadline:
            break
        clock.wait(threading.Event(), _LOOK_SECONDS)
    all_done = all(part["state"] in _ENDED for part in parts)
    if as_json:
        print_json(state, done=True, halt=as_fields(halt), all_done=all_done, accounts=parts)
    else:
        _print(state, halt, parts)
    if all_done:
        return exit_codes.OK
    return exit_codes.SOMETHING_WRONG if state.running else exit_codes.NOT_RUNNING


def progress(connection: Connection, halt: Halt, state: BotState) -> list[dict[str, Any]]:
    """One entry per account: how it stands, what was cancelled and sold, what the venue says is left, and why."""
    results: dict[str, list[FlattenResult]] = {}
    for result in flatten_results.results_of(connection, halt.id):
        results.setdefault(result.account_id, []).append(result)
    return [_part(connection, halt, state, row, results.get(row.account_id, [])) for row in covered(connection, halt)]


def _part(
    connection: Connection, halt: Halt, state: BotState, row: Row[Any], results: Sequence[FlattenResult]
) -> dict[str, Any]:
    account = next((result for result in results if result.symbol == ACCOUNT), None)
    if account is None:
        word, why = _untouched(connection, halt, state, row)
    else:
        word, why = str(account.state), account.why
    return {
        "account": row.account_id,
        "state": word,
        "cancelled_orders": 0 if account is None else account.cancelled_orders,
        "why": why,
        "symbols": [_symbol_fields(result) for result in results if result.symbol != ACCOUNT],
    }


def _untouched(connection: Connection, halt: Halt, state: BotState, row: Row[Any]) -> tuple[str, str]:
    """An account without a thread comes to nothing by itself; with nothing in the books it need not."""
    has_something = bool(_positions(connection, halt, row.account_id)) or any(
        intent.state is not IntentState.CREATED and _is_covered(halt, intent.symbol)
        for intent in unfinished(connection, row.account_id)
    )
    trades = state.running and row.armed_at is not None and halt.lifted_at is None
    if has_something or trades:
        return WAITING, row.waiting_for or row.health_reason or ("" if state.running else "the bot is not running")
    return NOTHING_BOOKED, "the books have nothing of it; the venue was not asked"


def _symbol_fields(result: FlattenResult) -> dict[str, Any]:
    return {
        "symbol": result.symbol,
        "state": str(result.state),
        "cancelled_orders": result.cancelled_orders,
        "sold": plain(result.sold_quantity),
        "left_at_venue": None if result.left_quantity is None else plain(result.left_quantity),
        "why": result.why,
    }


def _positions(connection: Connection, meant: Target | Halt, account_id: str) -> list[Position]:
    return [one for one in positions_of(connection, account_id) if _is_covered(meant, one.symbol)]


def _is_covered(meant: Target | Halt, symbol: str) -> bool:
    return meant.scope is not HaltScope.SYMBOL or symbol == meant.target


# -- printing -----------------------------------------------------------------------------------------------------
def _print(state: BotState, halt: Halt, parts: Sequence[dict[str, Any]]) -> None:
    console = paper()
    console.print(f"{state.sentence}\n#{halt.id} {halt.sentence}", soft_wrap=True)
    if halt.lifted_at is not None:
        console.print(f"Lifted by {halt.lifted_by}; what was not sold by then is not sold.", soft_wrap=True)
    listed = table(console, "Flatten", "account", "state", "cancelled", "sold", "left at the venue", "why")
    for part in parts:
        sold = ", ".join(f"{one['sold']} {one['symbol']}" for one in part["symbols"])
        left = ", ".join(f"{one['left_at_venue'] or 'unknown'} {one['symbol']}" for one in part["symbols"])
        why = "; ".join(filter(None, [part["why"], *[_why(one) for one in part["symbols"]]]))
        listed.add_row(part["account"], part["state"], str(part["cancelled_orders"]), sold or "-", left or "-", why)
    console.print(listed)
    done = sum(part["state"] in _ENDED for part in parts)
    console.print(
        f"{done} of {count(len(parts), 'account')} done. To look again: python bot.py halts --flatten {halt.id}"
    )


def _why(part: dict[str, Any]) -> str:
    return f"{part['symbol']}: {part['why']}" if part["why"] else ""
