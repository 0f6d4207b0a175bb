"""When a position is sold: ranked rules, one decision, no strategy needed.

The rules, in rank: hard stop, trailing stop, target, break-even, time, and last the strategy's wish. Each is one
comparison of the best bid (what a sale would bring) with one level, or of the time with a moment, and a touch counts.
If several are met the first in rank gives its name. No rule can veto another, and no entry filter is asked. Levels come
from the account's own average entry price, for masters and users alike. Long positions only: these are spot accounts.

The trailing stop follows the highest bid since the entry and is on from the entry: with a distance smaller than the
hard stop's, it is the one that fires first. The break-even rule is armed by the highest bid too, and never disarmed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from bot.domain.money import plain
from bot.domain.position import Position
from bot.domain.quote import Quote
from bot.strategies.interface import ExitIntent
from bot.strategies.percent import Percent

_NO_FEE = Percent(Decimal(0))
_MINUTES_A_YEAR = 366 * 24 * 60


class ExitRule(StrEnum):
    """Why a position is sold, in rank."""

    HARD_STOP = "hard_stop"
    TRAILING_STOP = "trailing_stop"
    TARGET = "target"
    BREAK_EVEN = "break_even"
    TIME = "time"
    SIGNAL = "signal"


STOPS = (ExitRule.HARD_STOP, ExitRule.TRAILING_STOP)


@dataclass(frozen=True)
class RuleState:
    """Where one price rule stands: its level (quote per base), and how far the bid still is from it.

    `distance_percent` is percent of the bid: positive = not reached, zero or below = reached. A rule that is not
    `armed` yet sells at no price.
    """

    level: Decimal
    distance_percent: Decimal
    armed: bool = True

    @property
    def met(self) -> bool:
        return self.armed and self.distance_percent <= 0


@dataclass(frozen=True)
class TimeState:
    """When a position has been held for as long as its plan allows, and whether that is now."""

    due_at: datetime
    met: bool


@dataclass(frozen=True)
class ExitDecision:
    """One position, one quote, one answer. `rule` is None when the position is kept.

    `level` is the price the rule was met at (None for time, a signal or a kept position). `states` has every price rule
    that is in force, `time` the one of time. `faults` names parts of the plan that cannot be used, and what stands in
    for them; the other parts were applied all the same.
    """

    symbol: str
    rule: ExitRule | None
    reason: str
    bid: Decimal
    level: Decimal | None
    states: Mapping[ExitRule, RuleState]
    time: TimeState | None = None
    faults: tuple[str, ...] = ()

    @property
    def sells(self) -> bool:
        return self.rule is not None

    @property
    def guarded(self) -> bool:
        """Whether a stop is in force: a fall of the price alone would sell it."""
        return any(rule in self.states for rule in STOPS)

    @property
    def stop_level(self) -> Decimal | None:
        """The price at which a fall would sell it: the highest of the levels below that are armed; None = nowhere."""
        below = [state.level for rule, state in self.states.items() if rule is not ExitRule.TARGET and state.armed]
        return max(below, default=None)

    @property
    def distance_percent(self) -> dict[ExitRule, Decimal]:
        """Distance of the bid to each rule's level, in percent of the bid."""
        return {rule: state.distance_percent for rule, state in self.states.items()}


def with_highest_bid(position: Position, quote: Quote) -> Position:
    """The position, its highest price raised to the bid if that is higher; it never falls."""
    _same_symbol(position, quote.symbol)
    return replace(position, highest_price=quote.bid) if quote.bid > position.highest_price else position


def decide_exit(
    position: Position,
    quote: Quote,
    *,
    signal: ExitIntent | None = None,
    now: datetime | None = None,
    round_trip_fee: Percent | None = None,
    default_stop_percent: Decimal | None = None,
) -> ExitDecision:
    """Apply the position's exit plan and the strategy's wish to one quote.

    `now` is the venue's time; without it the rule of time waits. `round_trip_fee` is what buying and selling cost
    together, in percent of the price: break-even lies so much above the entry. A plan without a usable stop gets one at
    `default_stop_percent`, which `faults` then says.

    Raises ValueError when quote or signal are of another symbol; a broken plan does not raise, see `faults`.
    """
    _same_symbol(position, quote.symbol)
    if signal is not None:
        _same_symbol(position, signal.symbol)
    faults: list[str] = []
    states = dict(_states(position, quote.bid, round_trip_fee or _NO_FEE, faults))
    states = _guarded(states, position, quote.bid, default_stop_percent, faults)
    time = _time(position, now, faults)
    rule = next((rule for rule in ExitRule if _is_met(rule, states, time, signal)), None)
    return ExitDecision(
        symbol=position.symbol,
        rule=rule,
        reason=_reason(rule, states, time, quote.bid, signal),
        bid=quote.bid,
        level=states[rule].level if rule in states else None,
        states=MappingProxyType(states),
        time=time,
        faults=tuple(faults),
    )


def _is_met(
    rule: ExitRule, states: Mapping[ExitRule, RuleState], time: TimeState | None, signal: ExitIntent | None
) -> bool:
    if rule is ExitRule.SIGNAL:
        return signal is not None
    if rule is ExitRule.TIME:
        return time is not None and time.met
    return rule in states and states[rule].met


