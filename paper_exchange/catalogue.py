"""What can be traded where: listings with their tick sizes, lot steps and minimums, and what each brokerage shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from paper_exchange.assets import FIAT, MAJORS, MINORS, STABLECOINS, STOCKS, WHOLE_SHARES_ONLY, Asset, all_assets

SIGNIFICANT_DIGITS = 6  # of a price on its tick size, within the bounds below
PRICE_DECIMALS_BOUNDS = (1, 10)
LOT_DECIMALS = 8
MINIMUM_ORDER_USD = Decimal(2)
EVERYWHERE_QUOTES = ("USD", "EUR", "USDT", "USDC")
MAJORS_QUOTES = ("BTC", "ETH", "GBP", "CAD", "AUD", "CHF", "JPY", "DAI")
COINS_AGAINST_TETHER = 15  # the largest of the majors, whose USDT market trades too
TRADING_CROSSES = ("BTC/EUR", "ETH/EUR", "SOL/EUR", "BTC/USDC", "ETH/USDC", "ETH/BTC", "SOL/BTC")
TRADING_PEGS = ("EUR/USD", "GBP/USD", "USDT/USD", "USDC/USD")
COINBASE_QUOTES = frozenset({"USD", "USDC", "EUR", "GBP", "BTC", "ETH", "USDT"})
STABLECOIN_VENUES = frozenset({"okx", "binance"})
"""Brokerages where coins are paid for in stablecoins, coins or euros, and dollars are not known."""
STABLECOIN_VENUE_QUOTES = frozenset({"USDT", "USDC", "BTC", "ETH", "EUR"})
STOCK_VENUE = "alpaca"
STOCK_QUOTE = "USD"
CENT = Decimal("0.01")
SUB_DOLLAR_TICK = Decimal("0.0001")
"""Below one dollar US stocks are priced in hundredths of a cent."""


class TradingMode(StrEnum):
    """What a listing accepts: everything; cancels; cancels and post-only limits; limits; nothing."""

    ONLINE = "online"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    LIMIT_ONLY = "limit_only"
    HALTED = "halted"


class UnknownSymbol(KeyError):
    """The catalogue has no such symbol, or this brokerage does not list it."""


@dataclass(frozen=True)
class Listing:
    """One pair. Prices are multiples of `tick_size` (quote), quantities of `lot_step` (base).

    `minimum_notional` is quote units; `quote_decimals` is the smallest unit in which the quote balance changes. With
    `trades` false the pair is listed but has no tape and takes no orders.
    """

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    price_decimals: int
    lot_step: Decimal
    lot_decimals: int
    minimum_quantity: Decimal
    minimum_notional: Decimal
    quote_decimals: int
    trades: bool
    reference_price: Decimal
    mode: TradingMode = TradingMode.ONLINE


def _decimals_for(price: Decimal) -> int:
    low, high = PRICE_DECIMALS_BOUNDS
    return min(high, max(low, SIGNIFICANT_DIGITS - 1 - price.adjusted()))


def _one_digit(value: Decimal) -> Decimal:
    """The value rounded to one significant digit, as venues state their minimums."""
    exponent = value.adjusted()
    return Decimal(format(round(value.scaleb(-exponent)) * Decimal(1).scaleb(exponent), "f"))


def make_listing(base: Asset, quote: Asset, *, trades: bool) -> Listing:
    price = base.reference_usd / quote.reference_usd
    decimals = _decimals_for(price)
    # No finer than the balance of the base: a bought quantity must be a balance that can exist.
    lot_decimals = min(LOT_DECIMALS, base.decimals)
    lot_step = Decimal(1).scaleb(-lot_decimals)
    notional = Decimal("0.5") if quote.name in FIAT or quote.name in STABLECOINS else Decimal("0.00002")
    return Listing(
        symbol=f"{base.name}/{quote.name}", base=base.name, quote=quote.name,
        tick_size=Decimal(1).scaleb(-decimals), price_decimals=decimals,
        lot_step=lot_step, lot_decimals=lot_decimals,
        minimum_quantity=max(lot_step, _one_digit(MINIMUM_ORDER_USD / base.reference_usd)),
        minimum_notional=notional, quote_decimals=quote.decimals, trades=trades, reference_price=price,
    )  # fmt: skip


def make_stock_listing(stock: Asset, quote: Asset) -> Listing:
    """A stock in dollars, in fractions of a billionth and for a dollar at least, or in whole shares."""
    whole = stock.name in WHOLE_SHARES_ONLY
    tick = CENT if stock.reference_usd >= 1 else SUB_DOLLAR_TICK
    lot_step = Decimal(1) if whole else Decimal(1).scaleb(-stock.decimals)
    return Listing(
        symbol=f"{stock.name}/{quote.name}", base=stock.name, quote=quote.name,
        tick_size=tick, price_decimals=_decimals_of(tick), lot_step=lot_step, lot_decimals=_decimals_of(lot_step),
        minimum_quantity=lot_step, minimum_notional=SUB_DOLLAR_TICK if whole else Decimal(1),
        quote_decimals=quote.decimals, trades=True, reference_price=stock.reference_usd / quote.reference_usd,
    )  # fmt: skip


def _pairs(assets: Mapping[str, Asset]) -> Iterator[tuple[str, str]]:
    crypto = [*MAJORS, *(name for name in MINORS if name not in MAJORS)]
    for quote in EVERYWHERE_QUOTES:
        yield from ((base, quote) for base in crypto)
    for quote in MAJORS_QUOTES:
        yield from ((base, quote) for base in MAJORS if base != quote and _is_worth_more(assets[base], assets[quote]))
    yield from (pair for base in (*STABLECOINS, *FIAT) for pair in ((base, "USD"), (base, "EUR")) if pair[0] != pair[1])


def _is_worth_more(base: Asset, quote: Asset) -> bool:
    """Nobody lists a coin of a millionth of a dollar in bitcoin: its price would have no digits."""
    return base.reference_usd / quote.reference_usd > Decimal("0.0000005")


def all_listings() -> dict[str, Listing]:
    """Every listing, by symbol, the trading ones first."""
    assets = all_assets()
    against_tether = (f"{base}/USDT" for base in list(MAJORS)[:COINS_AGAINST_TETHER])
    trading = {*(f"{base}/USD" for base in MAJORS), *against_tether, *TRADING_CROSSES, *TRADING_PEGS}
    found: dict[str, Listing] = {}
    for base, quote in _pairs(assets):
        symbol = f"{base}/{quote}"
        found.setdefault(symbol, make_listing(assets[base], assets[quote], trades=symbol in trading))
    for stock in STOCKS:
        listing = make_stock_listing(assets[stock], assets[STOCK_QUOTE])
        found[listing.symbol] = listing
    return dict(sorted(found.items(), key=lambda item: not item[1].trades))


def is_shown_at(brokerage: str, listing: Listing) -> bool:
    """Stocks at the stock brokerage only, coins everywhere else: at Kraken and unknown brokerages all of them."""
    if brokerage == STOCK_VENUE or listing.base in STOCKS:
        return brokerage == STOCK_VENUE and listing.base in STOCKS
    if brokerage in STABLECOIN_VENUES:
        return listing.quote in STABLECOIN_VENUE_QUOTES and listing.base not in FIAT
    return brokerage != "coinbase" or listing.quote in COINBASE_QUOTES


class Catalogue:
    """All listings, or a brokerage's view of them; a rule changed through one is changed for all."""

    def __init__(self) -> None:
        self._listings = all_listings()
        self._originals = dict(self._listings)
        self._assets = all_assets()
        self._changes: dict[str, dict[str, str]] = {}
        self._shown = frozenset(self._listings)
        self._shown_assets = frozenset(self._assets)

    @classmethod
    def of(cls, listings: Mapping[str, Listing], assets: Mapping[str, Asset]) -> Catalogue:
        """A catalogue of these listings, and of no others; every brokerage shows all that it shows of any catalogue."""
        made = cls.__new__(cls)
        made._listings, made._originals, made._assets = dict(listings), dict(listings), dict(assets)
        made._changes, made._shown, made._shown_assets = {}, frozenset(listings), frozenset(assets)
        return made

    def for_brokerage(self, brokerage: str) -> Catalogue:
        """The listings that a brokerage shows, by `is_shown_at`, and the assets that they are made of."""
        view = Catalogue.__new__(Catalogue)
        view._listings, view._originals = self._listings, self._originals
        shown = [listing for listing in self._listings.values() if is_shown_at(brokerage, listing)]
        view._assets, view._changes = self._assets, self._changes
        view._shown = frozenset(listing.symbol for listing in shown)
        view._shown_assets = frozenset({listing.base for listing in shown} | {listing.quote for listing in shown})
        return view

    def listing(self, symbol: str) -> Listing:
        """Raises `UnknownSymbol`."""
        if symbol not in self._shown:
            raise UnknownSymbol(symbol)
        return self._listings[symbol]

    def original(self, symbol: str) -> Listing:
        """The listing as it was before any `set_rules`. Raises `UnknownSymbol`."""
        self.listing(symbol)
        return self._originals[symbol]

    def asset(self, name: str) -> Asset:
        """Any asset, shown or not, since an account may hold it. Raises `KeyError`."""
        return self._assets[name]

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._shown

    def __iter__(self) -> Iterator[Listing]:
        return (listing for symbol, listing in self._listings.items() if symbol in self._shown)

    def __len__(self) -> int:
        return len(self._shown)

    def trading(self) -> list[Listing]:
        return [listing for listing in self if listing.trades]

    def assets(self) -> dict[str, Asset]:
        return {name: asset for name, asset in self._assets.items() if name in self._shown_assets}

    def set_rules(self, symbol: str, rules: Mapping[str, str]) -> Listing:
        """Change `tick_size`, `lot_step`, `minimum_quantity`, `minimum_notional` (text) or `mode` of a listing.

        Raises `UnknownSymbol`, or `ValueError` with a sentence; then nothing has changed.
        """
        changed = self.listing(symbol)
        for name, text in rules.items():
            changed = _with_rule(changed, name, text)
        self._listings[symbol] = changed
        self._changes.setdefault(symbol, {}).update(rules)
        return changed

    def rule_changes(self) -> dict[str, dict[str, str]]:
        """What `set_rules` has changed since the start, to be given to it again after a restart."""
        return {symbol: dict(rules) for symbol, rules in self._changes.items()}


def _with_rule(listing: Listing, name: str, text: str) -> Listing:
    match name:
        case "mode":
            if text not in set(TradingMode):
                raise ValueError(f"mode must be one of {', '.join(TradingMode)}, not {text!r}")
            return replace(listing, mode=TradingMode(text))
        case "tick_size":
            step = _positive(name, text)
            return replace(listing, tick_size=step, price_decimals=_decimals_of(step))
        case "lot_step":
            step = _positive(name, text)
            return replace(listing, lot_step=step, lot_decimals=_decimals_of(step))
        case "minimum_quantity":
            return replace(listing, minimum_quantity=_positive(name, text))
        case "minimum_notional":
            return replace(listing, minimum_notional=_positive(name, text))
    raise ValueError(f"unknown rule {name!r}")


def _decimals_of(step: Decimal) -> int:
    return max(0, -int(step.normalize().as_tuple().exponent))


def _positive(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except (InvalidOperation, TypeError):
        raise ValueError(f"{name} must be a decimal number as text, not {text!r}") from None
    if not value.is_finite() or value <= 0:
        raise ValueError(f"{name} must be more than 0, not {text!r}")
    return value
