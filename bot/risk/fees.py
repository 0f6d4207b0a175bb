"""What trading costs an account at its venue, and whether a target is worth it."""

from dataclasses import dataclass
from decimal import Decimal

from bot.brokers.base import BaseBroker
from bot.domain.money import percent_to_fraction
from bot.domain.position import ExitPlan
from bot.domain.quote import Quote
from bot.domain.veto import Veto, VetoRule
from bot.risk.case import shown


@dataclass(frozen=True)
class TakerFee:
    """Percent of the notional. `told` = the venue named it for this account; otherwise the venue's dearest tier."""

    percent: Decimal
    told: bool

    def __str__(self) -> str:
        return f"{shown(self.percent)} %" + ("" if self.told else " (not known: the dearest tier is assumed)")


def taker_fee_of(broker: BaseBroker, symbol: str) -> TakerFee:
    """From the last word of the venue; unknown is never free."""
    told = broker.taker_fee_percent(symbol)
    return TakerFee(broker.dearest_taker_fee_percent, False) if told is None else TakerFee(told, True)


def round_trip_cost_percent(quote: Quote, target_percent: Decimal, fee: TakerFee) -> Decimal:
    """What a purchase and its sale at the target cost, in percent of the entry price: two fees and the spread."""
    fees = fee.percent * (2 + percent_to_fraction(target_percent))
    return fees + (quote.ask - quote.bid) / quote.ask * 100


def fee_problem(quote: Quote, plan: ExitPlan, fee: TakerFee) -> Veto | None:
    """The veto of an entry whose target would not even pay for its own trades; a plan without a target has none."""
    target = plan.take_profit_percent
    if target is None:
        return None
    cost = round_trip_cost_percent(quote, target, fee)
    if target > cost:
        return None
    spread = (quote.ask - quote.bid) / quote.ask * 100
    numbers = {
        "take_profit_percent": shown(target),
        "round_trip_cost_percent": shown(cost),
        "taker_fee_percent": shown(fee.percent),
        "taker_fee": "told by the venue" if fee.told else "assumed: the venue's dearest tier",
        "spread_percent": shown(spread),
    }
    why = f"its target of {shown(target)} % is no more than the {cost:.3f} % that buying and selling cost"
    return Veto(VetoRule.FEES_EXCEED_TARGET, f"{why}: a fee of {fee} each way, a spread of {spread:.3f} %", numbers)
