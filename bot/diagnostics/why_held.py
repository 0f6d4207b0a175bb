"""Why a position is still held: each of its exit rules, what is nearest, what a pending exit waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Connection

from bot.diagnostics.accounts import LATE_AFTER_CYCLES
from bot.diagnostics.listing import age, since
from bot.diagnostics.why_answer import Answer, Cell, Listing, amount, words
from bot.diagnostics.why_orders import order_sentence, orders_of, under_way
from bot.diagnostics.why_subject import Subject
from bot.domain.decision import ExitStatus
from bot.domain.order import OrderKind
from bot.domain.position import Position
from bot.storage.debts import waiting_copies
from bot.storage.exit_states import ExitState, exit_decisions_of, exit_states_of

_STATUS = {
    ExitStatus.SELLING: "It is being sold",
    ExitStatus.WAITING: "Its exit waits",
    ExitStatus.UNGUARDED: "NOTHING GUARDS IT",
}


@dataclass(frozen=True)
class Nearest:
    """The armed rule that the price is nearest to; distance in percent of the bid."""

    rule: str
    level: str
    distance: Decimal


def explain_held(connection: Connection, subject: Subject, position: Position, answer: Answer, *, limit: int) -> None:
    """One position, in full."""
    at = subject.account.reader.seen_at
    answer.say(holding(subject.label, position, at))
    state = exit_states_of(connection, subject.label).get(position.symbol)
    answer.wrong |= state is not None and state.status is ExitStatus.UNGUARDED
    answer.say(standing(state))
    answer.say(_staleness(subject, state))
    orders = orders_of(connection, subject.label, symbol=position.symbol, limit=limit)
    for order in under_way(orders):
        answer.say(order_sentence(order))
    if position.owed_quantity:
        answer.say(f"{amount(position.owed_quantity)} of it should have been sold with its master, and were too few")
    for row in waiting_copies(connection, subject.label, position.symbol):
        if row.kind == OrderKind.EXIT:
            answer.say(f"An exit of its master (signal {row.signal_id[:8]}) is owed: python bot.py debts")
    if state is not None:
        answer.show(_rules(state))
        answer.facts["exit"] = _json(state)
    answer.show(_decisions(connection, subject.label, position.symbol, limit))


def holding(label: str, position: Position, at: datetime) -> str:
    """`kraken holds 0.5 BTC/USD since …, bought at 100 on average`."""
    bought = f"bought at {amount(position.average_entry_price)} on average"
    return (
        f"{label} holds {amount(position.quantity)} {position.symbol} since {since(position.opened_at, at)}, {bought}"
    )


def standing(state: ExitState | None) -> str:
    """How it stands with its exits, in a sentence."""
    if state is None:
        return "No cycle has judged its exits yet"
    if state.status is not ExitStatus.ARMED:
        rule = f" by its {words(state.rule)}" if state.rule else ""
        return f"{_STATUS[state.status]}{rule}: {state.reason}{_faults(state)}"
    near = nearest(state.rules)
    if near is None:
        return f"It is kept, because no exit rule is met: {state.reason}{_faults(state)}"
    bid = "" if state.bid is None else f" of {amount(state.bid)}"
    how_far = f"{near.level}, {near.distance:.2f} % away from the bid{bid}"
    return (
        f"It is kept, because no exit rule is met; the nearest is its {words(near.rule)} at {how_far}{_faults(state)}"
    )


def nearest(rules: Mapping[str, Mapping[str, Any]]) -> Nearest | None:
    """Of the rules that a price can meet now; None when there is none."""
    found = []
    for rule, said in rules.items():
        distance = _number(said.get("distance_percent"))
        if distance is not None and said.get("armed", True):
            found.append(Nearest(rule, str(said.get("level")), distance))
    return min(found, key=lambda each: each.distance, default=None)


def _faults(state: ExitState) -> str:
    return f" (of its plan this cannot be used: {state.faults})" if state.faults else ""


def _staleness(subject: Subject, state: ExitState | None) -> str:
    """A state is as of the last cycle. What is old says nothing about now."""
    if state is None:
        return ""
    reader = subject.account.reader
    if reader.seen_at - state.at <= timedelta(seconds=LATE_AFTER_CYCLES * reader.cycle_seconds):
        return ""
    return f"This is as of {since(state.at, reader.seen_at)}: no later cycle has judged it"


def _rules(state: ExitState) -> Listing:
    columns = {"rule": "rule", "level": "level", "distance": "distance", "armed": "armed", "besides": ""}
    rows = [_rule(rule, said, state.rule) for rule, said in state.rules.items()]
    return Listing("exit_rules", "Its exit rules, in rank", columns, rows)


def _rule(rule: str, said: Mapping[str, Any], met: str) -> dict[str, Cell]:
    distance = _number(said.get("distance_percent"))
    known = ("level", "distance_percent", "armed")
    besides = [f"{words(name)} {value}" for name, value in said.items() if name not in known and value is not None]
    return {
        "rule": rule,
        "level": None if said.get("level") is None else str(said["level"]),
        "distance": None if distance is None else f"{distance:.2f} %",
        "armed": bool(said.get("armed", True)),
        "besides": "; ".join([*(["MET"] if rule == met else []), *besides]),
    }


def _decisions(connection: Connection, account_id: str, symbol: str, limit: int) -> Listing:
    columns = {"at": "at (UTC)", "status": "status", "rule": "rule", "bid": "bid", "reason": "because"}
    rows: list[dict[str, Cell]] = [
        {
            "at": each.at,
            "status": str(each.status),
            "rule": each.rule or None,
            "bid": each.bid,
            "reason": each.reason,
            "client_order_id": each.client_order_id,
        }
        for each in exit_decisions_of(connection, account_id, symbol=symbol, limit=limit)
    ]
    return Listing("exit_decisions", "What was decided about it, and when that changed", columns, rows)


def position_listing(positions: Sequence[Position], states: Mapping[str, ExitState], at: datetime) -> Listing:
    """All that an account holds, a line each."""
    columns = {
        "symbol": "symbol",
        "quantity": "quantity",
        "entry": "bought at",
        "held": "held for",
        "status": "exits",
        "why": "still held because",
    }
    rows = [_position(each, states.get(each.symbol), at) for each in positions]
    return Listing("positions", "What it holds, and why it still does", columns, rows)


def _position(position: Position, state: ExitState | None, at: datetime) -> dict[str, Cell]:
    return {
        "symbol": position.symbol,
        "quantity": position.quantity,
        "entry": position.average_entry_price,
        "opened_at": position.opened_at,
        "held": age(position.opened_at, at),
        "status": None if state is None else str(state.status),
        "why": standing(state),
    }


def _json(state: ExitState) -> dict[str, Any]:
    return {
        "status": str(state.status),
        "rule": state.rule,
        "reason": state.reason,
        "bid": None if state.bid is None else amount(state.bid),
        "rules": dict(state.rules),
        "faults": state.faults,
        "cycle": state.cycle,
    }


def _number(text: object) -> Decimal | None:
    try:
        return None if text is None else Decimal(str(text))
    except InvalidOperation:
        return None
