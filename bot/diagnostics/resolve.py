"""`python bot.py resolve`: orders that need a person, and a person's word about one of them."""

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from bot import exit_codes
from bot.diagnostics.listing import (
    age,
    cannot_read,
    count,
    paper,
    print_json,
    seconds_since,
    short,
    since,
    time_text,
)
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.store_writing import write_store
from bot.domain.money import plain
from bot.domain.order import FINAL_STATES, LIVE_STATES, UNRESOLVED_STATES
from bot.execution.order_executor import ABSENT, ACCEPTED
from bot.seams.clock import Clock, SystemClock
from bot.settings import Settings
from bot.storage.debts import unresolved_orders, waiting_copies
from bot.storage.intents import OrderIntent, find_by_venue_order, find_intent
from bot.storage.resolutions import orders_beginning_with, record_resolution

# The bot goes on asking for this long before a person may decide without a contradiction. It alarms then, too.
UNRESOLVED_FOR = timedelta(minutes=15)
DEFAULT_WAIT_SECONDS = 8.0
_LOOK_SECONDS = 0.25
_SHORTEST_ID = 4
_LONGEST_TEXT = 200


@dataclass(frozen=True, kw_only=True)
class Word:
    """What a person says of an order: the venue's own id of it, or (None) that the venue never took it."""

    order: str
    accepted_as: str | None
    by: str
    reason: str = ""
    sure: bool = False
    wait_seconds: float = DEFAULT_WAIT_SECONDS

    @property
    def resolution(self) -> str:
        """In the form in which the account's thread reads it."""
        return ABSENT if self.accepted_as is None else f"{ACCEPTED}{self.accepted_as}"


class Refused(Exception):
    """The word cannot be taken; the message says why and what to do."""


# -- listing ------------------------------------------------------------------------------------------------------
def list_orders(settings: Settings, *, as_json: bool) -> int:
    """Print the orders that need a person. 0 = none, 1 = there are some, 3 = the bot is not running."""
    moment = now(settings)
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=moment)
            orders = [_described(connection, order, moment) for order in asking(connection, moment)]
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("orders",))
    if as_json:
        print_json(state, orders=orders)
    else:
        _print(state, orders, moment)
    if not state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if orders else exit_codes.OK


def asking(connection: Connection, moment: datetime) -> list[OrderIntent]:
    """Orders that a person may decide: contradictory ones, and those without an outcome for 15 minutes."""
    return [order for order in unresolved_orders(connection) if order.needs_person or _is_old(order, moment)]


def _is_old(order: OrderIntent, moment: datetime) -> bool:
    return moment - (order.sent_at or order.created_at) >= UNRESOLVED_FOR


def _described(connection: Connection, order: OrderIntent, moment: datetime) -> dict[str, Any]:
    waiting = waiting_copies(connection, order.account_id, order.symbol)
    return {
        "order": order.client_order_id,
        "question": _question(order),
        "account": order.account_id,
        "symbol": order.symbol,
        "side": str(order.side),
        "kind": str(order.kind),
        "quantity": plain(order.quantity),
        "limit_price": None if order.limit_price is None else plain(order.limit_price),
        "state": str(order.state),
        "sent_at": time_text(order.sent_at),
        "age_seconds": seconds_since(order.sent_at or order.created_at, moment),
        "venue_shows": order.needs_person or order.reason or "nothing",
        "empty_lookups": order.empty_lookups,
        "last_lookup_at": time_text(order.last_lookup_at),
        "copies_waiting": sum(row.client_order_id != order.client_order_id for row in waiting),
        "resolution": order.resolution,
        "resolved_by": order.resolved_by,
    }


def _question(order: OrderIntent) -> str:
    if order.needs_person:
        return f"{order.needs_person}. Is it ours?"
    shows = f"the last word was: {order.reason}" if order.reason else "the brokerage has not answered"
    return f"Did the brokerage take this order? It was looked up without a result; {shows}"


def _print(state: BotState, orders: Sequence[dict[str, Any]], moment: datetime) -> None:
    console = paper()
    console.print(state.sentence, soft_wrap=True)
    if not orders:
        console.print("No order needs a person.")
        return
    console.print(f"{count(len(orders), 'order')} {'needs' if len(orders) == 1 else 'need'} a person.")
    for order in orders:
        console.print("\n" + "\n".join(_lines(order, moment)), soft_wrap=False)


