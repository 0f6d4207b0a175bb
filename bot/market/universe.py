"""Which of a venue's markets are worth their candles: the scan's filters, the cheap ones first.

All of it is pure. What is not known is never taken for a pass or for a zero: it is a `missing` word with its reason.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal

from bot.domain.instrument import Instrument
from bot.domain.quote import Ticker
from bot.domain.symbol import quote_of
from bot.market.funnel import Stage, Word
from bot.settings.model import ScanSettings

# The rules, by which markets are counted.
STATUS, CURRENCY, NOT_CHOSEN, SKIPPED, PAUSED, LIMIT = (
    "status", "currency", "not_chosen", "skipped", "paused", "limit",
)  # fmt: skip
VOLUME, SPREAD, FEE = "volume", "spread", "fee"
VOLUME_CURRENCY = "volume_currency"
TICKER_UNKNOWN, TICKER_STALE, VOLUME_UNKNOWN = "ticker_unknown", "ticker_stale", "volume_unknown"
_TWO = Decimal("0.01")
_FOUR = Decimal("0.0001")


@dataclass(frozen=True, kw_only=True)
class ScanRules:
    """What a market must be like. None sets no limit; percents are of the price: 0.5 means 0.5 %.

    `only` (empty = all) and `skip` are symbols. `limit` keeps the first so many by name of those that pass all that
    can be told without a price. Volume is of 24 hours, in the currency of the account.
    """

    only: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    limit: int | None = None
    min_daily_volume: Decimal | None = None
    max_spread_percent: Decimal | None = None
    max_taker_fee_percent: Decimal | None = None
    max_ticker_age_seconds: float = 900.0
    at_par: AbstractSet[str] = frozenset({"USD"})

    @property
    def needs_tickers(self) -> bool:
        return self.min_daily_volume is not None or self.max_spread_percent is not None


def scan_rules(settings: ScanSettings, *, at_par: AbstractSet[str]) -> ScanRules:
    """As configured; `at_par` are the currencies that count one to one as the dollars of the settings."""
    return ScanRules(
        only=frozenset(settings.symbols),
        skip=frozenset(settings.skip_symbols),
        min_daily_volume=settings.min_daily_volume_usd,
        max_spread_percent=settings.max_spread_percent,
        max_taker_fee_percent=settings.max_taker_fee_percent,
        max_ticker_age_seconds=settings.max_ticker_age_seconds,
        at_par=at_par,
    )


def filtered_by_listing(
    instruments: Mapping[str, Instrument], rules: ScanRules, *, currency: str, paused: frozenset[str] = frozenset()
) -> dict[str, Word]:
    """Markets that the catalogue, the operator's lists and pauses rule out, without a call. `currency` pays."""
    found: dict[str, Word] = {}
    left = 0
    for symbol, instrument in sorted(instruments.items()):
        word = _by_listing(symbol, instrument, rules, currency, paused)
        if word is None:
            left += 1
            if rules.limit is not None and left > rules.limit:
                word = Word(Stage.FILTERED, LIMIT, f"not among the first {rules.limit} by name")
        if word is not None:
            found[symbol] = word
    return found


def _by_listing(
    symbol: str, instrument: Instrument, rules: ScanRules, currency: str, paused: frozenset[str]
) -> Word | None:
    if not instrument.tradable:
        return Word(Stage.FILTERED, STATUS, f"the venue says: {instrument.status}")
    if quote_of(symbol) != currency:
        return Word(Stage.FILTERED, CURRENCY, f"the account pays in {currency}")
    if rules.only and symbol not in rules.only:
        return Word(Stage.FILTERED, NOT_CHOSEN, "not among scan.symbols")
    if symbol in rules.skip:
        return Word(Stage.FILTERED, SKIPPED, "among scan.skip_symbols")
    if symbol in paused:
        return Word(Stage.FILTERED, PAUSED, "an operator has paused it")
    return None


def filtered_by_ticker(ticker: Ticker | None, rules: ScanRules, *, age_seconds: float | None, why: str) -> Word | None:
    """The word on a market that its ticker rules out, or that has none that counts; None = it passes.

    `why` says why there is no ticker, if that is known. A venue that tells no volume of any market (`tells_volume`
    false in its ticker) is not held to the least volume.
    """
    if not rules.needs_tickers:
        return None
    if ticker is None or age_seconds is None:
        return Word(Stage.MISSING, TICKER_UNKNOWN, why or "the venue shows no bid and ask")
    if age_seconds > rules.max_ticker_age_seconds:
        because = f": {why}" if why else ""
        return Word(Stage.MISSING, TICKER_STALE, f"its bid and ask are {age_seconds:.0f} s old{because}")
    return _by_volume(ticker, rules) or _by_spread(ticker, rules)


def _by_volume(ticker: Ticker, rules: ScanRules) -> Word | None:
    least = rules.min_daily_volume
    if least is None or not ticker.tells_volume:
        return None
    currency = quote_of(ticker.quote.symbol)
    if currency not in rules.at_par:
        return Word(
            Stage.FILTERED,
            VOLUME_CURRENCY,
            f"its volume is counted in {currency}, and what that is in USD is not known; name {currency} in "
            "risk.at_par_with_usd, or set scan.min_daily_volume_usd to null",
        )
    if ticker.day_volume_quote is None:
        return Word(Stage.MISSING, VOLUME_UNKNOWN, "the venue tells no volume of this market")
    if ticker.day_volume_quote < least:
        return Word(Stage.FILTERED, VOLUME, f"{_short(ticker.day_volume_quote, _TWO)} in 24 h is below {least:f}")
    return None


def _by_spread(ticker: Ticker, rules: ScanRules) -> Word | None:
    widest, spread = rules.max_spread_percent, ticker.spread_percent
    if widest is None or spread <= widest:
        return None
    return Word(Stage.FILTERED, SPREAD, f"{_short(spread, _FOUR)} % between bid and ask is above {widest:f} %")


def filtered_by_fee(fee_percent: Decimal | None, rules: ScanRules) -> Word | None:
    """The word on a market whose taker fee for this account is too high; a fee that is not known holds nothing back."""
    most = rules.max_taker_fee_percent
    if most is None or fee_percent is None or fee_percent <= most:
        return None
    return Word(Stage.FILTERED, FEE, f"a taker fee of {_short(fee_percent, _FOUR)} % is above {most:f} %")


def _short(value: Decimal, step: Decimal) -> str:
    return format(value.quantize(step), "f")
