"""How large a master's entry is. Pure: values in, a size or the rule that holds it back out.

Three ways, each rounded down to the lot and never more than the cash that is there after the fee:

- `fixed_fraction`: quantity = cash x percent / price.
- `risk_per_trade`: quantity = equity x percent / (price x what one unit loses from entry to stop, both fees included).
- `volatility_target`: quantity = equity x percent / (price x average move of a day).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from bot.domain.instrument import Instrument
from bot.domain.money import percent_to_fraction, plain
from bot.domain.veto import VetoRule

# Kept back beside the fee: a market order may be filled dearer than the price that it was sized at.
PRICE_RESERVE_PERCENT = Decimal("0.5")
_SHOWN = Decimal("0.00000001")


class Sizing(StrEnum):
    """What a master's size is derived from."""

    FIXED_FRACTION = "fixed_fraction"
    RISK_PER_TRADE = "risk_per_trade"
    VOLATILITY_TARGET = "volatility_target"


@dataclass(frozen=True, kw_only=True)
class SizingRules:
    """Percents: of the available cash, of the account's worth at risk, and of its worth that a usual day moves.

    `max_percent_of_worth` bounds the two that are computed: a stop that is near makes a large position of a small risk.
    """

    mode: Sizing = Sizing.FIXED_FRACTION
    percent_of_cash: Decimal = Decimal(5)
    risk_per_trade_percent: Decimal = Decimal(1)
    target_volatility_percent: Decimal = Decimal(1)
    max_percent_of_worth: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class EntryFacts:
    """What a size is made from: price, cash and equity in quote units, the rest in percent; None = not known.

    `daily_move_percent` is the average true range of a candle scaled to a day, of the price. `caps` are the largest
    notionals that limits leave room for, by the limit's name; a size is cut down to the smallest of them.
    """

    price: Decimal
    cash: Decimal
    instrument: Instrument
    taker_fee_percent: Decimal
    equity: Decimal | None = None
    stop_loss_percent: Decimal | None = None
    daily_move_percent: Decimal | None = None
    caps: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class MasterSize:
    """Base units, a multiple of the lot. `set_by` is what decided it: the way of sizing, a cap's name, or `cash`."""

    quantity: Decimal
    set_by: str
    numbers: Mapping[str, str]


@dataclass(frozen=True)
class NoMasterSize:
    """Why nothing is bought. `detail` is a sentence, `numbers` are what was compared."""

    rule: VetoRule
    detail: str
    numbers: Mapping[str, str]


def size_master_entry(rules: SizingRules, facts: EntryFacts) -> MasterSize | NoMasterSize:
    """The size by these rules, cut down to caps and cash, rounded down to the lot and held against the minimum."""
    numbers = _numbers_of(facts)
    wanted = _WAYS[rules.mode](rules, facts, numbers)
    if isinstance(wanted, NoMasterSize):
        return wanted
    bounds = {str(rules.mode): wanted, **facts.caps, **_part_of_worth(rules, facts), "cash": affordable(facts)}
    set_by = min(bounds, key=lambda name: bounds[name])
    notional = max(Decimal(0), bounds[set_by])
    numbers |= {"wanted_quote": shown(wanted), "allowed_quote": shown(notional), "set_by": set_by}
    quantity = facts.instrument.floor_quantity(notional / facts.price)
    too_small = facts.instrument.below_minimum(quantity, facts.price)
    if too_small:
        return NoMasterSize(VetoRule.BELOW_MINIMUM, f"{too_small} ({set_by} allows {shown(notional)})", numbers)
    return MasterSize(quantity, set_by, numbers | {"quantity_base": plain(quantity)})


def _part_of_worth(rules: SizingRules, facts: EntryFacts) -> Mapping[str, Decimal]:
    if rules.mode is Sizing.FIXED_FRACTION or rules.max_percent_of_worth is None or facts.equity is None:
        return {}
    return {"max_order_worth_percent": facts.equity * percent_to_fraction(rules.max_percent_of_worth)}


def affordable(facts: EntryFacts) -> Decimal:
    """The largest notional that the cash pays for, with its fee and a price that may move meanwhile."""
    reserve = facts.taker_fee_percent + PRICE_RESERVE_PERCENT
    return facts.cash / (1 + percent_to_fraction(reserve))


def lost_at_stop(stop_loss_percent: Decimal, taker_fee_percent: Decimal) -> Decimal:
    """What a unit of notional loses when the stop is hit: the distance, the fee of the buy and that of the sale."""
    stop, fee = percent_to_fraction(stop_loss_percent), percent_to_fraction(taker_fee_percent)
    return stop + fee + fee * (1 - stop)


def shown(number: Decimal) -> str:
    """For rows and people: up to eight digits after the point."""
    return plain(number.quantize(_SHOWN))


def _fixed_fraction(rules: SizingRules, facts: EntryFacts, numbers: dict[str, str]) -> Decimal | NoMasterSize:
    numbers["percent_of_cash"] = shown(rules.percent_of_cash)
    return facts.cash * percent_to_fraction(rules.percent_of_cash)


def _risk_per_trade(rules: SizingRules, facts: EntryFacts, numbers: dict[str, str]) -> Decimal | NoMasterSize:
    numbers["risk_per_trade_percent"] = shown(rules.risk_per_trade_percent)
    if facts.stop_loss_percent is None:
        return NoMasterSize(VetoRule.NO_STOP, "risk per trade needs a stop, and this entry has none", numbers)
    if facts.equity is None:
        return _no_equity(numbers)
    at_risk = facts.equity * percent_to_fraction(rules.risk_per_trade_percent)
    loss = lost_at_stop(facts.stop_loss_percent, facts.taker_fee_percent)
    numbers |= {"at_risk_quote": shown(at_risk), "loss_at_stop_percent": shown(loss * 100)}
    return at_risk / loss


def _volatility_target(rules: SizingRules, facts: EntryFacts, numbers: dict[str, str]) -> Decimal | NoMasterSize:
    numbers["target_volatility_percent"] = shown(rules.target_volatility_percent)
    move = facts.daily_move_percent
    if move is None or move <= 0:
        why = "not known" if move is None else "nothing at all"
        return NoMasterSize(VetoRule.VOLATILITY_UNKNOWN, f"how far its price moves in a day is {why}", numbers)
    if facts.equity is None:
        return _no_equity(numbers)
    return facts.equity * rules.target_volatility_percent / move


def _no_equity(numbers: dict[str, str]) -> NoMasterSize:
    return NoMasterSize(VetoRule.EQUITY_UNKNOWN, "what the account is worth is not known", numbers)


def _numbers_of(facts: EntryFacts) -> dict[str, str]:
    """What the size is made from, as far as it is known."""
    known = {
        "price_quote": facts.price,
        "cash_quote": facts.cash,
        "equity_quote": facts.equity,
        "stop_loss_percent": facts.stop_loss_percent,
        "daily_move_percent": facts.daily_move_percent,
        "taker_fee_percent": facts.taker_fee_percent,
    }
    return {name: shown(number) for name, number in known.items() if number is not None}


_WAYS = {
    Sizing.FIXED_FRACTION: _fixed_fraction,
    Sizing.RISK_PER_TRADE: _risk_per_trade,
    Sizing.VOLATILITY_TARGET: _volatility_target,
}