def _lines(order: dict[str, Any], moment: datetime) -> list[str]:
    name = short(order["order"])
    price = f" at {order['limit_price']}" if order["limit_price"] else ""
    sent = None if order["sent_at"] is None else datetime.fromisoformat(order["sent_at"])
    lines = [
        f"Order {name}: {order['side']} {order['quantity']} {order['symbol']}{price}, {order['kind']} of "
        f"{order['account']}",
        f"  sent      {since(sent, moment)}",
        f"  question  {order['question']}",
        f"  blocked   {_blocked(order, sent, moment)}",
    ]
    if order["resolution"]:
        return [*lines, f"  said      {order['resolved_by']} says {order['resolution']}; not carried out yet"]
    ask = f"python bot.py resolve {name}"
    return [
        *lines,
        f"  answer    {ask} --accepted-as VENUE_ORDER_ID --by NAME",
        f"       or   {ask} --not-accepted --by NAME",
    ]


def _blocked(order: dict[str, Any], sent: datetime | None, moment: datetime) -> str:
    what = f"new orders of {order['account']} for {order['symbol']}"
    waiting = order["copies_waiting"]
    copies = f", {count(waiting, 'copy', 'copies')} among them" if waiting else ""
    return what + copies + (f", for {age(sent, moment)}" if sent else "")


# -- deciding -----------------------------------------------------------------------------------------------------
def decide(settings: Settings, word: Word, *, as_json: bool = False, clock: Clock | None = None) -> int:
    """Write a person's word down and say what became of it.

    0 = carried out, 1 = written down but not carried out yet (or it led to another question), 2 = refused,
    3 = written down, and the bot is not running: it is carried out at its next start.
    """
    clock = clock or SystemClock(offset_seconds=settings.test_clock_offset_seconds)
    try:
        if not word.sure:
            _ask_person(settings, word)
        with write_store(settings) as connection:
            order = write_down(connection, word, clock.now())
    except Refused as error:
        return cannot_read(NoStore(str(error)), as_json=as_json, code=exit_codes.WRONG_USE, empty={"recorded": False})
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.WRONG_USE, empty={"recorded": False})
    return _follow(settings, order, word, as_json=as_json, clock=clock)


def _ask_person(settings: Settings, word: Word) -> None:
    """Show what is about to be said, and take only `yes`. Raises `Refused`."""
    with read_store(settings) as connection:
        order = decidable(connection, word, now(settings))
    if not sys.stdin.isatty():
        raise Refused("Nobody can be asked here. Add --yes if you are sure")
    deed = "was never taken by the brokerage" if word.accepted_as is None else f"is its order {word.accepted_as}"
    what = f"{order.side} {plain(order.quantity)} {order.symbol} of {order.account_id}"
    print(f"Order {short(order.client_order_id)} ({what}) {deed}. If that is wrong, money can be lost.")
    if input("Type yes to write it down: ").strip().lower() != "yes":
        raise Refused("Nothing was written down")


def decidable(connection: Connection, word: Word, moment: datetime) -> OrderIntent:
    """The order that is meant, if a person may decide about it now. Raises `Refused`."""
    order = _named(connection, word.order)
    name = f"Order {short(order.client_order_id)} of {order.account_id} ({order.symbol})"
    if order.state in FINAL_STATES:
        raise Refused(f"{name} has its outcome: {order.state}{_filled(order)}. There is nothing to decide")
    if not order.needs_person:
        if order.state not in UNRESOLVED_STATES:
            raise Refused(f"{name} needs nobody: it is {order.state}, and its account's thread follows it")
        if not _is_old(order, moment):
            at = (order.sent_at or order.created_at) + UNRESOLVED_FOR
            raise Refused(
                f"{name} is still being asked about at the brokerage; that mostly ends by itself. A person may decide "
                f"from {time_text(at)} on"
            )
    _check_accepted(connection, order, word)
    return order


