"""What can be traded where: listings with their tick sizes, lot steps and minimums, and what each brokerage shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from paper_exchange.assets import FIAT, MAJORS, MINORS, STABLECOINS, Asset, all_assets

SIGNIFICANT_DIGITS = 6  # of a price on its tick size, within the bounds below
PRICE_DECIMALS_BOUNDS = (1, 10)
LOT_DECIMALS = 8
MINIMUM_ORDER_USD = Decimal(2)
EVERYWHERE_QUOTES = ("USD", "EUR", "USDT", "USDC")
MAJORS_QUOTES = ("BTC", "ETH", "GBP", "CAD", "AUD", "CHF", "JPY", "DAI")
TRADING_CROSSES = (
    "BTC/EUR", "ETH/EUR", "SOL/EUR", "BTC/USDT", "ETH/USDT", "BTC/USDC", "ETH/USDC", "ETH/BTC", "SOL/BTC",
)  # fmt: skip
TRADING_PEGS = ("EUR/USD", "GBP/USD", "USDT/USD", "USDC/USD")
COINBASE_QUOTES = frozenset({"USD", "USDC", "EUR", "GBP", "BTC", "ETH", "USDT"})


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
    trading = {*(f"{base}/USD" for base in MAJORS), *TRADING_CROSSES, *TRADING_PEGS}
    found: dict[str, Listing] = {}
    for base, quote in _pairs(assets):
        symbol = f"{base}/{quote}"
        found.setdefault(symbol, make_listing(assets[base], assets[quote], trades=symbol in trading))
    return dict(sorted(found.items(), key=lambda item: not item[1].trades))


class Catalogue:
    """All listings, or a brokerage's view of them; a rule changed through one is changed for all."""

    def __init__(self) -> None:
        self._listings = all_listings()
        self._originals = dict(self._listings)
        self._assets = all_assets()
        self._changes: dict[str, dict[str, str]] = {}
        self._shown = frozenset(self._listings)

    def for_brokerage(self, brokerage: str) -> Catalogue:
        """The listings a brokerage shows: Kraken and unknown brokerages all, Coinbase only its quote currencies."""
        view = Catalogue.__new__(Catalogue)
        view._listings, view._originals = self._listings, self._originals
        view._assets, view._changes = self._assets, self._changes
        view._shown = frozenset(
            symbol for symbol, listing in self._listings.items()
            if brokerage != "coinbase" or listing.quote in COINBASE_QUOTES
        )  # fmt: skip
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
        """Raises `KeyError`."""
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
        return dict(self._assets)

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
