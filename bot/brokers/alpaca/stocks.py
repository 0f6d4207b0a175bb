"""Alpaca's markets: `AAPL` there, `AAPL/USD` inside. Fractions and price steps are the venue's rules for stocks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.replies import as_object, flag_of, text_of
from bot.domain.errors import UnreadableReply
from bot.domain.instrument import Instrument
from bot.domain.money import ceil_to_step, floor_to_step
from bot.domain.symbol import base_of, normalise_symbol

CURRENCY = "USD"
STOCKS = "us_equity"
WHOLE_SHARES = Decimal(1)
FRACTIONS = Decimal("0.000000001")
# Prices below one dollar may have four places, all others two.
ONE_DOLLAR = Decimal(1)
CENT = Decimal("0.01")
SUB_PENNY = Decimal("0.0001")
# Of what may be traded in fractions nothing is taken for less than this. Whole shares have no such minimum.
LEAST_NOTIONAL = Decimal(1)
NO_MINIMUM = Decimal(0)


@dataclass(frozen=True)
class Stock(Instrument):
    """A stock's price step follows from the price itself; `tick_size` is that of prices from one dollar on."""

    def buy_cap(self, price: Decimal) -> Decimal:
        """A buy's highest price, rounded down to its step: inside the bound."""
        return floor_to_step(price, price_step(price))

    def sell_floor(self, price: Decimal) -> Decimal:
        """A sell's lowest price, rounded up to its step: inside the bound."""
        return ceil_to_step(price, price_step(price))


def price_step(price: Decimal) -> Decimal:
    """The step that a price of this size must keep."""
    return CENT if price >= ONE_DOLLAR else SUB_PENNY


def symbol_of(ticker: str) -> str:
    """`BRK.B` → `BRK.B/USD`. Raises ValueError for what is no stock's ticker."""
    symbol = normalise_symbol(f"{ticker}/{CURRENCY}")
    if base_of(symbol) != ticker:
        raise ValueError(f"{ticker[:40]!r} is not a ticker")
    return symbol


def ticker_of(symbol: str) -> str:
    """`BRK.B/USD` → `BRK.B`."""
    return base_of(symbol)


def stocks_from(assets: Iterable[object]) -> Mapping[str, Instrument]:
    """Markets by symbol; one that cannot be read is left out. Raises `UnreadableReply` if none is left."""
    found: dict[str, Instrument] = {}
    for asset in assets:
        try:
            stock = _stock(asset)
        except (UnreadableReply, ValueError):
            continue
        if stock is not None:
            found[stock.symbol] = stock
    if not found:
        raise UnreadableReply("Alpaca: no market could be read")
    return MappingProxyType(found)


def _stock(asset: object) -> Stock | None:
    """None for what is no stock: Alpaca lists options and coins by the same call."""
    fields = as_object(asset, where="Alpaca asset")
    ticker = text_of(fields, "symbol", where="Alpaca asset")
    where = f"Alpaca asset {ticker}"
    if text_of(fields, "class", where=where) != STOCKS:
        return None
    status = text_of(fields, "status", where=where)
    tradable = flag_of(fields, "tradable", default=False, where=where)
    fractionable = flag_of(fields, "fractionable", default=False, where=where)
    step = FRACTIONS if fractionable else WHOLE_SHARES
    return Stock(
        symbol=symbol_of(ticker),
        venue_symbol=ticker,
        lot_step=step,
        tick_size=CENT,
        minimum_quantity=step,
        minimum_notional=LEAST_NOTIONAL if fractionable else NO_MINIMUM,
        tradable=tradable and status == "active",
        status=status if tradable or status != "active" else "not tradable",
    )
