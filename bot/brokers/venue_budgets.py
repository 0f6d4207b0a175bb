"""How many calls go out to each brokerage: counters for its address and for each key, as the settings want them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.brokers.ending import Ending
from bot.brokers.rate_budget import RateBudget, RateBudgets
from bot.domain.account import BrokerType
from bot.seams.clock import Clock
from bot.settings.exchanges import ExchangeSettings
from bot.settings.model import Settings
from bot.supervision.probes import Probe


@dataclass(frozen=True, kw_only=True)
class VenueBudgets:
    """`public` is of the address, `keys` of each key; `data` of each key too, where market data is counted apart."""

    public: RateBudget
    keys: RateBudgets
    data: RateBudgets

    def probe(self) -> Probe:
        return self.public.probe()


@dataclass(frozen=True)
class _Allowance:
    """What a venue allows: calls per second with real money, within any window of so many seconds."""

    public_per_second: float
    public_window_seconds: float
    private_per_second: float
    private_window_seconds: float


class _CallRates(Protocol):
    @property
    def public_calls_per_second(self) -> float | None: ...

    @property
    def private_calls_per_second(self) -> float | None: ...


# Each venue's own documentation; where calls weigh differently, of the usual call.
_ALLOWANCES: Mapping[BrokerType, _Allowance] = {
    BrokerType.COINBASE: _Allowance(10.0, 1.0, 30.0, 1.0),
    BrokerType.OKX: _Allowance(5.0, 2.0, 5.0, 2.0),
    BrokerType.BINANCE: _Allowance(5.0, 60.0, 5.0, 10.0),
    BrokerType.ALPACA: _Allowance(3.0, 60.0, 3.0, 60.0),
}


# Of an exchange whose limits nobody has looked up.
UNKNOWN_LIMITS_PER_SECOND = 2.0
UNKNOWN_LIMITS_SECONDS = 5.0


def venue_budgets(settings: Settings, clock: Clock, ending: Ending) -> Mapping[BrokerType, VenueBudgets]:
    """Of every brokerage that counts calls by the second; Kraken has a counter of its own kind."""
    rates: Mapping[BrokerType, _CallRates] = {
        BrokerType.COINBASE: settings.coinbase,
        BrokerType.OKX: settings.okx,
        BrokerType.BINANCE: settings.binance,
        BrokerType.ALPACA: settings.alpaca,
    }
    live = settings.trading_mode == "live"
    counted = {broker: _budgets(broker, said, clock, ending, live=live) for broker, said in rates.items()}
    for name, exchange in settings.exchanges.items():
        counted[BrokerType(name)] = _of_exchange(BrokerType(name), exchange, clock, ending, live=live)
    return counted


def _of_exchange(
    broker: BrokerType, exchange: ExchangeSettings, clock: Clock, ending: Ending, *, live: bool
) -> VenueBudgets:
    """Opened by name: what it allows is not known, so all calls of the address share one slow pace."""
    rate = exchange.calls_per_second or (UNKNOWN_LIMITS_PER_SECOND if live else None)

    def uncounted(label: str) -> RateBudget:
        return _within(clock, f"{label}: {broker.proper_name}'s calls", None, 1.0, ending)

    public = _within(clock, f"{broker.proper_name}'s calls", rate, UNKNOWN_LIMITS_SECONDS, ending)
    return VenueBudgets(public=public, keys=RateBudgets(uncounted), data=RateBudgets(uncounted))


def _budgets(broker: BrokerType, said: _CallRates, clock: Clock, ending: Ending, *, live: bool) -> VenueBudgets:
    allowed, name = _ALLOWANCES[broker], broker.proper_name
    public = said.public_calls_per_second or (allowed.public_per_second if live else None)
    private = said.private_calls_per_second or (allowed.private_per_second if live else None)

    def of_address(whose: str) -> RateBudget:
        return _within(clock, whose, public, allowed.public_window_seconds, ending)

    def of_key(label: str) -> RateBudget:
        whose = f"{label}: {name}'s calls per second"
        return _within(clock, whose, private, allowed.private_window_seconds, ending)

    return VenueBudgets(
        public=of_address(f"{name}'s public calls"),
        keys=RateBudgets(of_key),
        data=RateBudgets(lambda label: of_address(f"{label}: {name}'s market data")),
    )


def _within(clock: Clock, name: str, rate: float | None, window_seconds: float, ending: Ending) -> RateBudget:
    """Half of what the window allows at once and half as the pace: no window sees more than the whole."""
    if rate is None:
        return RateBudget(clock, name=name, limit=None, ending=ending)
    half = rate * window_seconds / 2
    limit, pace = (half, rate / 2) if half >= 1 else (1.0, rate)  # less than one call at once would be none ever
    return RateBudget(clock, name=name, limit=limit, decay_per_second=pace, ending=ending)
