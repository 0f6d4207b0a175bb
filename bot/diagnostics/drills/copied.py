"""What most drills do and look at: the master trades by hand, the users copy, and each of them exactly once."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.diagnostics.drills.finding import CutShort
from bot.diagnostics.drills.stage import ANSWER_SECONDS, Stage
from bot.domain.money import plain
from bot.domain.order import Side

COPIED = ("copied", "partly_copied")


def buy(stage: Stage, symbol: str) -> Decimal:
    """The master's owner buys at the market; returns base units."""
    stage.traded_at = stage.clock.monotonic()
    quantity = stage.hand.buy(symbol, stage.notional())
    stage.finding.tell(f"{stage.finding.name}: the master bought {plain(quantity)} {symbol}")
    return quantity


def answered(stage: Stage, symbol: str, signals: int) -> Sequence[dict[str, Any]]:
    """The master's trades, once there are so many and every user has answered each; before that nothing."""
    found = stage.signals(symbol)
    done = all(
        one["planned_at"] and one["users"] and all(user["status"] != "planned" for user in one["users"])
        for one in found
    )
    return found if done and len(found) >= signals else []


def all_answered(stage: Stage, symbol: str, signals: int, text: str) -> float | None:
    """A step: every user's answer is known; returns the seconds since the master's owner traded, None if it is not."""
    waited = stage.wait(lambda: answered(stage, symbol, signals), ANSWER_SECONDS)
    took = None if waited is None else stage.clock.monotonic() - stage.traded_at
    found = stage.signals(symbol)
    seen = "; ".join(_answer(user) for user in found[-1]["users"]) if found else "the bot has not seen the trade"
    stage.finding.check(f"every user has answered, {text}", took is not None, seen or "no answer", seconds=took)
    return took


def _answer(user: dict[str, Any]) -> str:
    why = " ".join(filter(None, (user["reason"], user["detail"])))
    return f"{user['user_id']} {user['status'].replace('_', ' ')}{': ' + why if why else ''}"


def bought_once(stage: Stage, symbol: str) -> None:
    """By the journal: one order for every copy, none twice, and at least one copy to speak of."""
    witness, finding = stage.witness(), stage.finding
    for user in stage.users:
        name = user.user_id
        copies = [
            answer
            for signal in stage.signals(symbol)
            for answer in signal["users"]
            if answer["user_id"] == name and signal["side"] == "buy" and answer["status"] in COPIED
        ]
        orders = witness.orders(name, "buy", symbol)
        bought, booked = (
            witness.traded(name, "buy", symbol),
            sum((Decimal(one["filled_quantity"]) for one in copies), Decimal(0)),
        )
        finding.check(
            f"{name} has as many orders at the exchange as copies, and bought what was booked",
            len(orders) == len(copies) and bought == booked,
            f"{len(orders)} accepted, {len(copies)} copied; {plain(bought)} {symbol} bought, {plain(booked)} booked",
        )
    twice = witness.taken_twice()
    finding.check("no order was taken twice", not twice, ", ".join(twice) or "none was")
    finding.check(
        f"{stage.victim.user_id} copied at all",
        bool(witness.orders(stage.victim.user_id, "buy", symbol)),
        f"{plain(witness.traded(stage.victim.user_id, 'buy', symbol))} {symbol} bought",
    )


def sell_all(stage: Stage, symbol: str, *, within: float = ANSWER_SECONDS) -> float | None:
    """The master's owner sells what the master holds; a step: every user has sold too, by the journal."""
    held = stage.witness().held("master", symbol)
    if held <= 0:
        raise CutShort("the master holds nothing that could be sold")
    stage.hand.trade(Side.SELL, symbol, held)
    stage.finding.tell(f"{stage.finding.name}: the master sold {plain(held)} {symbol}")
    names = [user.user_id for user in stage.users]
    took = stage.wait(lambda: not _still_held(stage, names, symbol), within)
    left = _still_held(stage, names, symbol)
    stage.finding.check(
        "what was copied is sold with the master",
        took is not None,
        "; ".join(f"{name} holds {plain(amount)}" for name, amount in left.items()) or "nobody holds any",
        seconds=took,
    )
    return took


def _still_held(stage: Stage, names: Sequence[str], symbol: str) -> dict[str, Decimal]:
    """More than a lot: what is less cannot be sold."""
    lot, witness = stage.hand.instrument(symbol).lot_step, stage.witness()
    return {name: witness.held(name, symbol) for name in names if witness.held(name, symbol) >= lot}