# -- the rules of price ---------------------------------------------------------------------------------------------
def _states(
    position: Position, bid: Decimal, round_trip_fee: Percent, faults: list[str]
) -> Iterator[tuple[ExitRule, RuleState]]:
    plan, entry = position.exit_plan, position.average_entry_price
    highest = max(position.highest_price, entry, bid)
    wanted = (
        (ExitRule.HARD_STOP, plan.stop_loss_percent, entry),
        (ExitRule.TRAILING_STOP, plan.trailing_stop_percent, highest),
        (ExitRule.TARGET, plan.take_profit_percent, entry),
        (ExitRule.BREAK_EVEN, plan.break_even_percent, entry),
    )
    for rule, percent, anchor in wanted:
        if percent is None:
            continue
        try:
            if anchor <= 0:
                raise ValueError(f"a price of {anchor:f} is nothing to measure from")
            yield rule, _state(rule, percent, anchor, bid, highest, round_trip_fee)
        except ValueError as error:
            faults.append(f"{rule}: {error}")


def _state(
    rule: ExitRule, percent: Decimal, anchor: Decimal, bid: Decimal, highest: Decimal, round_trip_fee: Percent
) -> RuleState:
    if rule is ExitRule.TARGET:
        level = Percent.of_target(percent).above(anchor)
        return RuleState(level, Percent.distance(bid, level=level).value)
    if rule is ExitRule.BREAK_EVEN:
        return _break_even(Percent.of_target(percent).above(anchor), round_trip_fee.above(anchor), bid, highest)
    return _below(Percent.of_stop(percent).below(anchor), bid)


def _break_even(armed_from: Decimal, level: Decimal, bid: Decimal, highest: Decimal) -> RuleState:
    """Where fees are wider than the distance that arms it, it waits until the price has been above both."""
    return replace(_below(level, bid), armed=highest >= armed_from and highest > level)


def _below(level: Decimal, bid: Decimal) -> RuleState:
    return RuleState(level, -Percent.distance(bid, level=level).value)


def _guarded(
    states: dict[ExitRule, RuleState],
    position: Position,
    bid: Decimal,
    default_stop_percent: Decimal | None,
    faults: list[str],
) -> dict[ExitRule, RuleState]:
    """The rules of price with a stop among them, as far as that is possible; in rank."""
    if default_stop_percent is None or any(rule in states for rule in STOPS):
        return states
    # Without a price of its own the highest bid seen since is what is known of its worth.
    anchor = position.average_entry_price if position.average_entry_price > 0 else max(position.highest_price, bid)
    try:
        stop = _below(Percent.of_stop(default_stop_percent).below(anchor), bid)
    except ValueError as error:
        faults.append(f"no stop: {error}")
        return states
    faults.append(f"its plan has no usable stop; the account's, {plain(default_stop_percent)} %, guards it")
    return {ExitRule.HARD_STOP: stop} | states


# -- the rule of time -----------------------------------------------------------------------------------------------
def _time(position: Position, now: datetime | None, faults: list[str]) -> TimeState | None:
    minutes = position.exit_plan.max_hold_minutes
    if minutes is None:
        return None
    if not 0 < minutes <= 100 * _MINUTES_A_YEAR:
        faults.append(f"{ExitRule.TIME}: {minutes} minutes are no time to hold a position")
        return None
    due_at = position.opened_at + timedelta(minutes=minutes)
    return TimeState(due_at, met=now is not None and now >= due_at)


# -- in words -------------------------------------------------------------------------------------------------------
def _reason(
    rule: ExitRule | None,
    states: Mapping[ExitRule, RuleState],
    time: TimeState | None,
    bid: Decimal,
    signal: ExitIntent | None,
) -> str:
    if rule is ExitRule.SIGNAL and signal is not None:
        return signal.reason
    if rule is ExitRule.TIME and time is not None:
        return f"held until {time.due_at:%Y-%m-%d %H:%M} UTC, as long as its plan allows"
    if rule is None:
        return _kept(states, time)
    side = "at or above" if rule is ExitRule.TARGET else "at or below"
    return f"bid {plain(bid)} is {side} the {_words(rule)} {plain(states[rule].level)}"


def _kept(states: Mapping[ExitRule, RuleState], time: TimeState | None) -> str:
    until = f"; held until {time.due_at:%Y-%m-%d %H:%M} UTC at the longest" if time is not None else ""
    if not states:
        return f"kept: the plan has no usable price exit{until}"
    distances = ", ".join(
        f"{_words(rule)} {state.distance_percent:.2f} %{'' if state.armed else ' (not armed)'}"
        for rule, state in states.items()
    )
    return f"kept: distance to {distances}{until}"


def _words(rule: ExitRule) -> str:
    return "break-even" if rule is ExitRule.BREAK_EVEN else rule.replace("_", " ")


def _same_symbol(position: Position, symbol: str) -> None:
    if position.symbol != symbol:
        raise ValueError(f"position in {position.symbol} cannot be judged by {symbol}")
