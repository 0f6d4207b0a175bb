"""How much a user needs to copy its master, as far as it can be known before it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from types import MappingProxyType

from bot.brokers.dearest_fees import dearest_taker_fee_percent
from bot.diagnostics.min_balance import past_entries, terms_of
from bot.diagnostics.store_reading import NoStore, read_store
from bot.domain.account import BrokerType
from bot.domain.money import plain
from bot.followers import copy_limits
from bot.position_sizer import CopyMode, CopyRules
from bot.settings import Settings
from bot.smallest_balance import PastEntry, smallest_balances

LAST_ENTRIES = 200
# What the common markets of a brokerage ask of one order, in quote units: Kraken's ordermin of 0.00005 BTC at 100,000,
# Coinbase's quote_min_size, OKX's minSz of 0.00001 BTC, Binance's NOTIONAL filter, Alpaca's smallest fractional order.
USUAL_SMALLEST_ORDER: Mapping[BrokerType, Decimal] = MappingProxyType(
    {
        BrokerType.KRAKEN: Decimal(5),
        BrokerType.COINBASE: Decimal(1),
        BrokerType.OKX: Decimal(1),
        BrokerType.BINANCE: Decimal(5),
        BrokerType.ALPACA: Decimal(1),
    }
)


@dataclass(frozen=True)
class SmallestStart:
    """`balance` is in the quote currency, None = nothing can be said; `why` is the end of a sentence."""

    balance: Decimal | None
    currency: str
    why: str

    @property
    def sentence(self) -> str:
        if self.balance is None:
            return f"Smallest balance that makes sense: not known, {self.why}"
        return f"Smallest balance that makes sense: {plain(self.balance)} {self.currency}, {self.why}"


def smallest_start(settings: Settings, broker: BrokerType, rules: CopyRules) -> SmallestStart:
    """From the master's last entries if there are any, else from the settings. Reads the store, asks no brokerage."""
    currency = settings.quote_currency_of(broker)
    known = _from_entries(settings, broker, rules, _entries(settings, broker))
    balance, why = known if known is not None else _from_settings(settings, broker, rules)
    return SmallestStart(balance, currency, why)


def _entries(settings: Settings, broker: BrokerType) -> Sequence[PastEntry]:
    try:
        with read_store(settings) as connection:
            return past_entries(connection, broker, LAST_ENTRIES)
    except NoStore:
        return ()


def _from_entries(
    settings: Settings, broker: BrokerType, rules: CopyRules, entries: Sequence[PastEntry]
) -> tuple[Decimal, str] | None:
    terms = terms_of(copy_limits(settings), dearest_taker_fee_percent(broker))
    found = smallest_balances(entries, rules, terms, present=None)
    if found.for_90 is None:
        return None
    why = f"which would have copied 9 in 10 of the master's last {found.known} entries"
    return found.for_90.to_integral_value(ROUND_CEILING), f"{why}; {found.caution}" if found.caution else why


def _from_settings(settings: Settings, broker: BrokerType, rules: CopyRules) -> tuple[Decimal | None, str]:
    """A copy of the usual entry must reach the brokerage's smallest order."""
    least, order = settings.minimum_funded_usd, USUAL_SMALLEST_ORDER.get(broker)
    if order is None or settings.risk.sizing != "fixed_fraction":
        return least, "which is minimum_funded_usd; ask again with min-balance when the master has traded"
    if rules.mode is CopyMode.FIXED_AMOUNT and rules.fixed_amount_quote is not None:
        return max(least, rules.fixed_amount_quote * Decimal("1.05")), "for one copy of fixed_amount_usd and its fee"
    if rules.mode is CopyMode.FIXED_RATIO:
        return None, "since a fixed_ratio takes its size from the master's alone"
    part = settings.risk.order_fraction_of_balance_percent / 100 * rules.risk_multiplier
    needed = (order / part).to_integral_value(ROUND_CEILING)
    percent = plain(settings.risk.order_fraction_of_balance_percent)
    why = f"since an entry is {percent} % of the balance and usual markets take orders from about {plain(order)} on"
    return (needed, why) if needed >= least else (least, "which is minimum_funded_usd")
