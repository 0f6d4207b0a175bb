"""When an order that rests is given up, or placed anew at another price. Pure: state, quote and time in, verdict out.

An order of ours that rests at the best price of its own side is one step of a chain. When its time is over it is
cancelled, and what it has not filled is placed anew, each time a little closer to the other side: a step is
`reprice_step_bps` of the best price of the own side, and no price is further than `max_cross_bps` beyond the other
side's best. After `max_reprices` an entry is given up. An exit is sold at the market: it is never given up, and no
spread stops it.

Nothing here cancels or sends. `judge` is asked about a live order whether it stays, and about an ended one what comes
after it; in between the venue has said how much it has filled. The live program and the backtest both ask it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from bot.domain.instrument import Instrument
from bot.domain.order import OrderKind, OrderType, Side
from bot.domain.quote import Quote
from bot.settings.orders import OrdersSettings

# Rules of exits whose sale never rests: what they wait for has happened.
NEVER_REST = frozenset({"hard_stop", "trailing_stop", "break_even"})
_BPS = Decimal(10_000)


class Policy(StrEnum):
    """How an order is placed."""

    MARKET = "market"
    MARKETABLE = "marketable"  # limit, immediate or cancelled, at most so far beyond the other side's best price
    RESTING = "resting"


@dataclass(frozen=True, kw_only=True)
class OrderRules:
    """The section `orders` of the settings. Percents: 0.5 means 0.5 %; a basis point is a hundredth of a percent."""

    entry: Policy = Policy.MARKET
    exit: Policy = Policy.MARKET
    marketable_cap_percent: Decimal = Decimal("0.5")
    entry_ttl_seconds: float = 60.0
    exit_ttl_seconds: float = 30.0
    max_reprices: int = 3
    reprice_step_bps: Decimal = Decimal(5)
    max_cross_bps: Decimal = Decimal(20)
    cancel_above_spread_percent: Decimal = Decimal("0.5")
    cancel_at_stop: bool = True

    @classmethod
    def of(cls, settings: OrdersSettings) -> "OrderRules":
        return cls(
            entry=Policy(settings.entry),
            exit=Policy(settings.exit),
            marketable_cap_percent=settings.marketable_cap_percent,
            entry_ttl_seconds=settings.entry_ttl_seconds,
            exit_ttl_seconds=settings.exit_ttl_seconds,
            max_reprices=settings.max_reprices,
            reprice_step_bps=settings.reprice_step_bps,
            max_cross_bps=settings.max_cross_bps,
            cancel_above_spread_percent=settings.cancel_above_spread_percent,
            cancel_at_stop=settings.cancel_at_stop,
        )

    def ttl(self, kind: OrderKind) -> timedelta:
        """How long one step rests."""
        return timedelta(seconds=self.entry_ttl_seconds if kind is OrderKind.ENTRY else self.exit_ttl_seconds)


class Standing(StrEnum):
    """How the chain's last order stands, by the venue's word."""

    LIVE = "live"
    ENDED = "ended"  # as we asked, or as its type ends: cancelled, expired, filled
    LOST = "lost"  # ended by somebody else: its owner, or the venue
    REFUSED = "refused"  # never taken


@dataclass(frozen=True, kw_only=True)
class Chain:
    """One wish to trade and its last order. Quantities in base units, over all steps; `step` counts from 0."""

    side: Side
    kind: OrderKind
    ordered: Decimal
    filled: Decimal
    step: int
    order_type: OrderType
    standing: Standing
    placed_at: datetime
    # Of an exit that must not rest any more, such as one that a stop has overtaken.
    hurried: bool = False

    @property
    def remaining(self) -> Decimal:
        """What is still to be traded; never below zero."""
        return max(Decimal(0), self.ordered - self.filled)


@dataclass(frozen=True)
class Keep:
    """Leave the order as it is, at least until this moment."""

    until: datetime


@dataclass(frozen=True)
class Cancel:
    """Cancel the order; when the venue has confirmed it, ask again what comes after it."""

    why: str


@dataclass(frozen=True)
class Reprice:
    """Place what is left at this limit."""

    order_type: OrderType
    price: Decimal


@dataclass(frozen=True)
class Escalate:
    """Place what is left at the market."""

    why: str


@dataclass(frozen=True)
class GiveUp:
    """Cancel what is live, and place nothing more."""

    why: str


Verdict = Keep | Cancel | Reprice | Escalate | GiveUp


def policy_of(kind: OrderKind, exit_rule: str, rules: OrderRules) -> Policy:
    """How an order of this kind goes out: a stop does not wait for a better price."""
    if kind is OrderKind.ENTRY:
        return rules.entry
    return Policy.MARKET if rules.exit is Policy.RESTING and exit_rule in NEVER_REST else rules.exit


def opening(
    *, side: Side, kind: OrderKind, policy: Policy, quote: Quote | None, instrument: Instrument, rules: OrderRules
) -> tuple[OrderType, Decimal | None]:
    """Type and limit of a chain's first order.

    Without a usable price an exit goes at the market. An entry then raises ValueError: its cap cannot be kept.
    """
    if policy is Policy.MARKET:
        return OrderType.MARKET, None
    order_type = OrderType.LIMIT_GTC if policy is Policy.RESTING else OrderType.LIMIT_IOC
    price = None if quote is None else price_of(order_type, side, 0, quote, instrument, rules)
    if price is not None:
        return order_type, price
    if kind is OrderKind.ENTRY:
        raise ValueError(f"{instrument.symbol}: there is no price that a {policy} entry could be placed at")
    return OrderType.MARKET, None


def judge(chain: Chain, quote: Quote | None, *, instrument: Instrument, rules: OrderRules, now: datetime) -> Verdict:
    """What becomes of the chain now. `quote` is None when the price is not known.

    Of a live order: `Keep`, `Cancel` or `GiveUp`. Of one that has ended: `Reprice`, `Escalate` or `GiveUp`.
    """
    if chain.remaining <= 0:
        return GiveUp("all of it is traded")
    if chain.standing is Standing.LIVE:
        return _of_live(chain, quote, rules, now)
    if chain.kind is OrderKind.ENTRY:
        return _of_ended_entry(chain, quote, instrument, rules)
    return _of_ended_exit(chain, quote, instrument, rules)


def price_of(
    order_type: OrderType, side: Side, step: int, quote: Quote, instrument: Instrument, rules: OrderRules
) -> Decimal | None:
    """The limit of one step, on the tick and inside its bound; None when the market has no price that low."""
    if order_type is OrderType.LIMIT_IOC:
        return _within(side, quote, rules.marketable_cap_percent * 100, instrument)
    bound = _within(side, quote, rules.max_cross_bps, instrument)
    if bound is None:
        return None
    moved = rules.reprice_step_bps * step / _BPS
    if side is Side.BUY:
        price = instrument.buy_cap(quote.bid * (1 + moved))
        if step:
            # A step that is less than a tick is one tick: else it would only lose its place in the queue.
            price = max(price, instrument.buy_cap(quote.bid) + instrument.tick_size)
        price = min(price, bound)
        return price if price > 0 else None
    price = instrument.sell_floor(quote.ask * (1 - moved))
    if step:
        price = min(price, instrument.sell_floor(quote.ask) - instrument.tick_size)
    return max(price, bound)


def spread_percent(quote: Quote) -> Decimal:
    """Distance of ask and bid, in percent of the middle."""
    return (quote.ask - quote.bid) / quote.mid * 100


# -- inside ---------------------------------------------------------------------------------------------------------
def _of_live(chain: Chain, quote: Quote | None, rules: OrderRules, now: datetime) -> Verdict:
    if chain.order_type is not OrderType.LIMIT_GTC:
        return Keep(now + rules.ttl(chain.kind))  # it ends by itself
    if chain.hurried:
        return Cancel("it must not rest any more")
    due_at = chain.placed_at + rules.ttl(chain.kind)
    if chain.kind is OrderKind.EXIT:
        return Cancel(_over(rules, chain)) if now >= due_at else Keep(due_at)
    wide = _too_wide(quote, rules)
    if wide:
        return GiveUp(wide)
    if now < due_at:
        return Keep(due_at)
    if chain.step >= rules.max_reprices:
        return GiveUp(_spent(rules, chain))
    return Cancel(_over(rules, chain))


def _of_ended_entry(chain: Chain, quote: Quote | None, instrument: Instrument, rules: OrderRules) -> Verdict:
    if chain.standing is Standing.REFUSED:
        return GiveUp("the order was not taken")
    if chain.standing is Standing.LOST or chain.order_type is not OrderType.LIMIT_GTC:
        return GiveUp("the rest was not to be had")
    if chain.step >= rules.max_reprices:
        return GiveUp(_spent(rules, chain))
    if quote is None:
        return GiveUp("there is no price to place it anew at")
    wide = _too_wide(quote, rules)
    if wide:
        return GiveUp(wide)
    price = price_of(chain.order_type, chain.side, chain.step + 1, quote, instrument, rules)
    return GiveUp("there is no price to place it anew at") if price is None else Reprice(chain.order_type, price)


def _of_ended_exit(chain: Chain, quote: Quote | None, instrument: Instrument, rules: OrderRules) -> Verdict:
    if chain.hurried:
        return Escalate("it must not rest any more")
    if chain.standing is Standing.REFUSED or chain.order_type is OrderType.MARKET:
        return Escalate("no order before it has sold it")
    if chain.step >= rules.max_reprices:
        return Escalate(_spent(rules, chain))
    price = None if quote is None else price_of(chain.order_type, chain.side, chain.step + 1, quote, instrument, rules)
    return Escalate("its price is not known") if price is None else Reprice(chain.order_type, price)


def _within(side: Side, quote: Quote, bps: Decimal, instrument: Instrument) -> Decimal | None:
    """So far beyond the other side's best price, rounded to the inside."""
    if side is Side.BUY:
        price = instrument.buy_cap(quote.ask * (1 + bps / _BPS))
    else:
        price = instrument.sell_floor(quote.bid * (1 - bps / _BPS))
    return price if price > 0 else None


def _too_wide(quote: Quote | None, rules: OrderRules) -> str:
    if quote is None:
        return ""
    spread = spread_percent(quote)
    limit = rules.cancel_above_spread_percent
    return f"the spread is {spread:.3f} %, more than {limit:f} %" if spread > limit else ""


def _over(rules: OrderRules, chain: Chain) -> str:
    return f"it has rested for {rules.ttl(chain.kind).total_seconds():g} s"


def _spent(rules: OrderRules, chain: Chain) -> str:
    return f"not all of it was to be had in {chain.step + 1} tries"
