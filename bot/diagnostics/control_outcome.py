"""What has come of a request: by the rows of the halt, the flatten, the order or the pause that it is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.diagnostics.flatten import NOTHING_BOOKED, progress
from bot.diagnostics.halt_targets import covered
from bot.diagnostics.listing import count
from bot.diagnostics.resolve import Word, verdict
from bot.diagnostics.store_reading import bot_state
from bot.domain.control import STOPPING, ControlAction, ControlRequest, ControlState
from bot.domain.halt import Halt, HaltScope, HaltStrength
from bot.domain.order import LIVE_STATES, OrderKind
from bot.storage import halts
from bot.storage.intents import find_intent, unfinished

# So long resting entries are given to end, before it is said that they have not.
PATIENCE = timedelta(seconds=15)


@dataclass(frozen=True)
class Outcome:
    """`state` is DONE when nothing more will come of it, TAKEN while something may."""

    state: ControlState
    lines: tuple[str, ...]


def outcome_of(connection: Connection, request: ControlRequest, *, now: datetime) -> Outcome:
    """As the store has it now."""
    if request.action in STOPPING:
        return _of_stop(connection, request, now)
    if request.action is ControlAction.RESOLVE:
        return _of_resolve(connection, request)
    return Outcome(ControlState.DONE, request.lines)


def _of_stop(connection: Connection, request: ControlRequest, now: datetime) -> Outcome:
    halt = halts.find_halt(connection, int(request.details.get("halt", 0)))
    if halt is None:
        return Outcome(ControlState.FAILED, ("What it stopped is not in the store",))
    if halt.strength is HaltStrength.FLATTEN:
        return _of_flatten(connection, request, halt, now)
    resting = _resting(connection, halt, request)
    before = int(request.details.get("resting", 0))
    lines = (f"Entries are off for {halt.covers}; exits go on", *_resting_line(before, resting))
    over = resting == 0 or now - request.at > PATIENCE
    return Outcome(ControlState.DONE if over else ControlState.TAKEN, lines)


def _resting_line(before: int, resting: int) -> tuple[str, ...]:
    if not before:
        return ()
    return (f"Resting entries cancelled: {max(0, before - resting)} of {before}",)


def resting_entries(connection: Connection, halt: Halt) -> int:
    """Entries that wait at a brokerage for their price, of what the halt covers."""
    return sum(
        intent.kind is OrderKind.ENTRY
        and intent.state in LIVE_STATES
        and (halt.scope is not HaltScope.SYMBOL or intent.symbol == halt.target)
        for row in covered(connection, halt)
        for intent in unfinished(connection, row.account_id)
    )


def _resting(connection: Connection, halt: Halt, request: ControlRequest) -> int:
    return resting_entries(connection, halt) if request.details.get("resting") else 0


def _of_flatten(connection: Connection, request: ControlRequest, halt: Halt, now: datetime) -> Outcome:
    parts = progress(connection, halt, bot_state(connection, now=now))
    ended = [part for part in parts if part["state"] in ("done", NOTHING_BOOKED)]
    touched = [part for part in parts if part["state"] != NOTHING_BOOKED]
    lines = [f"Entries are off for {halt.covers}", f"{len(ended)} of {count(len(parts), 'account')} done"]
    cancelled = sum(int(part["cancelled_orders"]) for part in touched)
    lines += [f"Orders cancelled: {cancelled}"] if cancelled else []
    lines += [_part(part) for part in touched]
    return Outcome(ControlState.DONE if len(ended) == len(parts) else ControlState.TAKEN, tuple(lines))


def _part(part: Mapping[str, object]) -> str:
    symbols = part["symbols"]
    assert isinstance(symbols, list)
    told = [
        f"sold {one['sold']} {one['symbol']}, left {one['left_at_venue'] or 'unknown'}"
        + (f" ({one['why']})" if one["why"] else "")
        for one in symbols
    ]
    why = [str(part["why"])] if part["why"] else []
    return f"{part['account']}: {part['state']}{': ' if told or why else ''}{'; '.join([*told, *why])}"


def _of_resolve(connection: Connection, request: ControlRequest) -> Outcome:
    order = find_intent(connection, request.target)
    if order is None:
        return Outcome(ControlState.FAILED, ("There is no such order any more",))
    word = Word(
        order=request.target,
        accepted_as=request.details.get("accepted_as"),
        by=request.actor,
        reason=request.reason,
        sure=True,
    )
    found = verdict(order, word)
    if found is None:
        return Outcome(ControlState.TAKEN, ("Written down; its account's thread carries it out in its next cycle",))
    return Outcome(ControlState.DONE if found[0] == 0 else ControlState.FAILED, (found[1],))
