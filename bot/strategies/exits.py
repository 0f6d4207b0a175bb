"""When a position is sold: ranked rules, one decision, no strategy needed.

The rules, in rank: hard stop, trailing stop, target, and last the strategy's wish. Each is one comparison of the best
bid (what a sale would bring) with one level, and a touch counts. If several are met the first in rank gives its name.
No rule can veto another, and no entry filter is asked. Levels come from the account's own average entry price, for
masters and users alike. Long positions only: these are spot accounts.

The trailing stop follows the highest bid since the entry and is on from the entry: with a distance smaller than the
hard stop's, it is the one that fires first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from bot.domain.money import plain
from bot.domain.position import Position
from bot.domain.quote import Quote
from bot.strategies.interface import ExitIntent
from bot.strategies.percent import Percent


class ExitRule(StrEnum):
    """Why a position is sold, in rank."""

    HARD_STOP = "hard_stop"
    TRAILING_STOP = "trailing_stop"
    TARGET = "target"
    SIGNAL = "signal"


@dataclass(frozen=True)
class RuleState:
    """Where one price rule stands: its level (quote per base), and how far the bid still is from it.

    `distance_percent` is percent of the bid: positive = not reached, zero or below = met.
    """

    level: Decimal
    distance_percent: Decimal

    @property
    def met(self) -> bool:
        return self.distance_percent <= 0


@dataclass(frozen=True)
class ExitDecision:
    """One position, one quote, one answer. `rule` is None when the position is kept.

    `level` is the price the rule was met at (None for a signal or a kept position). `states` has every price rule of
    the plan. `faults` names parts of the plan that cannot be used; the other parts were applied all the same.
    """

    symbol: str
    rule: ExitRule | None
    reason: str
    bid: Decimal
    level: Decimal | None
    states: Mapping[ExitRule, RuleState]
    faults: tuple[str, ...] = ()

    @property
    def sells(self) -> bool:
        return self.rule is not None

    @property
    def distance_percent(self) -> dict[ExitRule, Decimal]:
        """Distance of the bid to each rule's level, in percent of the bid."""
        return {rule: state.distance_percent for rule, state in self.states.items()}


def with_highest_bid(position: Position, quote: Quote) -> Position:
    """The position, its highest price raised to the bid if that is higher; it never falls."""
    _same_symbol(position, quote.symbol)
    return replace(position, highest_price=quote.bid) if quote.bid > position.highest_price else position


def decide_exit(position: Position, quote: Quote, *, signal: ExitIntent | None = None) -> ExitDecision:
    """Apply the position's exit plan and the strategy's wish to one quote.

    Raises ValueError when quote or signal are of another symbol; a broken plan does not raise, see `faults`.
    """
    _same_symbol(position, quote.symbol)
    if signal is not None:
        _same_symbol(position, signal.symbol)
    states, faults = _states(position, quote.bid)
    rule = next((rule for rule in ExitRule if rule in states and states[rule].met), None)
    if rule is None and signal is not None:
        rule = ExitRule.SIGNAL
    return ExitDecision(
        symbol=position.symbol,
        rule=rule,
        reason=_reason(rule, states, quote.bid, signal),
        bid=quote.bid,
        level=states[rule].level if rule in states else None,
        states=MappingProxyType(states),
        faults=tuple(faults),
    )


def _states(position: Position, bid: Decimal) -> tuple[dict[ExitRule, RuleState], list[str]]:
    plan = position.exit_plan
    entry = position.average_entry_price
    highest = max(position.highest_price, entry, bid)
    wanted = (
        (ExitRule.HARD_STOP, plan.stop_loss_percent, entry),
        (ExitRule.TRAILING_STOP, plan.trailing_stop_percent, highest),
        (ExitRule.TARGET, plan.take_profit_percent, entry),
    )
    states: dict[ExitRule, RuleState] = {}
    faults: list[str] = []
    for rule, percent, anchor in wanted:
        if percent is None:
            continue
        try:
            states[rule] = _state(rule, percent, anchor, bid)
        except ValueError as error:
            faults.append(f"{rule}: {error}")
    return states, faults


def _state(rule: ExitRule, percent: Decimal, anchor: Decimal, bid: Decimal) -> RuleState:
    if anchor <= 0:
        raise ValueError(f"a price of {anchor:f} is nothing to measure from")
    if rule is ExitRule.TARGET:
        level = Percent.of_target(percent).above(anchor)
        return RuleState(level, Percent.distance(bid, level=level).value)
    level = Percent.of_stop(percent).below(anchor)
    return RuleState(level, -Percent.distance(bid, level=level).value)


def _reason(
    rule: ExitRule | None, states: Mapping[ExitRule, RuleState], bid: Decimal, signal: ExitIntent | None
) -> str:
    if rule is ExitRule.SIGNAL and signal is not None:
        return signal.reason
    if rule is None:
        return _kept(states)
    side = "at or above" if rule is ExitRule.TARGET else "at or below"
    return f"bid {plain(bid)} is {side} the {rule.replace('_', ' ')} {plain(states[rule].level)}"


def _kept(states: Mapping[ExitRule, RuleState]) -> str:
    if not states:
        return "kept: the plan has no usable price exit"
    distances = ", ".join(f"{rule.replace('_', ' ')} {state.distance_percent:.2f} %" for rule, state in states.items())
    return f"kept: distance to {distances}"


def _same_symbol(position: Position, symbol: str) -> None:
    if position.symbol != symbol:
        raise ValueError(f"position in {position.symbol} cannot be judged by {symbol}")
