"""What each control does to the store, what it would do, and who may not ask for it.

Everything that stops is a row that the gate reads before every entry: it is in force when this process has written it,
however the bot is. The bot then sees the request, does what a row alone cannot, and says what came of it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot.console.answers import Refusal
from bot.diagnostics import halt_targets, resolve
from bot.diagnostics.control_outcome import resting_entries
from bot.diagnostics.flatten import would_sell
from bot.diagnostics.halt_targets import Target, covered, target_of
from bot.domain.control import STOPPING, ControlAction
from bot.domain.halt import Halt, HaltScope, HaltSource, HaltStrength
from bot.domain.symbol import normalise_symbol
from bot.storage import alerts, favourites, halts, symbol_pauses
from bot.storage.accounts import states

_VENUE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody asks for, and which way. `details['sure']`: also a market that nobody here ever traded."""

    action: ControlAction
    target: str
    reason: str
    details: Mapping[str, Any]
    actor: str
    at: datetime
    source: HaltSource = HaltSource.PAGE

    def text(self, name: str) -> str:
        """One of the details. Raises `Refusal`."""
        value = self.details.get(name)
        if not isinstance(value, str) or not value.strip():
            raise Refusal(400, f"{self.action} needs the text details.{name}")
        return value.strip()[:200]


@dataclass(frozen=True)
class Effect:
    """What was written: `details` are kept with the request, `lines` are the first word on it."""

    details: Mapping[str, Any]
    lines: Sequence[str]


def preview(connection: Connection, wish: Wish) -> list[str]:
    """What it would do, line by line. Raises `Refusal`."""
    if wish.action in STOPPING:
        return _preview_stop(connection, wish)
    if wish.action is ControlAction.RESUME:
        return [f"This would be lifted: {halt.sentence}" for halt in _to_lift(connection, wish)]
    order = _resolved(lambda: resolve.decidable(connection, _word(wish), wish.at))
    deed = "was never taken" if _word(wish).accepted_as is None else f"is order {_word(wish).accepted_as} there"
    what = f"{order.side} {order.quantity:f} {order.symbol} of {order.account_id}"
    return [f"You say of {what} that at the brokerage it {deed}", "If that is wrong, money can be lost"]


def apply(connection: Connection, wish: Wish) -> Effect:
    """Write it. Raises `Refusal`, and then nothing is written."""
    return _APPLY[wish.action](connection, wish)


# -- stopping and going on -------------------------------------------------------------------------------------------
def _meant(connection: Connection, wish: Wish) -> Target:
    try:
        return target_of(connection, wish.target, sure=bool(wish.details.get("sure")))
    except halt_targets.Refused as error:
        raise Refusal(400, str(error)) from error


def _preview_stop(connection: Connection, wish: Wish) -> list[str]:
    meant = _meant(connection, wish)
    accounts = covered(connection, meant)
    word = "everything" if meant.scope is HaltScope.ALL else meant.word
    lines = [f"No entry leaves any more for {word} ({len(accounts)} accounts); it stays so until somebody lifts it"]
    if wish.action is not ControlAction.FLATTEN:
        return [*lines, "Stops, targets and copied exits go on"]
    sold = [line.strip() for row in accounts for line in would_sell(connection, meant, row)]
    return [*lines, *([f"Sold at the market: {line}" for line in sold] or ["The books have nothing to sell there"])]


def _stop(connection: Connection, wish: Wish) -> Effect:
    meant = _meant(connection, wish)
    strength = HaltStrength.FLATTEN if wish.action is ControlAction.FLATTEN else HaltStrength.ENTRIES_OFF
    reason = wish.reason or ("close only" if wish.action is ControlAction.CLOSE_ONLY else "")
    halt, new = halts.set_halt(
        connection,
        scope=meant.scope,
        target=meant.target,
        strength=strength,
        reason=reason,
        set_by=wish.actor,
        source=wish.source,
        now=wish.at,
    )
    known = "" if new else " (it was so before)"
    return Effect(
        {**wish.details, "halt": halt.id, "resting": resting_entries(connection, halt)},
        [f"Entries are off for {halt.covers}{known}"],
    )


def _to_lift(connection: Connection, wish: Wish) -> Sequence[Halt]:
    found = list(halts.all_in_force(connection))
    if wish.target != "all":
        meant = _meant(connection, wish)
        found = [halt for halt in found if meant.is_of(halt)]
    if not found:
        raise Refusal(409, f"nothing is halted for {wish.target}")
    return found