def _check_accepted(connection: Connection, order: OrderIntent, word: Word) -> None:
    """One order at the brokerage is one of ours at most: its fills would be booked twice otherwise."""
    if word.accepted_as is None:
        return
    other = find_by_venue_order(connection, order.account_id, word.accepted_as)
    if other is not None and other.client_order_id != order.client_order_id:
        raise Refused(
            f"{word.accepted_as} is the brokerage's id of another order of ours, {short(other.client_order_id)} "
            f"({other.state}). Look it up again"
        )


def _named(connection: Connection, text: str) -> OrderIntent:
    """The one order that is meant; of several, the only one that has no end yet."""
    name = text.strip().lower()
    if len(name) < _SHORTEST_ID or set(name) - set("0123456789abcdef"):
        raise Refused(f"{text!r} is not the beginning of an order's id (at least {_SHORTEST_ID} of 0-9 and a-f)")
    found = orders_beginning_with(connection, name)
    unfinished = [order for order in found if order.state not in FINAL_STATES]
    if len(found) == 1 or len(unfinished) == 1:
        return (unfinished or found)[0]
    if not found:
        raise Refused(f"There is no order {text!r}. python bot.py resolve lists those that need a person")
    names = ", ".join(order.client_order_id for order in (unfinished or found)[:5])
    raise Refused(f"{text!r} is the beginning of {len(unfinished or found)} orders: {names}")


def write_down(connection: Connection, word: Word, moment: datetime) -> OrderIntent:
    """The account's thread carries it out; returns the order as it was before. Raises `Refused`."""
    order = decidable(connection, word, moment)
    record_resolution(
        connection, order, resolution=word.resolution, by=word.by, reason=word.reason[:_LONGEST_TEXT], now=moment
    )
    return order


# -- what became of it --------------------------------------------------------------------------------------------
def _follow(settings: Settings, order: OrderIntent, word: Word, *, as_json: bool, clock: Clock) -> int:
    before = f" (before, {order.resolved_by} had said {order.resolution})" if order.resolution else ""
    said = f"Written down: {word.by} says that order {short(order.client_order_id)} is {word.resolution}{before}."
    try:
        code, became = _became(settings, order, word, clock)
    except NoStore as error:
        code, became = exit_codes.SOMETHING_WRONG, f"What became of it cannot be read: {error}"
    if as_json:
        print_json(None, said=f"{said} {became}", recorded=True, order=order.client_order_id, carried_out=code == 0)
    else:
        paper().print(f"{said}\n{became}", soft_wrap=True)
    return code


def _became(settings: Settings, order: OrderIntent, word: Word, clock: Clock) -> tuple[int, str]:
    """Wait a few seconds for the account's thread, then say how it stands."""
    deadline = clock.monotonic() + word.wait_seconds
    while True:
        with read_store(settings) as connection:
            running = bot_state(connection, now=clock.now()).running
            found = find_intent(connection, order.client_order_id) or order
        said = verdict(found, word)
        if said is not None:
            return said
        if not running:
            return exit_codes.NOT_RUNNING, "NIJA is not running: it is carried out at the next start."
        if clock.monotonic() >= deadline:
            cycle = f"{settings.pace.cycle_seconds:g} s"
            wait = f"Not carried out yet. Its account's thread does it in its next cycle ({cycle} apart)."
            return exit_codes.SOMETHING_WRONG, f"{wait} python bot.py resolve shows whether it is still open."
        clock.wait(threading.Event(), _LOOK_SECONDS)


def verdict(found: OrderIntent, word: Word) -> tuple[int, str] | None:
    """How it ended (0 = carried out) in a sentence, or None while nothing has happened."""
    name = short(found.client_order_id)
    if found.state in FINAL_STATES:
        why = f" ({found.reason})" if found.reason else ""
        return exit_codes.OK, f"Carried out: order {name} is {found.state}{_filled(found)}{why}."
    if found.state in LIVE_STATES and not found.needs_person:
        return exit_codes.OK, f"Carried out: order {name} is {found.state} and is followed to its end."
    if found.resolution != word.resolution and found.needs_person:
        return exit_codes.SOMETHING_WRONG, f"It led to another question: {found.needs_person}."
    return None


def _filled(order: OrderIntent) -> str:
    if not order.filled_quantity:
        return ", nothing filled"
    price = "" if order.average_price is None else f" at {order.average_price:.8g}"
    return f", {plain(order.filled_quantity)} filled{price}"
