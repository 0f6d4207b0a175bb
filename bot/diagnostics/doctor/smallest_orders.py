"""Whether balances are enough for the smallest orders that a venue takes: cannot trade because, cannot copy below."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from bot.brokers.base import BaseBroker
from bot.diagnostics.doctor.account_look import Means, tradable
from bot.diagnostics.doctor.finding import Finding, bad, note, ok, warn
from bot.domain.account import AccountRef
from bot.domain.errors import NijaError
from bot.domain.instrument import Instrument
from bot.domain.quote import Quote
from bot.position_sizer import least_quantity
from bot.settings import Settings
from bot.settings.users import CopySettings

# Prices are asked for so many markets at most, the best known first: one or two calls.
MARKETS = 40
_FIRST = ("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "AAPL", "MSFT", "SPY", "NVDA")
_CENT = Decimal("0.01")
_PERCENT = Decimal(100)
_BY_BALANCE = ("balance_ratio", "equity_ratio")


@dataclass(frozen=True)
class SmallestOrders:
    """Of the markets looked at, by symbol: what the venue's smallest order costs (quote units)."""

    quote: str
    cost: Mapping[str, Decimal]

    @property
    def cheapest(self) -> tuple[str, Decimal]:
        return min(self.cost.items(), key=lambda item: item[1])

    def closed_to(self, notional: Decimal) -> int:
        """How many of the markets take no order as small as this."""
        return sum(least > notional for least in self.cost.values())


def smallest_orders(broker: BaseBroker) -> SmallestOrders | None:
    """None when the venue does not tell rules or prices."""
    try:
        markets = _best_known(tradable(broker.get_trading_pairs(), broker.quote_currency))
        quotes = broker.get_best_bid_ask_batch([one.symbol for one in markets])
    except NijaError:
        return None
    cost = {one.symbol: cost_of_least(one, quotes[one.symbol]) for one in markets if one.symbol in quotes}
    return SmallestOrders(broker.quote_currency, cost) if cost else None


def cost_of_least(instrument: Instrument, quote: Quote) -> Decimal:
    return least_quantity(instrument, quote.ask) * quote.ask


def _best_known(markets: Sequence[Instrument]) -> Sequence[Instrument]:
    rank = {base: place for place, base in enumerate(_FIRST)}
    return sorted(markets, key=lambda one: (rank.get(one.symbol.partition("/")[0], len(rank)), one.symbol))[:MARKETS]


def examine_means(
    means: Mapping[AccountRef, Means], orders: SmallestOrders | None, settings: Settings
) -> Iterator[Finding]:
    """Of the accounts of one brokerage."""
    if orders is None:
        if means:
            yield note("ACC-10", "the smallest orders are not known: rules or prices of the markets cannot be read")
        return
    master = next((each for account, each in means.items() if account.is_master), None)
    for account, each in means.items():
        if account.is_master:
            yield _master(each, orders, settings)
        else:
            yield _user(each, master, orders, settings)


def entry_of_master(master: Means, settings: Settings) -> Decimal | None:
    """What its next entry would cost about; None where the size hangs on a market's own stop or moves."""
    if settings.risk.sizing != "fixed_fraction":
        return None
    return master.available * settings.risk.order_fraction_of_balance_percent / _PERCENT


def _master(means: Means, orders: SmallestOrders, settings: Settings) -> Finding:
    label, (symbol, least) = means.account.label, orders.cheapest
    entry = entry_of_master(means, settings)
    size = means.available if entry is None else entry
    smallest = f"the smallest order costs {_money(least)} {orders.quote} ({symbol})"
    fix = "pay in, or raise risk.order_fraction_of_balance_percent"
    if size < least:
        text = f"{label} cannot trade because an entry of it would be {_money(size)} {orders.quote}, and {smallest}"
        return bad("ACC-10", text, fix)
    closed = orders.closed_to(size)
    text = f"{label}: entries of about {_money(size)} {orders.quote}; {smallest}"
    if closed:
        return warn("ACC-10", f"{text}, and {closed} of {len(orders.cost)} markets take none so small", fix)
    return ok("ACC-10", text)


def _user(means: Means, master: Means | None, orders: SmallestOrders, settings: Settings) -> Finding:
    label, (symbol, least) = means.account.label, orders.cheapest
    rules = next(user.copy_rules for user in settings.users if user.account == means.account)
    if means.available < least:
        text = f"{label} cannot copy: {_money(means.available)} {orders.quote} available, and the smallest order costs "
        return bad("ACC-10", f"{text}{_money(least)} ({symbol})", "pay in")
    ratio = _ratio(means, master, rules)
    if ratio is None:
        return _fixed(label, rules, orders)
    if ratio == 0:
        return bad("ACC-10", f"{label} cannot copy: its share of the master's entries is nothing", "pay in")
    below = least / ratio
    text = f"{label} copies entries of the master from {_money(below)} {orders.quote} on ({symbol})"
    entry = None if master is None else entry_of_master(master, settings)
    if entry is None:
        return note("ACC-10", text)
    share, closed = entry * ratio, orders.closed_to(entry * ratio)
    now = f"of its entries of about {_money(entry)} it gets {_money(share)}"
    if share < least or closed:
        many = f"which is too small for {closed} of {len(orders.cost)} markets"
        fix = f"python bot.py min-balance {label}, or copy.below_minimum round_up or accumulate in its user file"
        text = f"{label} cannot copy entries of the master below {_money(below)} {orders.quote} ({symbol})"
        return warn("ACC-10", f"{text}; {now}, {many}", fix)
    return ok("ACC-10", f"{text}; {now}")


def _fixed(label: str, rules: CopySettings, orders: SmallestOrders) -> Finding:
    symbol, least = orders.cheapest
    fixed = rules.fixed_amount_usd if rules.copy_mode == "fixed_amount" else None
    amount = None if fixed is None else fixed * rules.risk_multiplier
    if amount is None:
        return note("ACC-10", f"{label}: the smallest order costs {_money(least)} {orders.quote} ({symbol})")
    closed = orders.closed_to(amount)
    text = f"{label} copies with {_money(amount)} {orders.quote} each; the smallest order costs {_money(least)}"
    if closed:
        fix = "raise copy.fixed_amount_usd in its user file"
        return warn("ACC-10", f"{text}; {closed} of {len(orders.cost)} markets take none so small", fix)
    return ok("ACC-10", text)


def _ratio(means: Means, master: Means | None, rules: CopySettings) -> Decimal | None:
    """The user's part of a master's entry; None where it does not hang on the master's balance, or that is unknown."""
    if rules.copy_mode == "fixed_ratio":
        return (rules.fixed_ratio or Decimal(0)) * rules.risk_multiplier
    if rules.copy_mode not in _BY_BALANCE or master is None:
        return None
    mine, its = (means.available, master.available)
    if rules.copy_mode == "equity_ratio":
        mine, its = means.worth, master.worth
    return mine / its * rules.risk_multiplier if its > 0 else None


def _money(amount: Decimal) -> str:
    return f"{amount.quantize(_CENT, rounding=ROUND_UP):f}"