def _resume(connection: Connection, wish: Wish) -> Effect:
    found = _to_lift(connection, wish)
    halts.lift(connection, [halt.id for halt in found], by=wish.actor, reason=wish.reason, now=wish.at)
    lifted = [f"Lifted: {halt.sentence}" for halt in found]
    return Effect({**wish.details, "halts": [halt.id for halt in found]}, lifted)


# -- orders, markets, alerts -----------------------------------------------------------------------------------------
def _word(wish: Wish) -> resolve.Word:
    accepted = wish.details.get("accepted_as")
    if accepted is None and wish.details.get("not_accepted") is not True:
        raise Refusal(400, "say one of details.accepted_as (the brokerage's id) and details.not_accepted")
    if accepted is not None and (not isinstance(accepted, str) or not _VENUE_ID.fullmatch(accepted)):
        raise Refusal(400, "details.accepted_as is not an id of a brokerage")
    return resolve.Word(order=wish.target, accepted_as=accepted, by=wish.actor, reason=wish.reason, sure=True)


def _resolved(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except resolve.Refused as error:
        raise Refusal(409, str(error)) from error


def _resolve(connection: Connection, wish: Wish) -> Effect:
    order = _resolved(lambda: resolve.write_down(connection, _word(wish), wish.at))
    return Effect(
        {**wish.details, "order": order.client_order_id}, [f"Written down for order {order.client_order_id[:8]}"]
    )


def _user(connection: Connection, wish: Wish) -> tuple[str, str]:
    users = {row.account_id for row in states(connection) if row.user_id is not None}
    if wish.target not in users:
        raise Refusal(404, f"there is no user's account {wish.target[:60]!r}")
    return wish.target, _symbol(wish)


def _symbol(wish: Wish) -> str:
    try:
        return normalise_symbol(wish.text("symbol"))
    except ValueError as error:
        raise Refusal(400, str(error)) from error


def _pause_symbol(connection: Connection, wish: Wish) -> Effect:
    label, symbol = _user(connection, wish)
    reason = wish.reason or f"paused by {wish.actor}"
    new = symbol_pauses.pause_symbol(connection, label, symbol, reason=reason, now=wish.at)
    return Effect(wish.details, [f"{label} enters {symbol} no more" if new else f"{symbol} was paused before"])


def _resume_symbol(connection: Connection, wish: Wish) -> Effect:
    label, symbol = _user(connection, wish)
    was = symbol_pauses.resume_symbol(connection, label, symbol)
    return Effect(wish.details, [f"{label} copies {symbol} again" if was else f"{symbol} was not paused"])


def _acknowledge(connection: Connection, wish: Wish) -> Effect:
    if not (wish.target.isascii() and wish.target.isdigit() and len(wish.target) < 19):
        raise Refusal(400, "the target is the number of an alert")
    if not alerts.acknowledge(connection, int(wish.target), by=wish.actor, now=wish.at):
        raise Refusal(409, "that alert is over, or there is none")
    return Effect(wish.details, ["Seen"])


def _add_favourite(connection: Connection, wish: Wish) -> Effect:
    symbol = _symbol(wish)
    new = favourites.add_favourite(connection, _broker(connection, wish), symbol, set_by=wish.actor, now=wish.at)
    return Effect(wish.details, [f"{symbol} is a favourite" if new else f"{symbol} was one before"])


def _remove_favourite(connection: Connection, wish: Wish) -> Effect:
    symbol = _symbol(wish)
    was = favourites.remove_favourite(connection, _broker(connection, wish), symbol)
    return Effect(wish.details, [f"{symbol} is no favourite any more" if was else f"{symbol} was none"])


def _broker(connection: Connection, wish: Wish) -> str:
    brokers = {row.broker for row in states(connection)}
    if wish.target not in brokers:
        raise Refusal(404, f"there is no brokerage {wish.target[:60]!r}: {', '.join(sorted(brokers))}")
    return wish.target


_APPLY: Mapping[ControlAction, Callable[[Connection, Wish], Effect]] = {
    **dict.fromkeys(STOPPING, _stop),
    ControlAction.RESUME: _resume,
    ControlAction.RESOLVE: _resolve,
    ControlAction.PAUSE_SYMBOL: _pause_symbol,
    ControlAction.RESUME_SYMBOL: _resume_symbol,
    ControlAction.ACK_ALERT: _acknowledge,
    ControlAction.ADD_FAVOURITE: _add_favourite,
    ControlAction.REMOVE_FAVOURITE: _remove_favourite,
}
